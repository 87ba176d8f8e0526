/** Tarballs of a few small files, made and read in memory. */
import { gunzipSync, gzipSync } from 'node:zlib'
import { Header, Parser } from 'tar'

/** By path. What lies in a folder `bin` may be run. */
export type Files = Readonly<Record<string, string | Buffer>>

const BLOCK_BYTES = 512
/** The same files make the same bytes, whenever they are packed. */
const PACKED_AT = new Date('2026-01-01T00:00:00Z')

/** A plain tar. */
export function tarOf(files: Files): Buffer {
  const parts = Object.entries(files).flatMap(([path, content]) => {
    const bytes = Buffer.from(content)
    const header = Buffer.alloc(BLOCK_BYTES)
    const mode = /(?:^|\/)bin\//.test(path) ? 0o755 : 0o644
    new Header({
      ...{ path, mode, uid: 0, gid: 0, size: bytes.length, mtime: PACKED_AT, type: 'File' },
    }).encode(header, 0)
    return [header, bytes, Buffer.alloc(-bytes.length & (BLOCK_BYTES - 1))]
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)])
}

export function tarGzOf(files: Files): Buffer {
  return gzipSync(tarOf(files))
}

/** The files of a tar.gz. */
export async function filesOf(tarGz: Buffer): Promise<Files> {
  const files: Record<string, Buffer> = {}
  await new Promise<void>((resolve, reject) => {
    const parser = new Parser({
      onReadEntry(entry) {
        const pieces: Buffer[] = []
        entry.on('data', (piece) => pieces.push(piece))
        entry.on('end', () => {
          files[entry.path] = Buffer.concat(pieces)
        })
      },
    })
    parser.on('end', resolve)
    parser.on('error', reject)
    parser.end(gunzipSync(tarGz))
  })
  return files
}
