/** A build as a node has it installed, packed: what quickpkg would make of it. */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { imageDigest } from '../../src/binpkgs/image-digest.ts'
import { digestImageEntries } from '../../src/binpkgs/read-image.ts'
import { verifyGpkg } from '../../src/binpkgs/verify-binpkg.ts'
import { DEFAULT_ARCHIVE_LIMITS } from '../../src/builds/archive-limits.ts'
import { gpkgOf, metadataTar, shopParts } from '../support/gpkgs.ts'
import type { PackedFile } from '../support/restore-points.ts'
import { tarOf } from '../support/tarballs.ts'
import { ask } from './requests.ts'
import type { World } from './requests.ts'

export interface PackedBuild {
  readonly cpv: string
  readonly file: PackedFile
  /** The archive of its metadata, as it is in the file. */
  readonly metadata: Buffer
  /** What an announcement says, so that the metadata may be enough. */
  readonly image: object
}

/**
 * Null when the hub does not say what the build is. Each packing is another file of the same image: times and the saved
 * environment differ. `folder`: for a file in between.
 */
export async function packBuild(
  world: World,
  { app, build }: { readonly app: string; readonly build: number },
  folder: string,
): Promise<PackedBuild | null> {
  const path = `/api/v1/apps/${app}/builds/${String(build)}`
  const told = await ask(world, { path })
  const ebuild = await ask(world, { path: `${path}/ebuild` })
  if (told.status !== 200 || ebuild.status !== 200) return null
  const { cpv, category, pn, pv } = told.json as Readonly<Record<'cpv' | 'category' | 'pn' | 'pv', string>>
  const pf = `${pn}-${pv}`
  const metadata = gzipSync(
    metadataTar({
      ...{ CATEGORY: `${category}\n`, PF: `${pf}\n`, SLOT: '0\n', EAPI: '8\n', KEYWORDS: 'amd64 arm64\n' },
      ...{ BUILD_TIME: '1767323000\n', repository: 'hub-staging\n', [`${pf}.ebuild`]: ebuild.text },
      'environment.bz2': world.random.bytes(40).toString('hex'),
    }),
  )
  const folders = ['image/', 'image/opt/', `image/opt/${pn}/`].map((name) => ({ name, type: '5' }) as const)
  const image = gzipSync(tarOf(...folders, { name: `image/opt/${pn}/run`, content: `${pf}\n` }))
  const bytes = gpkgOf(shopParts({ 'metadata.tar.gz': metadata, 'image.tar.gz': image }), pf)
  const file = { kind: 'binpkg', name: `${category}/${pn}/${pf}-1.gpkg.tar`, bytes } as const
  const sha512 = createHash('sha512').update(metadata).digest('hex')
  return {
    ...{ cpv, file, metadata },
    image: {
      sha256: await digestOf(bytes, join(folder, 'packed.gpkg.tar')),
      metadata: { name: 'metadata.tar.gz', sizeBytes: metadata.byteLength, sha512 },
    },
  }
}

async function digestOf(bytes: Buffer, path: string): Promise<string> {
  await writeFile(path, bytes)
  return imageDigest(await digestImageEntries(await verifyGpkg(path), DEFAULT_ARCHIVE_LIMITS)) ?? ''
}
