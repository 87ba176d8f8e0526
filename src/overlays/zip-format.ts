/**
 * The bytes of a zip, version 2.0 with names in UTF-8, and of zip64 where there are more entries or bytes than the old
 * form can count. Source: PKWARE's APPNOTE.TXT, "Overall .ZIP file format", "ZIP64 extended information".
 */
import { promisify } from 'node:util'
import { crc32, deflateRaw, deflateRawSync } from 'node:zlib'

const LOCAL = 0x04034b50
const CENTRAL = 0x02014b50
const END = 0x06054b50
const END_64 = 0x06064b50
const LOCATOR_64 = 0x07064b50
const VERSION = 20
const VERSION_64 = 45
const MADE_ON_UNIX = 3 << 8
const NAMES_ARE_UTF8 = 0x0800
const STORED = 0
const DEFLATED = 8
/** 1 January 1980, 0 o'clock, in MS-DOS's way: one fixed time makes equal trees equal bytes. */
const DOS_DATE = 0x21
const FOLDER_MODE = 0o40755
const FILE_MODE = 0o100644
const DOS_FOLDER = 0x10
const MOST_16 = 0xffff
const MOST_32 = 0xffffffff
/** Below this, handing the work to another thread costs more than the work. */
const DEFLATE_INLINE_BYTES = 64 * 1024

const deflateElsewhere = promisify(deflateRaw)

/** A file as any zip may hold it, whatever its name: it can be kept and used again. */
export interface ZippedFile {
  readonly method: number
  readonly checksum: number
  readonly sizeBytes: number
  readonly bytes: Buffer
}

const FOLDER: ZippedFile = { method: STORED, checksum: 0, sizeBytes: 0, bytes: Buffer.alloc(0) }

export async function zipFile(content: Buffer): Promise<ZippedFile> {
  if (content.byteLength === 0) return FOLDER
  const isSmall = content.byteLength <= DEFLATE_INLINE_BYTES
  const bytes = isSmall ? deflateRawSync(content) : await deflateElsewhere(content)
  return { method: DEFLATED, checksum: crc32(content), sizeBytes: content.byteLength, bytes }
}

/** Takes entries one after another; `end` gives the whole. */
export class ZipWriter {
  readonly #entries: Buffer[] = []
  readonly #list: Buffer[] = []
  #offset = 0

  addFolder(path: string): void {
    this.#add(`${path}/`, FOLDER, ((FOLDER_MODE << 16) | DOS_FOLDER) >>> 0)
  }

  addFile(path: string, file: ZippedFile): void {
    this.#add(path, file, (FILE_MODE << 16) >>> 0)
  }

  end(): Buffer {
    const listBytes = this.#list.reduce((sum, { byteLength }) => sum + byteLength, 0)
    return Buffer.concat([
      ...this.#entries,
      ...this.#list,
      encodeEnd(this.#list.length, listBytes, this.#offset),
    ])
  }

  #add(path: string, file: ZippedFile, attributes: number): void {
    const name = Buffer.from(path)
    this.#list.push(encodeCentral(name, file, attributes, this.#offset))
    const header = encodeLocal(name, file)
    this.#entries.push(header, file.bytes)
    this.#offset += header.byteLength + file.bytes.byteLength
    if (this.#offset > MOST_32) throw new Error('an overlay of more than 4 GiB cannot be sent as a zip')
  }
}

/** Version needed, flags, method, time, date, checksum, sizes and length of the name: the same in both headers. */
function writeCommon(header: Buffer, at: number, name: Buffer, file: ZippedFile): void {
  header.writeUInt16LE(VERSION, at)
  header.writeUInt16LE(NAMES_ARE_UTF8, at + 2)
  header.writeUInt16LE(file.method, at + 4)
  header.writeUInt16LE(0, at + 6)
  header.writeUInt16LE(DOS_DATE, at + 8)
  header.writeUInt32LE(file.checksum, at + 10)
  header.writeUInt32LE(file.bytes.byteLength, at + 14)
  header.writeUInt32LE(file.sizeBytes, at + 18)
  header.writeUInt16LE(name.byteLength, at + 22)
}

function encodeLocal(name: Buffer, file: ZippedFile): Buffer {
  const header = Buffer.alloc(30 + name.byteLength)
  header.writeUInt32LE(LOCAL, 0)
  writeCommon(header, 4, name, file)
  name.copy(header, 30)
  return header
}

function encodeCentral(name: Buffer, file: ZippedFile, attributes: number, offset: number): Buffer {
  const header = Buffer.alloc(46 + name.byteLength)
  header.writeUInt32LE(CENTRAL, 0)
  header.writeUInt16LE(MADE_ON_UNIX | VERSION, 4)
  writeCommon(header, 6, name, file)
  header.writeUInt32LE(attributes, 38)
  header.writeUInt32LE(offset, 42)
  name.copy(header, 46)
  return header
}

function encodeEnd(count: number, listBytes: number, listAt: number): Buffer {
  const end = Buffer.alloc(22)
  end.writeUInt32LE(END, 0)
  end.writeUInt16LE(Math.min(count, MOST_16), 8)
  end.writeUInt16LE(Math.min(count, MOST_16), 10)
  end.writeUInt32LE(Math.min(listBytes, MOST_32), 12)
  end.writeUInt32LE(listAt, 16)
  return count < MOST_16 && listBytes < MOST_32
    ? end
    : Buffer.concat([encodeEnd64(count, listBytes, listAt), end])
}

/** The end of zip64, and the locator that says where it is. */
function encodeEnd64(count: number, listBytes: number, listAt: number): Buffer {
  const end = Buffer.alloc(56 + 20)
  end.writeUInt32LE(END_64, 0)
  end.writeBigUInt64LE(44n, 4)
  end.writeUInt16LE(MADE_ON_UNIX | VERSION_64, 12)
  end.writeUInt16LE(VERSION_64, 14)
  for (const [at, value] of [
    [24, count],
    [32, count],
    [40, listBytes],
    [48, listAt],
  ] as const)
    end.writeBigUInt64LE(BigInt(value), at)
  end.writeUInt32LE(LOCATOR_64, 56)
  end.writeBigUInt64LE(BigInt(listAt + listBytes), 64)
  end.writeUInt32LE(1, 72)
  return end
}
