/**
 * Packs and their indexes, both of version 2. Source: gitformat-pack(5).
 */
import { createHash } from 'node:crypto'
import { crc32, deflate, deflateSync } from 'node:zlib'
import { promisify } from 'node:util'
import type { ObjectType, Oid } from './objects.ts'

const TYPE_NUMBERS = { commit: 1, tree: 2, blob: 3 } as const
const REF_DELTA = 7
const HEADER_BYTES = 12
const DIGEST_BYTES = 20
/** An index has 31 bits for an offset; a larger pack needs a table that we do not write. */
const MAX_PACK_BYTES = 2 ** 31 - 1
/** Below this, handing the work to another thread costs more than the work. */
const DEFLATE_INLINE_BYTES = 32 * 1024

const deflateElsewhere = promisify(deflate) as (data: Buffer, options: { level: number }) => Promise<Buffer>

/**
 * An object as a pack holds it, header and deflated content; it fits into any pack, so it can be kept and
 * reused.
 */
export interface PackEntry {
  readonly oid: Oid
  readonly bytes: Buffer
  /** CRC-32 of the bytes, for indexes; there when the entry is written more than once. */
  readonly checksum?: number
}

export function withChecksum(entry: PackEntry): PackEntry {
  return { ...entry, checksum: crc32(entry.bytes) }
}

/** Deflates an object for packs. `level` is zlib's. Large content is deflated on another thread. */
export async function packObject(type: ObjectType, oid: Oid, content: Buffer, level = 6): Promise<PackEntry> {
  return {
    oid,
    bytes: Buffer.concat([
      objectHeader(TYPE_NUMBERS[type], content.byteLength),
      await deflated(content, level),
    ]),
  }
}

/** An object as instructions over another one, which the reader must have or find in the same pack. */
export async function packDelta(oid: Oid, base: Oid, delta: Buffer, level = 6): Promise<PackEntry> {
  const header = objectHeader(REF_DELTA, delta.byteLength)
  return { oid, bytes: Buffer.concat([header, Buffer.from(base, 'hex'), await deflated(delta, level)]) }
}

async function deflated(content: Buffer, level: number): Promise<Buffer> {
  return content.byteLength <= DEFLATE_INLINE_BYTES
    ? deflateSync(content, { level })
    : deflateElsewhere(content, { level })
}

/** Type and inflated size: four bits of the size in the first byte, then seven in each. */
function objectHeader(type: number, sizeBytes: number): Buffer {
  const bytes: number[] = []
  let byte = (type << 4) | (sizeBytes & 0x0f)
  for (let rest = Math.floor(sizeBytes / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.push(byte | 0x80)
    byte = rest & 0x7f
  }
  return Buffer.from([...bytes, byte])
}

/**
 * A whole pack: its parts in order, and the digest that ends it. The caller sees to it that no object comes
 * twice.
 */
export interface Pack {
  readonly parts: readonly Buffer[]
  readonly digest: Buffer
}

export function encodePack(entries: readonly PackEntry[]): Pack {
  const header = Buffer.alloc(HEADER_BYTES)
  header.write('PACK', 'latin1')
  header.writeUInt32BE(2, 4)
  header.writeUInt32BE(entries.length, 8)
  const parts = [header, ...entries.map((entry) => entry.bytes)]
  const sha1 = createHash('sha1')
  for (const part of parts) sha1.update(part)
  const digest = sha1.digest()
  return { parts: [...parts, digest], digest }
}

/**
 * The index of the pack that `encodePack` makes of the same entries, without deltas to objects outside of it.
 * @throws {Error} for a pack of 2 GiB or more.
 */
export function encodePackIndex(entries: readonly PackEntry[], packDigest: Buffer): Buffer {
  let offset = HEADER_BYTES
  const rows = entries.map(({ oid, bytes, checksum }) => {
    const row = { id: Buffer.from(oid, 'hex'), crc: checksum ?? crc32(bytes), offset }
    offset += bytes.byteLength
    return row
  })
  if (offset + DIGEST_BYTES > MAX_PACK_BYTES)
    throw new Error(`A pack of ${offset} bytes needs to be written as several.`)
  rows.sort((a, b) => a.id.compare(b.id))
  const body = Buffer.concat([
    Buffer.from([0xff, 0x74, 0x4f, 0x63, 0, 0, 0, 2]),
    fanout(rows.map((row) => row.id[0] as number)),
    ...rows.map((row) => row.id),
    words(rows.map((row) => row.crc)),
    words(rows.map((row) => row.offset)),
    packDigest,
  ])
  return Buffer.concat([body, createHash('sha1').update(body).digest()])
}

/** For each first byte, how many ids begin with it or a lower one. */
function fanout(firstBytes: readonly number[]): Buffer {
  const counts = new Array<number>(256).fill(0)
  for (const byte of firstBytes) counts[byte] = (counts[byte] as number) + 1
  let sum = 0
  return words(counts.map((count) => (sum += count)))
}

function words(values: readonly number[]): Buffer {
  const buffer = Buffer.allocUnsafe(values.length * 4)
  values.forEach((value, at) => buffer.writeUInt32BE(value, at * 4))
  return buffer
}
