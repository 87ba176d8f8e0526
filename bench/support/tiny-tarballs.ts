/** Tarballs of some 200 bytes, all with the same single file in them, and what the hub says is inside. */
import { createHash, randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { tarball } from '../../tests/support/tarballs.ts'
import type { ArchiveContents } from '../../src/builds/archive-contents.ts'
import { DEFAULT_ARCHIVE_LIMITS } from '../../src/builds/archive-limits.ts'
import { chooseRecipe } from '../../src/builds/choose-recipe.ts'
import type { ChosenRecipe } from '../../src/builds/choose-recipe.ts'
import type { ReceivedFile } from '../../src/builds/receive-bytes.ts'
import { verifyArchive } from '../../src/builds/verify-archive.ts'
import type { Config } from '../../src/config.ts'

export interface TinyTarball {
  readonly bytes: Buffer
  readonly digests: ReceivedFile['digests']
}

/** A tar.gz that is different every time, of one size and one listing. */
export function tinyTarball(): Buffer {
  return tarball({ 'release/bin/run': `#!/bin/sh\necho ${randomBytes(8).toString('hex')}\n` })
}

export class TinyTarballs {
  readonly contents: ArchiveContents
  readonly chosen: ChosenRecipe
  /** As the records keep it. */
  readonly listing: Buffer

  private constructor(contents: ArchiveContents) {
    this.contents = contents
    this.chosen = chooseRecipe(
      { recipeText: null, ebuildTemplate: null, maySendCommands: false },
      contents,
      undefined,
    )
    this.listing = zstdCompressSync(JSON.stringify(contents.entries))
  }

  /** The hub itself reads one of them. */
  static async open({ dataDir }: Pick<Config, 'dataDir'>): Promise<TinyTarballs> {
    const path = join(dataDir, 'var', 'one.tar.gz')
    writeFileSync(path, tinyTarball())
    try {
      return new TinyTarballs(await verifyArchive(path, DEFAULT_ARCHIVE_LIMITS))
    } finally {
      rmSync(path)
    }
  }

  make(): TinyTarball {
    const bytes = tinyTarball()
    const digest = (name: string): string => createHash(name).update(bytes).digest('hex')
    const digests = {
      sizeBytes: bytes.byteLength,
      ...{ blake2b: digest('blake2b512'), sha512: digest('sha512'), sha256: digest('sha256') },
    }
    return { bytes, digests }
  }
}
