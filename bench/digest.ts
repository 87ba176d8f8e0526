/**
 * Digests of an upload: by the threads that follow the file (what the hub does above 1 MiB) against all three digests
 * on the thread that receives. Both write the same chunks to a file first; rounds alternate; medians.
 *
 *     npm run bench digest
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closeDigestWorkers, startDigest } from '../src/builds/digest-file.ts'

const MIB = 1024 * 1024
const SIZES_MIB = [1, 16, 256, 1024]
const ROUNDS = 5
const CHUNK = randomBytes(64 * 1024)

async function throughFile(path: string, sizeBytes: number, digest: Digest): Promise<number> {
  await using handle = await open(path, 'w')
  const started = performance.now()
  for (let written = 0; written < sizeBytes; written += CHUNK.byteLength) {
    await handle.writeFile(CHUNK)
    digest.update(CHUNK)
  }
  await digest.finish()
  return performance.now() - started
}

interface Digest {
  update(chunk: Buffer): void
  finish(): unknown
}

function onThisThread(): Digest {
  const hashes = ['blake2b512', 'sha512', 'sha256'].map((name) => createHash(name))
  return {
    update(chunk) {
      for (const hash of hashes) hash.update(chunk)
    },
    finish: () => hashes.map((hash) => hash.digest('hex')),
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

const folder = await mkdtemp(join(tmpdir(), 'portage-hub-bench-'))
const path = join(folder, 'upload')
console.log('size        threads MB/s   inline MB/s   ratio')
try {
  for (const sizeMib of SIZES_MIB) {
    const times: Record<'threads' | 'inline', number[]> = { threads: [], inline: [] }
    for (let round = 0; round < ROUNDS; round++) {
      await using digester = startDigest(path)
      times.threads.push(await throughFile(path, sizeMib * MIB, digester))
      times.inline.push(await throughFile(path, sizeMib * MIB, onThisThread()))
    }
    const [threads, inline] = [times.threads, times.inline].map(
      (list) => (sizeMib * MIB) / 1000 / median(list),
    )
    const cells = [threads ?? 0, inline ?? 0].map((rate) => rate.toFixed(0).padStart(12))
    console.log(
      `${String(sizeMib).padStart(5)} MiB ${cells.join('  ')}   ${((threads ?? 0) / (inline ?? 1)).toFixed(2).padStart(5)}`,
    )
  }
} finally {
  await closeDigestWorkers()
  await rm(folder, { recursive: true, force: true })
}
