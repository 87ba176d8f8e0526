/**
 * GNU tar is the judge: nodes unpack with it. Whatever we accept it must list with the same names and unpack to exactly
 * the entries that we saw. The archives are made of small and hostile parts, so that they collide and contradict often.
 */
import { execFile } from 'node:child_process'
import { lstat, mkdir, mkdtempDisposable, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ArchiveContents, ArchiveEntry } from '../../src/builds/archive-contents.ts'
import { DEFAULT_ARCHIVE_LIMITS } from '../../src/builds/archive-limits.ts'
import { readArchiveFile } from '../../src/builds/read-archive-file.ts'
import { verifyArchive } from '../../src/builds/verify-archive.ts'
import { HubError } from '../../src/errors.ts'
import {
  END_OF_ARCHIVE,
  gnuLongName,
  hasGnuTar,
  paxHeader,
  tarEntry,
  type TarEntry,
} from '../support/tarballs.ts'

const run = promisify(execFile)
const ENVIRONMENT = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' }

const component = fc.constantFrom(
  'a',
  'b',
  'c',
  'a',
  'b',
  'é☃',
  'n'.repeat(90),
  '.',
  'top',
  '-x',
  'a\\b',
  ' ',
  '*',
  '~',
)
const hostile = fc.constantFrom('..', '', 'a\nb', '/etc', '../x', '\u202e')
const path = fc
  .array(fc.oneof({ arbitrary: component, weight: 40 }, { arbitrary: hostile, weight: 1 }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((names) => names.join('/'))
const target = fc.oneof(
  path,
  fc
    .array(fc.constantFrom('..', 'a', 'b', 'c', '.', 'top'), { minLength: 1, maxLength: 5 })
    .map((names) => names.join('/')),
)
const content = fc.oneof(
  fc.string({ maxLength: 20, unit: 'binary' }),
  fc.nat(1500).map((bytes) => 'x'.repeat(bytes)),
)
const mode = fc.integer({ min: 0, max: 0o777 }).map((bits) => bits | 0o600)

const file = fc.record({ name: path, content, mode, type: fc.constantFrom('0', '0', '0', '\0', '7') })
const directory = fc.record({
  name: path.map((name) => `${name}/`),
  mode: mode.map((bits) => bits | 0o1700),
  type: fc.constantFrom('5', '5', '0'),
})
const link = fc.record({ name: path, link: target, type: fc.constantFrom('1', '2', '2') })
const sound: fc.Arbitrary<TarEntry> = fc.oneof(
  { arbitrary: file, weight: 4 },
  { arbitrary: directory, weight: 2 },
  { arbitrary: link, weight: 3 },
)

/** Fields as strange writers leave them: some readable to all, some to nobody, some to one reader only. */
const number = fc.constantFrom(
  '644',
  ' 644 ',
  '  644\0',
  '644 \0 1',
  '\0\0\0',
  '+5',
  '-1',
  '8',
  '0x1',
  '',
  '   ',
  '\x80\0\0\0\0\0\0\x05',
)
const raw = fc.record(
  {
    size: fc.constantFrom(
      '0',
      '5',
      '     5\0',
      '1000',
      '-1',
      '5 6',
      '\0',
      ' ',
      '777',
      Buffer.from('80'.padEnd(24, '0'), 'hex'),
    ),
    mode: number,
    uid: number,
    gid: number,
    mtime: fc.constantFrom('0', '14523070404', '', ' ', 'now', Buffer.alloc(12, 0xff)),
    magic: fc.constantFrom('ustar\x0000', 'ustar\0 0', 'ustar  \0', 'ustar', '', 'tar'),
    prefix: fc.constantFrom('a', 'a/b', '..', 'p'.repeat(131), 'p'.repeat(155), 'a\0b'),
    type: fc.constantFrom('0', '1', '2', '3', '5', '6', '7', 'S', 'V', 'M', 'N', 'D', 'X', 'A', 'Z'),
    link: fc.constantFrom('a', '..', ''),
    name: fc.constantFrom('a/', 'a', 'b', 'n'.repeat(100), Buffer.from([0x61, 0xff]), 'a\0b', 'a\0\nb'),
    checksum: fc.constantFrom('0', '\0'),
  },
  { requiredKeys: [] },
)
const strange: fc.Arbitrary<TarEntry> = fc
  .tuple(sound, raw, fc.constantFrom<TarEntry['magic'][]>('posix', 'gnu', 'v7'))
  .map(([entry, fields, magic]) => {
    const few = Object.fromEntries(Object.entries(fields).slice(0, 1))
    return { ...entry, ...(magic && { magic }), raw: few }
  })

const record = fc.oneof(
  fc.tuple(fc.constantFrom('path', 'path', 'linkpath'), path),
  fc.tuple(
    fc.constant('size'),
    fc.constantFrom('0', '5', '512', '600', '', '-1', '5x', '99999999999999999999'),
  ),
  fc.tuple(fc.constantFrom('mtime', 'atime'), fc.constantFrom('1.5', '-3', '', 'x', '1e5', '9999999999999')),
  fc.tuple(fc.constantFrom('uid', 'gid'), fc.constantFrom('0', '70000', '99999999999', 'x')),
  fc.tuple(
    fc.constantFrom(
      'comment',
      'SCHILY.xattr.user.x',
      'LIBARCHIVE.creationtime',
      'X.y',
      'hdrcharset',
      'uname',
    ),
    fc.constantFrom('x', 'a\n12 path=b\n', '\0', 'BINARY', Buffer.from([0xff, 0x0a])),
  ),
  fc.tuple(
    fc.constantFrom('GNU.sparse.name', 'GNU.sparse.size', 'SCHILY.realsize', 'GNU.dumpdir'),
    fc.constantFrom('a', '5'),
  ),
) as fc.Arbitrary<[string, string | Buffer]>
const extension = fc.oneof(
  {
    arbitrary: fc.array(record, { minLength: 1, maxLength: 3 }).map((records) => paxHeader(records)),
    weight: 4,
  },
  {
    arbitrary: fc.array(record, { minLength: 1, maxLength: 2 }).map((records) => paxHeader(records, 'g')),
    weight: 1,
  },
  {
    arbitrary: fc.tuple(path, fc.constantFrom('L', 'K')).map(([name, type]) => gnuLongName(name, type)),
    weight: 3,
  },
)
const part = fc.oneof(
  { arbitrary: sound.map(tarEntry), weight: 20 },
  { arbitrary: strange.map(tarEntry), weight: 3 },
  {
    arbitrary: fc.tuple(extension, sound).map(([head, entry]) => Buffer.concat([head, tarEntry(entry)])),
    weight: 4,
  },
  { arbitrary: extension, weight: 1 },
  { arbitrary: fc.constant(Buffer.alloc(512)), weight: 1 },
)
const end = fc.oneof(
  { arbitrary: fc.constant(END_OF_ARCHIVE), weight: 12 },
  {
    arbitrary: fc.constantFrom(Buffer.alloc(0), Buffer.alloc(512), Buffer.alloc(1500), Buffer.alloc(10_240)),
    weight: 2,
  },
  {
    arbitrary: sound.map((entry) => Buffer.concat([END_OF_ARCHIVE, tarEntry(entry), END_OF_ARCHIVE])),
    weight: 1,
  },
)
const archive = fc
  .tuple(fc.array(part, { minLength: 1, maxLength: 5 }), end)
  .map(([parts, tail]) => Buffer.concat([...parts, tail]))
  // A failure prints the archive so that `base64 -d | gzip -d > x.tar` brings it back.
  .map((bytes) => ({ bytes, [fc.toStringMethod]: () => gzipSync(bytes).toString('base64') }))

async function verdict(path: string): Promise<ArchiveContents | null> {
  try {
    return await verifyArchive(path, DEFAULT_ARCHIVE_LIMITS)
  } catch (error) {
    if (error instanceof HubError) return null
    throw error
  }
}

async function seenOnDisk(root: string, path: string): Promise<readonly [string, ArchiveEntry]> {
  const stats = await lstat(join(root, path))
  const type = stats.isSymbolicLink() ? 'symlink' : stats.isDirectory() ? 'directory' : 'file'
  const seen = { path, type, mode: stats.mode & 0o7777, sizeBytes: type === 'file' ? stats.size : 0 } as const
  return [path, type === 'symlink' ? { ...seen, target: await readlink(join(root, path)) } : seen]
}

/** An entry as the disk shows it: a hard link is a file. */
function asOnDisk({ type, target, ...entry }: ArchiveEntry): ArchiveEntry {
  if (type === 'hardlink') return { ...entry, type: 'file' }
  return { ...entry, type, ...(target !== undefined && { target }) }
}

async function compare(folder: string, tarFile: string, contents: ArchiveContents): Promise<void> {
  const list = await run('tar', ['--quoting-style=literal', '-tf', tarFile], { env: ENVIRONMENT })
  const names = new Set(
    list.stdout.split('\n').map((name) =>
      name
        .split('/')
        .filter((one) => one !== '' && one !== '.')
        .join('/'),
    ),
  )
  names.delete('')
  expect(names).toEqual(new Set(contents.entries.map(({ path }) => path)))

  const root = join(folder, 'unpacked')
  await mkdir(root)
  await run('tar', ['-xpof', tarFile, '-C', root], { env: ENVIRONMENT })
  const found = await readdir(root, { recursive: true, withFileTypes: true })
  const paths = found.map(({ parentPath, name }) => relative(root, join(parentPath, name)))
  const onDisk = new Map(await Promise.all(paths.map(async (path) => await seenOnDisk(root, path))))
  const known = new Set(contents.entries.map(({ path }) => path))
  for (const entry of contents.entries) {
    expect(onDisk.get(entry.path)).toEqual(asOnDisk(entry))
    if (entry.type === 'file' || entry.type === 'hardlink') {
      const { content, entry: same } = await readArchiveFile(tarFile, 'tar', entry.path, 1_000_000)
      expect([same, content]).toEqual([entry, await readFile(join(root, entry.path))])
    }
  }
  for (const [path, { type }] of onDisk) {
    if (!known.has(path))
      expect([type, [...known].some((one) => one.startsWith(`${path}/`))]).toEqual(['directory', true])
  }
  expect(await readdir(folder)).toEqual(['unpacked', 'x.tar'])
}

const runs = Number(process.env['ARCHIVE_RUNS'] ?? 400)
test.skipIf(!hasGnuTar)(
  'what is accepted, GNU tar lists and unpacks exactly so',
  { timeout: 60_000 + runs * 100 },
  async () => {
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(archive, async ({ bytes }) => {
        await using temp = await mkdtempDisposable(join(tmpdir(), 'as-tar-'))
        const tarFile = join(temp.path, 'x.tar')
        await writeFile(tarFile, bytes)
        const contents = await verdict(tarFile)
        if (contents === null) return
        accepted++
        await compare(temp.path, tarFile, contents)
      }),
      { numRuns: runs },
    )
    // The parts must not be so hostile that nothing is left to compare.
    expect(accepted).toBeGreaterThan(runs / 10)
  },
)
