/**
 * XPAK, the metadata behind the image of an older binary package (`.tbz2`, `.xpak`); numbers are big-endian, of four bytes.
 * Source: xpak(5); Portage lib/portage/xpak.py `xpak_mem`, `getindex_mem`, `tbz2.scan`.
 *
 *     image | XPAKPACK indexLength dataLength index data XPAKSTOP | segmentLength STOP
 *     index: nameLength name dataOffset dataLength, again and again
 */
import { HubError } from '../errors.ts'

/** What the end of a package has behind the data: `XPAKSTOP`, the length of the segment, `STOP`. */
export const XPAK_END_BYTES = 16

const START = 'XPAKPACK'
const STOP = 'XPAKSTOP'
const HEADER_BYTES = START.length + 8
/** The metadata of a package is some kilobytes; `environment.bz2` and `CONTENTS` of the largest are a few megabytes. */
const MOST_BYTES = 64 << 20

/**
 * Says how many bytes of the file, counted from its end, belong to the metadata; the image is before them.
 * @param end the last `XPAK_END_BYTES` of the file
 * @throws {HubError} `archive.corrupt` if the file does not end as such a package does, or claims more than 64 MiB.
 */
export function xpakTailBytes(end: Buffer): number {
  const isEnd = end.length === XPAK_END_BYTES && textAt(end, 0, 8) === STOP && textAt(end, 12, 4) === 'STOP'
  if (!isEnd) throw corrupt('it does not end as an xpak package does')
  const segmentBytes = end.readUInt32BE(8)
  if (segmentBytes < HEADER_BYTES + STOP.length || segmentBytes > MOST_BYTES)
    throw corrupt(`its metadata cannot have ${segmentBytes} bytes`)
  return segmentBytes + 8
}

/**
 * Reads the metadata: values by their keys (`CATEGORY`, `environment.bz2`), in the order of the index.
 * @param tail what `xpakTailBytes` counted
 * @throws {HubError} `archive.corrupt` if a length points outside, a key comes twice, or no file could have its name.
 */
export function parseXpak(tail: Buffer): ReadonlyMap<string, Buffer> {
  if (xpakTailBytes(tail.subarray(-XPAK_END_BYTES)) !== tail.length || textAt(tail, 0, 8) !== START)
    throw corrupt('its metadata does not begin where its end says')
  const indexBytes = tail.readUInt32BE(8)
  const dataBytes = tail.readUInt32BE(12)
  if (HEADER_BYTES + indexBytes + dataBytes + XPAK_END_BYTES !== tail.length)
    throw corrupt('the lengths in its metadata do not add up')
  const index = tail.subarray(HEADER_BYTES, HEADER_BYTES + indexBytes)
  const data = tail.subarray(HEADER_BYTES + indexBytes, HEADER_BYTES + indexBytes + dataBytes)
  const values = new Map<string, Buffer>()
  for (let at = 0; at < index.length;) {
    const { key, value, next } = readEntry(index, at, data)
    if (values.has(key)) throw corrupt(`its metadata has ${key} twice`)
    values.set(key, value)
    at = next
  }
  return values
}

/** Renders the metadata with its end, to be put behind an image; `parseXpak` reads it back to the same values. */
export function renderXpak(values: ReadonlyMap<string, Buffer>): Buffer {
  const index: Buffer[] = []
  let dataBytes = 0
  for (const [key, value] of values) {
    const name = Buffer.from(key)
    index.push(uint32(name.length), name, uint32(dataBytes), uint32(value.length))
    dataBytes += value.length
  }
  const indexBytes = index.reduce((sum, { length }) => sum + length, 0)
  const head = [Buffer.from(START), uint32(indexBytes), uint32(dataBytes)]
  const segment = Buffer.concat([...head, ...index, ...values.values(), Buffer.from(STOP)])
  return Buffer.concat([segment, uint32(segment.length), Buffer.from('STOP')])
}

function readEntry(index: Buffer, at: number, data: Buffer) {
  const nameAt = at + 4
  const nameBytes = index.length < nameAt ? Infinity : index.readUInt32BE(at)
  const next = nameAt + nameBytes + 8
  if (next > index.length) throw corrupt('the index of its metadata breaks off')
  const key = index.toString('utf8', nameAt, nameAt + nameBytes)
  // Readers make files of these names.
  if (!/^[A-Za-z0-9_.+-]+$/.test(key) || /^\.+$/.test(key))
    throw corrupt('its metadata has a key that is no name')
  const offset = index.readUInt32BE(next - 8)
  const end = offset + index.readUInt32BE(next - 4)
  if (end > data.length) throw corrupt(`the value of ${key} lies outside its metadata`)
  return { key, value: data.subarray(offset, end), next }
}

function textAt(bytes: Buffer, at: number, length: number): string {
  return bytes.toString('latin1', at, at + length)
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function corrupt(what: string): HubError {
  return new HubError(
    'archive.corrupt',
    `this is no whole binary package: ${what}; pack it again with quickpkg`,
  )
}
