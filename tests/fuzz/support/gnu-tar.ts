/** What GNU tar lists of an archive, for comparison with what the hub does: nodes unpack with it. */
import { spawnSync } from 'node:child_process'
import type { ArchiveEntry, ArchiveFormat } from '../../../src/builds/archive-contents.ts'

const UNPACK: Readonly<Record<ArchiveFormat, readonly string[]>> = {
  tar: [],
  'tar.gz': ['-z'],
  'tar.bz2': ['-j'],
  'tar.xz': ['-J'],
  'tar.zst': ['--zstd'],
}
const TYPES: Readonly<Record<string, ArchiveEntry['type']>> = {
  '-': 'file',
  C: 'file',
  d: 'directory',
  l: 'symlink',
  h: 'hardlink',
}

/** Path, type, size and target of each entry, each line as `listed` gives them; throws where tar complains. */
export function listedByTar(file: string, format: ArchiveFormat): readonly string[] {
  const args = ['-t', '-v', '--numeric-owner', '--quoting-style=c', ...UNPACK[format], '-f', file]
  const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: 'UTC' }
  const { status, stdout, stderr } = spawnSync('tar', args, { env, maxBuffer: 2 ** 28 })
  const complaint = stderr.toString()
  if (status !== 0) throw new Error(`GNU tar ends with ${String(status)}: ${complaint}`)
  return stdout
    .toString('latin1')
    .split('\n')
    .filter(Boolean)
    .map(readLine)
    .filter((line) => line !== '')
}

/** The same of an entry that the hub lists. */
export function listed({ path, type, sizeBytes, target }: ArchiveEntry): string {
  const link =
    type === 'symlink' ? ` -> ${target ?? ''}` : type === 'hardlink' ? ` = ${normal(target ?? '')}` : ''
  return `${type} ${type === 'file' ? sizeBytes : 0} ${path}${link}`
}

function readLine(line: string): string {
  const match =
    /^(.)\S{9} \S+ +(\d+) \S+ \S+ ("(?:[^"\\]|\\.)*")(?:( -> | link to )("(?:[^"\\]|\\.)*"))?$/.exec(line)
  if (!match) throw new Error(`GNU tar says ${JSON.stringify(line)}`)
  const [, flag = '', size = '', name = '', arrow, goal = ''] = match
  const path = normal(unquoted(name))
  if (path === '') return ''
  // A slash makes any kind of file a folder where it is unpacked; the list shows that of ordinary ones only.
  const type = flag === 'C' && name.endsWith('/"') ? 'directory' : TYPES[flag]
  if (type === undefined) throw new Error(`GNU tar sees the type ${flag} in ${JSON.stringify(line)}`)
  const link =
    arrow === ' -> ' ? ` -> ${unquoted(goal)}` : arrow === undefined ? '' : ` = ${normal(unquoted(goal))}`
  return `${type} ${type === 'file' ? size : '0'} ${path}${link}`
}

function normal(path: string): string {
  return path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .join('/')
}

/** Undoes quotearg's C style: bytes that it thinks unfit to print are octal. */
function unquoted(text: string): string {
  const plain = text.slice(1, -1).replace(/\\([0-7]{3}|.)/g, (_, code: string) => {
    if (code.length === 3) return String.fromCharCode(Number.parseInt(code, 8))
    return { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v', a: '\x07' }[code] ?? code
  })
  return Buffer.from(plain, 'latin1').toString('utf8')
}
