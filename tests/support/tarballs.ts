/**
 * Tarballs made by code. The headers are written here byte by byte, so that a test can make what no program writes:
 * wrong numbers, contradicting headers, names that escape. Source: POSIX pax "ustar Interchange Format".
 */
import { spawnSync } from 'node:child_process'
import { gzipSync } from 'node:zlib'

export interface TarEntry {
  readonly name: string
  /** The type flag: '0' file (default), '1' hard link, '2' symbolic link, '5' folder, and so on. */
  readonly type?: string
  readonly content?: string | Buffer
  readonly link?: string
  readonly mode?: number
  readonly magic?: 'posix' | 'gnu' | 'v7'
  /** Raw text of header fields, in place of what the entry would have. */
  readonly raw?: Readonly<Partial<Record<keyof typeof FIELDS, string | Buffer>>>
}

const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
} as const
const MAGIC = { posix: 'ustar\x0000', gnu: 'ustar  \0', v7: '' }

/** Whether the machine's tar is the one that nodes have; where it is not, tests that ask it are skipped. */
export const hasGnuTar = /GNU tar/.test(String(spawnSync('tar', ['--version']).stdout))

/** Two blocks of zeros: how an archive ends. */
export const END_OF_ARCHIVE = Buffer.alloc(1024)

/** One entry: header, content and padding. */
export function tarEntry(entry: TarEntry): Buffer {
  const content = Buffer.from(entry.content ?? '')
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512)
  return Buffer.concat([header(entry, content.length), content, padding])
}

/** A pax extended header for the next entry, or with `g` for all entries. */
export function paxHeader(
  records: readonly (readonly [string, string | Buffer])[],
  type: 'x' | 'g' = 'x',
): Buffer {
  const content = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)))
  return tarEntry({ name: 'pax_header', type, content })
}

/** GNU tar's header for a long name (`L`) or link target (`K`) of the next entry. */
export function gnuLongName(name: string, type: 'L' | 'K' = 'L'): Buffer {
  return tarEntry({ name: '././@LongLink', type, content: `${name}\0`, magic: 'gnu' })
}

/** A whole plain tar of entries or pieces made by the functions above. */
export function tarOf(...parts: readonly (TarEntry | Buffer)[]): Buffer {
  return Buffer.concat([
    ...parts.map((part) => (Buffer.isBuffer(part) ? part : tarEntry(part))),
    END_OF_ARCHIVE,
  ])
}

/** A tar.gz of files by name; a name ending in `/` is a folder, a value `-> target` a symbolic link, `bin/…` executable. */
export function tarball(files: Readonly<Record<string, string | Buffer>>): Buffer {
  return gzipSync(tarOf(...Object.entries(files).map(([name, content]) => entryOf(name, content))))
}

function entryOf(name: string, content: string | Buffer): TarEntry {
  if (name.endsWith('/')) return { name, type: '5', mode: 0o755 }
  if (typeof content === 'string' && content.startsWith('-> '))
    return { name, type: '2', link: content.slice(3), mode: 0o777 }
  return { name, content, mode: /(?:^|\/)bin\//.test(name) ? 0o755 : 0o644 }
}

function header(entry: TarEntry, contentBytes: number): Buffer {
  const block = Buffer.alloc(512)
  const values = {
    name: entry.name,
    mode: octal(entry.mode ?? (entry.type === '5' ? 0o755 : 0o644), 8),
    uid: octal(0, 8),
    gid: octal(0, 8),
    size: octal(contentBytes, 12),
    mtime: octal(1_700_000_000, 12),
    checksum: ' '.repeat(8),
    type: entry.type ?? '0',
    link: entry.link ?? '',
    magic: MAGIC[entry.magic ?? 'posix'],
    prefix: '',
    ...entry.raw,
  }
  for (const [field, [at, bytes]] of Object.entries(FIELDS) as [
    keyof typeof FIELDS,
    readonly [number, number],
  ][]) {
    Buffer.from(values[field]).copy(block, at, 0, bytes)
  }
  const sum = block.reduce((total, byte) => total + byte, 0)
  if (entry.raw?.checksum === undefined)
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, FIELDS.checksum[0], 'latin1')
  return block
}

function octal(value: number, bytes: number): string {
  return `${value.toString(8).padStart(bytes - 1, '0')}\0`
}

function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')])
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length++
  return Buffer.concat([Buffer.from(String(length)), rest])
}
