/** A tarball of any size with one file of random bytes: what nothing can compress and nobody has seen before. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { END_OF_ARCHIVE, tarEntry } from '../../tests/support/tarballs.ts'

const MIB = 2 ** 20
const BLOCK_BYTES = 512

/** Writes a plain tar of exactly `sizeBytes`, a multiple of 512 and less than 8 GiB; its file is `<app>-1.0.0/data`. */
export async function writeLargeTar(path: string, app: string, sizeBytes: number): Promise<void> {
  const contentBytes = sizeBytes - BLOCK_BYTES - END_OF_ARCHIVE.byteLength
  const size = `${contentBytes.toString(8).padStart(11, '0')}\0`
  const file = createWriteStream(path)
  file.write(tarEntry({ name: `${app}-1.0.0/data`, raw: { size } }))
  for (let left = contentBytes; left > 0; left -= MIB) {
    if (!file.write(randomBytes(Math.min(left, MIB)))) await once(file, 'drain')
  }
  file.end(END_OF_ARCHIVE)
  await once(file, 'close')
}
