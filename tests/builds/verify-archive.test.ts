import { execFile } from 'node:child_process'
import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { constants, crc32, gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import type { ArchiveContents } from '../../src/builds/archive-contents.ts'
import { type ArchiveLimits, DEFAULT_ARCHIVE_LIMITS } from '../../src/builds/archive-limits.ts'
import { outputOf } from '../../src/builds/decompress.ts'
import { verifyArchive } from '../../src/builds/verify-archive.ts'
import { closeVerifyWorkers, verifyArchiveInWorker } from '../../src/builds/verify-in-worker.ts'
import {
  END_OF_ARCHIVE,
  gnuLongName,
  paxHeader,
  tarball,
  tarEntry,
  type TarEntry,
  tarOf,
  hasGnuTar,
} from '../support/tarballs.ts'
import { testWith } from '../support/programs.ts'

afterAll(closeVerifyWorkers)

const run = promisify(execFile)
const folder = async () => await mkdtempDisposable(join(tmpdir(), 'verify-'))

async function verify(bytes: Buffer, limits: Partial<ArchiveLimits> = {}): Promise<ArchiveContents> {
  await using temp = await folder()
  const path = join(temp.path, 'upload')
  await writeFile(path, bytes)
  return await verifyArchive(path, { ...DEFAULT_ARCHIVE_LIMITS, ...limits })
}

async function codeOf(verdict: Promise<unknown>): Promise<unknown> {
  return await verdict.then(
    () => 'accepted',
    (error: unknown) => (error as { code?: unknown }).code ?? error,
  )
}

async function packed(bytes: Buffer, ...command: readonly [string, ...string[]]): Promise<Buffer> {
  await using temp = await folder()
  const path = join(temp.path, 'plain')
  await writeFile(path, bytes)
  const [program, ...args] = command
  return (await run(program, [...args, path], { encoding: 'buffer', maxBuffer: 1 << 30 })).stdout
}

const file: TarEntry = { name: 'app/file', content: 'hello' }
const link = (name: string, target: string): TarEntry => ({ name, type: '2', link: target, mode: 0o777 })

describe('what is in an archive', () => {
  test('lists files, folders and links with their modes, and finds the top folder and the recipe', async () => {
    const contents = await verify(
      tarOf(
        { name: './', type: '5' },
        { name: './app/', type: '5', mode: 0o750 },
        { name: './app//bin/run', content: '#!/bin/sh\n', mode: 0o755 },
        { name: './app/portage-hub.yaml', content: 'slot: "0"\n' },
        { name: 'app/again', type: '1', link: './app/bin/run' },
        link('app/current', 'bin/../bin/run'),
        { name: 'app/empty/', type: '5', mode: 0o1777 },
      ),
    )
    expect(contents).toEqual({
      format: 'tar',
      topDirectory: 'app',
      entries: [
        { path: 'app', type: 'directory', mode: 0o750, sizeBytes: 0 },
        { path: 'app/bin/run', type: 'file', mode: 0o755, sizeBytes: 10 },
        { path: 'app/portage-hub.yaml', type: 'file', mode: 0o644, sizeBytes: 10 },
        { path: 'app/again', type: 'hardlink', mode: 0o755, sizeBytes: 10, target: 'app/bin/run' },
        { path: 'app/current', type: 'symlink', mode: 0o777, sizeBytes: 0, target: 'bin/../bin/run' },
        { path: 'app/empty', type: 'directory', mode: 0o1777, sizeBytes: 0 },
      ],
      unpackedBytes: 20,
      recipeText: 'slot: "0"\n',
    })
  })

  test('an archive without a single top folder has none, and its recipe lies in its root', async () => {
    const contents = await verify(
      tarball({ 'a/portage-hub.yaml': 'no', 'portage-hub.yaml': 'yes', 'b/x': '' }),
    )
    expect(contents).toMatchObject({ format: 'tar.gz', topDirectory: null, recipeText: 'yes' })
  })

  test('a single file is no top folder, and one implied by its files is', async () => {
    expect((await verify(tarball({ file: '' }))).topDirectory).toBeNull()
    expect((await verify(tarball({ 'app/file': '' }))).topDirectory).toBe('app')
  })

  test('a recipe in some deeper or other folder is not the recipe', async () => {
    expect((await verify(tarball({ 'app/x': '', 'app/sub/portage-hub.yaml': 'no' }))).recipeText).toBeNull()
    expect((await verify(tarball({ 'a/portage-hub.yaml': 'no', 'b/x': '' }))).recipeText).toBeNull()
  })

  test('a folder that stands twice is one entry with its last mode', async () => {
    const { entries } = await verify(
      tarOf({ name: 'app/', type: '5', mode: 0o700 }, file, { name: 'app', type: '5', mode: 0o755 }),
    )
    expect(entries.map(({ path, mode }) => [path, mode])).toEqual([
      ['app', 0o755],
      ['app/file', 0o644],
    ])
  })
})

describe('the recipe in the archive', () => {
  const recipe = { name: 'portage-hub.yaml' }
  test.each<[string, TarEntry]>([
    ['too large', { ...recipe, content: 'x'.repeat(262_145) }],
    ['not UTF-8', { ...recipe, content: Buffer.from([0xff]) }],
    ['a link', link('portage-hub.yaml', 'app/file')],
    ['a folder', { name: 'portage-hub.yaml/', type: '5' }],
  ])('is refused when it is %s', async (_, entry) => {
    expect(await codeOf(verify(tarOf(file, entry)))).toBe('recipe.invalid')
  })
})

describe('formats', () => {
  const plain = tarOf(file)
  testWith('xz', 'bzip2')('are told by the bytes', async () => {
    const all = {
      tar: plain,
      'tar.gz': gzipSync(plain),
      'tar.zst': zstdCompressSync(plain),
      'tar.xz': await packed(plain, 'xz', '-c'),
      'tar.bz2': await packed(plain, 'bzip2', '-c'),
    }
    for (const [format, bytes] of Object.entries(all)) {
      expect(await verify(bytes)).toMatchObject({ format, entries: [{ path: 'app/file' }] })
    }
  })

  test('old tar headers without any magic are read', async () => {
    const contents = await verify(
      tarOf({ ...file, magic: 'v7' }, { name: 'app/sub/', type: '\0', magic: 'v7' }),
    )
    expect(contents.entries.map(({ type }) => type)).toEqual(['file', 'directory'])
  })

  test.each<[string, Buffer]>([
    ['text', Buffer.from('#!/bin/sh\necho hello\n'.repeat(50))],
    ['a zip file', Buffer.from('PK\x03\x04'.padEnd(600, '.'))],
    ['less than a block', Buffer.from('short')],
    ['a compressed text', gzipSync('hello '.repeat(1000))],
    ['a compressed nothing', gzipSync('')],
    ['an archive compressed twice', gzipSync(gzipSync(plain))],
  ])('%s is not supported', async (_, bytes) => {
    expect(await codeOf(verify(bytes))).toBe('archive.unsupported_format')
  })

  testWith('xz', 'bzip2')('several members, frames or streams in a row are one archive', async () => {
    const [left, right] = [plain.subarray(0, 700), plain.subarray(700)]
    const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
    for (const bytes of [
      Buffer.concat([gzipSync(left), gzipSync(right)]),
      Buffer.concat([skippable, zstdCompressSync(left), skippable, zstdCompressSync(right)]),
      Buffer.concat([await packed(left, 'xz', '-c'), await packed(right, 'xz', '-c')]),
      Buffer.concat([await packed(left, 'bzip2', '-c'), await packed(right, 'bzip2', '-c')]),
    ]) {
      expect((await verify(bytes)).entries).toHaveLength(1)
    }
  })

  testWith('xz')('anything behind the compressed data is refused', async () => {
    const tails = ['garbage', '\0\0\0\0', '\x1f\x8b', '\x28\xb5\x2f']
    for (const tail of tails) {
      expect(await codeOf(verify(Buffer.concat([gzipSync(plain), Buffer.from(tail, 'latin1')])))).toBe(
        'archive.corrupt',
      )
      const zstd = Buffer.concat([zstdCompressSync(plain), Buffer.from(tail, 'latin1')])
      expect(await codeOf(verify(zstd))).toBe('archive.corrupt')
    }
    const garbage = Buffer.concat([await packed(plain, 'xz', '-c'), Buffer.from('garbage')])
    expect(await codeOf(verify(garbage))).toBe('archive.corrupt')
  })

  test('a format whose program is not installed is refused, naming the program', async () => {
    const output = async (): Promise<void> => {
      for await (const piece of outputOf('no-such-program', [], import.meta.filename))
        expect(piece).toBeDefined()
    }
    await expect(output()).rejects.toMatchObject({
      code: 'archive.no_program',
      message: expect.stringContaining('no-such-program'),
    })
  })
})

describe('an archive that is damaged', () => {
  const plain = tarOf(file, { name: 'app/big', content: Buffer.alloc(3000, 'x') })
  const header = (raw: TarEntry['raw']): Buffer => tarOf({ ...file, ...(raw && { raw }) })
  const pax = (text: string): Buffer => tarOf(tarEntry({ name: 'p', type: 'x', content: text }), file)
  test.each<[string, Buffer]>([
    ['cut off in a header', plain.subarray(0, 1200)],
    ['cut off in a file', plain.subarray(0, 3000)],
    ['cut off between two entries', plain.subarray(0, 1024)],
    ['with one of its two end blocks', plain.subarray(0, -512)],
    [
      'with a wrong checksum',
      Buffer.concat([tarEntry(file), tarOf({ ...file, raw: { checksum: '0001234\0' } })]),
    ],
    ['whose first checksum is wrong', header({ checksum: '0001234\0' })],
    ['with an entry behind one empty block', Buffer.concat([tarEntry(file), Buffer.alloc(512), tarOf(file)])],
    ['with an entry behind its end', Buffer.concat([plain, tarOf({ name: 'hidden' })])],
    ['with an unknown magic', header({ magic: 'ustar\x0099' })],
    ['with text behind a number', header({ size: '5 bytes\0\0\0\0\0' })],
    ['with a negative size', header({ size: Buffer.alloc(12, 0xff) })],
    ['with a size in hexadecimal', header({ size: '0x5\0\0\0\0\0\0\0\0\0' })],
    ['with a blank mode', header({ mode: '        ' })],
    ['with an owner out of range', header({ uid: Buffer.from([0x80, 0, 0, 1, 0, 0, 0, 0]) })],
    [
      'with a size beyond all measure',
      header({ size: Buffer.from([0x80, ...Array<number>(11).fill(0xff)]) }),
    ],
    ['with an entry without a name', header({ name: '' })],
    ['with a folder that has content', tarOf({ name: 'app/', type: '5', content: 'x' })],
    [
      'with a link that has content',
      tarOf(file, { name: 'l', type: '1', link: 'app/file', content: 'hello' }),
    ],
    ['with a symbolic link that has content', tarOf({ ...link('l', 'x'), content: 'hello' })],
    ['with a pax record longer than its header', pax('99 path=x\n')],
    ['with a pax record shorter than it says', pax('10 path=xx\n')],
    ['with a pax record without a length', pax('path=x\n')],
    ['with a pax record without a key', pax('5 =x\n')],
    ['with a pax record without a newline behind it', pax('13 comment=ab')],
    ['with an empty pax path', tarOf(paxHeader([['path', '']]), file)],
    ['with a NUL in a pax path', tarOf(paxHeader([['path', 'a\0b']]), file)],
    [
      'with a pax path given twice',
      tarOf(
        paxHeader([
          ['path', 'a'],
          ['path', 'b'],
        ]),
        file,
      ),
    ],
    ['with a negative pax size', tarOf(paxHeader([['size', '-5']]), file)],
    ['with an odd pax time', tarOf(paxHeader([['mtime', 'noon']]), file)],
    ['with a path for all entries', tarOf(paxHeader([['path', 'x']], 'g'), file)],
    ['with a size for all entries', tarOf(paxHeader([['size', '0']], 'g'), file)],
    [
      'with two pax headers for an entry',
      tarOf(paxHeader([['path', 'a']]), paxHeader([['path', 'b']]), file),
    ],
    ['with two long names for an entry', tarOf(gnuLongName('a'), gnuLongName('b'), file)],
    ['with a long name and a pax path', tarOf(gnuLongName('a'), paxHeader([['path', 'b']]), file)],
    ['with a pax path and a long name', tarOf(paxHeader([['path', 'b']]), gnuLongName('a'), file)],
    ['with a long name with two ends', tarOf(gnuLongName('a\0b'), file)],
    ['with an empty long name', tarOf(tarEntry({ name: 'l', type: 'L', content: '\0' }), file)],
    ['with an empty extended header', tarOf(tarEntry({ name: 'l', type: 'x' }), file)],
    ['that ends behind a pax header', tarOf(file, paxHeader([['path', 'a']]))],
    ['with a pax header of gigabytes', tarOf(file, { name: 'p', type: 'x', raw: { size: '77777777777\0' } })],
    ['whose gzip data is cut off', gzipSync(plain).subarray(0, -9)],
    ['whose gzip checksum is wrong', Buffer.concat([gzipSync(plain).subarray(0, -8), Buffer.alloc(8, 1)])],
    ['whose zstd data is cut off', zstdCompressSync(plain).subarray(0, -9)],
    [
      'that is cut off in a skippable frame',
      Buffer.concat([zstdCompressSync(plain), Buffer.from('P*M\x18\x7f\0\0\0')]),
    ],
  ])('%s is refused', async (_, bytes) => {
    expect(await codeOf(verify(bytes))).toBe('archive.corrupt')
  })

  testWith('xz', 'bzip2')('by xz or bzip2 is refused with what the program says', async () => {
    for (const program of ['xz', 'bzip2'] as const) {
      const bytes = (await packed(plain, program, '-c')).subarray(0, -6)
      await expect(verify(bytes)).rejects.toMatchObject({
        code: 'archive.corrupt',
        message: expect.stringContaining(program),
      })
    }
  })
})

describe('an archive of nothing', () => {
  test.each<[string, Buffer]>([
    ['no bytes', Buffer.alloc(0)],
    ['the end only', Buffer.alloc(10_240)],
    ['the end only, compressed', gzipSync(END_OF_ARCHIVE)],
    ['the root only', tarOf({ name: './', type: '5' })],
    ['folders only', tarOf({ name: 'a/', type: '5' }, { name: 'a/b/', type: '5' })],
    ['a comment only', tarOf(paxHeader([['comment', 'x']], 'g'))],
  ])('is refused: %s', async (_, bytes) => {
    expect(await codeOf(verify(bytes))).toBe('archive.empty')
  })
})

describe('an entry that would land elsewhere', () => {
  test.each<[string, Buffer]>([
    ['by ..', tarOf({ name: '../evil' })],
    ['by .. in the middle', tarOf({ name: 'app/../../evil' })],
    ['by .. at the end', tarOf({ name: 'app/..', type: '5' })],
    ['by an absolute path', tarOf({ name: '/etc/passwd' })],
    ['by .. between backslashes', tarOf({ name: 'app\\..\\..\\evil' })],
    ['by the prefix field', tarOf({ name: 'evil', raw: { prefix: '../..' } })],
    ['by a pax path', tarOf(paxHeader([['path', '../evil']]), file)],
    ['by a long name', tarOf(gnuLongName('../evil'), file)],
    ['by way of a link in the archive', tarOf(link('app/out', '.'), { name: 'app/out/evil' })],
    ['below a file', tarOf(file, { name: 'app/file/evil' })],
    ['below a hard link', tarOf(file, { name: 'h', type: '1', link: 'app/file' }, { name: 'h/evil' })],
    ['in place of the root', tarOf(link('.', 'app'))],
    ['in place of the root as a file', tarOf({ name: './.' })],
  ])('is refused: %s', async (_, bytes) => {
    expect(await codeOf(verify(bytes))).toBe('archive.unsafe_path')
  })

  test('a backslash alone is a letter: systemd units have it', async () => {
    const { entries } = await verify(tarOf({ name: 'dev-disk-by\\x2dlabel.device' }))
    expect(entries[0]?.path).toBe('dev-disk-by\\x2dlabel.device')
  })
})

describe('a name that cannot be installed', () => {
  test.each<[string, Buffer]>([
    ['a newline', tarOf({ name: 'a\nb' })],
    ['a newline behind a NUL', tarOf({ name: 'a\0\nb' })],
    ['a newline in a pax path', tarOf(paxHeader([['path', 'a\nb']]), file)],
    ['an escape', tarOf({ name: 'a\x1b[2Jb' })],
    ['a control character of the second set', tarOf({ name: 'a\u0085b' })],
    ['bytes that are not UTF-8', tarOf({ name: 'x', raw: { name: Buffer.from([0x61, 0xe9, 0x62]) } })],
    ['the magic of gzip', gzipSync(tarOf({ name: 'x', raw: { name: Buffer.from([0x1f, 0x8b, 0x08]) } }))],
    ['a character that reorders', tarOf({ name: 'exe\u202etxt' })],
    ['256 bytes', tarOf(gnuLongName('é'.repeat(128)), file)],
    ['1,001 bytes in all', tarOf(gnuLongName('abcdefg/'.repeat(125) + 'h'), file)],
    ['65 folders', tarOf({ name: 'a/'.repeat(50) }, gnuLongName('a/'.repeat(64) + 'b'), file)],
    ['gigabytes', tarOf({ name: 'l', type: 'L', raw: { size: '77777777777\0' } })],
    ['a slash behind a link', tarOf(link('a/', 'b'))],
    ['a slash and a dot behind a file', tarOf({ name: 'a/.' })],
  ])('is refused: %s', async (_, bytes) => {
    expect(await codeOf(verify(bytes))).toBe('archive.unsafe_name')
  })

  test('is shown with its hidden characters as escapes', async () => {
    await expect(verify(tarOf({ name: 'exe\u202etxt' }))).rejects.toThrow(String.raw`exe\u202etxt`)
  })

  test('the longest allowed name is taken', async () => {
    const name = `${'n'.repeat(255)}/${'é'.repeat(127)}`
    expect((await verify(tarOf(gnuLongName(name), file))).entries[0]?.path).toBe(name)
  })
})

describe('an entry that is neither file, folder nor link', () => {
  test.each<[string, Buffer]>([
    ['a character device', tarOf({ name: 'x', type: '3' })],
    ['a block device', tarOf({ name: 'x', type: '4' })],
    ['a named pipe', tarOf({ name: 'x', type: '6' })],
    ['a sparse file', tarOf({ name: 'x', type: 'S', magic: 'gnu' })],
    ['a sparse file by pax', tarOf(paxHeader([['GNU.sparse.major', '1']]), file)],
    ['a sparse file of star', tarOf(paxHeader([['SCHILY.realsize', '9']]), file)],
    ['a volume label', tarOf({ name: 'x', type: 'V' }, file)],
    ['a part of several volumes', tarOf({ name: 'x', type: 'M' }, file)],
    ['a directory dump', tarOf({ name: 'x', type: 'D' })],
    ['an unknown type', tarOf({ name: 'x', type: 'Z' })],
    ["Sun's extended header", tarOf({ name: 'x', type: 'X', content: '10 path=x\n' }, file)],
  ])('is refused: %s', async (_, bytes) => {
    expect(await codeOf(verify(bytes))).toBe('archive.unsafe_type')
  })
})

test.each([0o4755, 0o2755, 0o6711])('mode %o is refused', async (mode) => {
  expect(await codeOf(verify(tarOf({ ...file, mode })))).toBe('archive.unsafe_mode')
  expect(await codeOf(verify(tarOf(file, { name: 'app/', type: '5', mode })))).toBe('archive.unsafe_mode')
})

describe('a name that stands twice', () => {
  test.each<[string, Buffer]>([
    ['two files', tarOf(file, file)],
    ['written another way', tarOf(file, { name: './app//./file' })],
    ['a file and a link', tarOf(file, link('app/file', 'x'))],
    ['a link and a folder', tarOf(link('app', '.'), { name: 'app/', type: '5' })],
    ['a folder and a file', tarOf({ name: 'app/', type: '5' }, { name: 'app' })],
    ['a folder with something in it and a link', tarOf(file, link('app', '.'))],
    ...['app/d/./', './app/d/', 'app/./d'].map((name): [string, Buffer] => [
      `a folder after a link in it that leads upwards, as ${name}`,
      tarOf(file, link('app/d/up', '..'), { name, type: '5', mode: 0o711 }),
    ]),
    [
      'a folder above such a link',
      tarOf(file, link('app/d/e/up', '../..'), { name: 'app/d/./', type: '5', mode: 0o711 }),
    ],
    [
      'a folder named before and after such a link',
      tarOf({ name: 'app/d/', type: '5' }, link('app/d/up', '..'), { name: './app/d/', type: '5' }),
    ],
  ])('is refused: %s', async (_, bytes) => {
    expect(await codeOf(verify(bytes))).toBe('archive.duplicate_entry')
  })

  test.each<[string, Buffer]>([
    ['in the same way', tarOf(link('app/d/up', '..'), { name: 'app/d/', type: '5', mode: 0o711 })],
    ['with more slashes', tarOf(link('app/d/up', '..'), { name: 'app//d//', type: '5', mode: 0o711 })],
    ['before the link', tarOf({ name: './app/d/', type: '5', mode: 0o711 }, link('app/d/up', '..'))],
    [
      'in another way without such a link',
      tarOf(link('app/d/l', 'x'), file, { name: './app/d/', type: '5', mode: 0o711 }),
    ],
  ])('is no folder that is named %s: it has the mode that GNU tar gives it', async (_, bytes) => {
    const { entries } = await verify(bytes)
    expect(entries.find(({ path }) => path === 'app/d')?.mode).toBe(0o711)
  })
})

describe('a link that leaves the archive', () => {
  const deep = tarEntry({ name: 'app/a/b/c/file' })
  test.each<[string, Buffer]>([
    ['absolute', tarOf(file, link('app/l', '/etc/passwd'))],
    ['by ..', tarOf(file, link('app/l', '../../etc'))],
    ['from the top folder to its side', tarOf(file, link('app/l', '../other'))],
    ['to the top folder by way of its parent', tarOf(file, link('app/l', '../app/file'))],
    ['from the root when there is no top folder', tarOf(file, { name: 'x' }, link('l', '../x'))],
    ['out and back in', tarOf(deep, link('app/a/l', '../../../tmp/../app'))],
    ['by a pax target', tarOf(file, paxHeader([['linkpath', '../../x']]), link('app/l', 'file'))],
    ['by a long target', tarOf(file, gnuLongName('../../x', 'K'), link('app/l', 'file'))],
    ['through another link', tarOf(deep, link('app/a/b/up', '../..'), link('app/l', 'a/b/up/../x'))],
    ['through a link that comes later', tarOf(deep, link('app/l', 'z/..'), link('app/z', '.'))],
    ['for who tidies paths first', tarOf(deep, link('app/z', 'a/b/c'), link('app/l', 'z/../../x'))],
    ['in a circle', tarOf(file, link('app/a', 'b'), link('app/b', 'a'))],
    ['to itself', tarOf(file, link('app/a', 'a'))],
    ['to nothing', tarOf(file, link('app/l', ''))],
    ['to a name with a newline', tarOf(file, link('app/l', 'a\nb'))],
    ['with a target of 2,000 bytes', tarOf(file, gnuLongName('x'.repeat(2000), 'K'), link('app/l', 'x'))],
    ['hard, to what is not in the archive', tarOf(file, { name: 'app/h', type: '1', link: 'etc/passwd' })],
    ['hard, to what comes later', tarOf({ name: 'app/h', type: '1', link: 'app/file' }, file)],
    ['hard, to a file as if it were a folder', tarOf(file, { name: 'app/h', type: '1', link: 'app/file/.' })],
    ['hard, to itself', tarOf({ name: 'app/h', type: '1', link: 'app/h' })],
    ['hard, to a folder', tarOf(file, { name: 'app/h', type: '1', link: 'app' })],
    ['hard, to a symbolic link', tarOf(link('l', 'x'), { name: 'h', type: '1', link: 'l' })],
  ])('is refused: %s', async (_, bytes) => {
    expect(await codeOf(verify(bytes))).toBe('archive.unsafe_link')
  })

  test('is refused when it is hard and climbs out', async () => {
    expect(await codeOf(verify(tarOf(file, { name: 'app/h', type: '1', link: '../x' })))).toBe(
      'archive.unsafe_path',
    )
  })

  test('links that stay inside are taken: up and down, dangling, through others, to the top', async () => {
    const contents = await verify(
      tarOf(
        deep,
        link('app/l1', 'a/b/../b/c/file'),
        link('app/a/b/l2', '../../l1'),
        link('app/a/top', '..'),
        link('app/a/made-at-run-time', 'b/none/here'),
        link('app/a/b/through', '../top/a/b'),
      ),
    )
    expect(contents.entries).toHaveLength(6)
  })

  test('many links through each other are followed once each', async () => {
    const chain = Array.from({ length: 5000 }, (_, n) => link(`app/l${n}`, n === 0 ? 'file' : `l${n - 1}`))
    expect((await verify(tarOf(file, ...chain))).entries).toHaveLength(5001)
  })
})

describe('bounds', () => {
  test('more entries than allowed are refused, and global headers count', async () => {
    const files = Array.from({ length: 11 }, (_, n) => tarEntry({ name: `f${n}` }))
    expect(await codeOf(verify(tarOf(...files), { maxEntries: 10 }))).toBe('archive.too_many_entries')
    const headers = Array.from({ length: 11 }, () => paxHeader([['comment', 'x']], 'g'))
    expect(await codeOf(verify(tarOf(...headers, file), { maxEntries: 10 }))).toBe('archive.too_many_entries')
    expect((await verify(tarOf(...files.slice(1)), { maxEntries: 10 })).entries).toHaveLength(10)
  })

  test('100,000 entries are taken by default', async () => {
    const names = Array.from({ length: 100_000 }, (_, n) => tarEntry({ name: `app/${n % 300}/${n}` }))
    expect((await verify(gzipSync(tarOf(...names), { level: 1 }))).entries).toHaveLength(100_000)
  })

  test('more unpacked bytes than allowed are refused, before they are read if a header says so', async () => {
    const content = Buffer.alloc(100_000, 'x')
    const limits = { maxUnpackedBytes: 50_000 }
    expect(await codeOf(verify(tarOf({ name: 'a', content }), limits))).toBe('archive.too_large_unpacked')
    const padded = Buffer.concat([tarOf(file), Buffer.alloc(100_000)])
    expect(await codeOf(verify(gzipSync(padded), limits))).toBe('archive.too_large_unpacked')
    const huge = tarOf(paxHeader([['size', '99999999999999']]), { name: 'a' })
    expect(await codeOf(verify(huge))).toBe('archive.too_large_unpacked')
  })

  const zeros = Buffer.concat([
    tarEntry({ name: 'zeros', raw: { size: '01440000000\0' } }),
    Buffer.alloc(200 << 20),
    END_OF_ARCHIVE,
  ])
  const bombs: readonly [string, readonly string[], () => Buffer | Promise<Buffer>][] = [
    ['gzip', [], () => gzipSync(zeros, { level: 1 })],
    ['zstd', [], () => zstdCompressSync(zeros)],
    ['xz', ['xz'], async () => await packed(zeros, 'xz', '-0c')],
    ['bzip2', ['bzip2'], async () => await packed(zeros, 'bzip2', '-c')],
  ]
  for (const [name, programs, pack] of bombs) {
    testWith(...programs)(`a bomb of ${name} is cut early`, async () => {
      const bomb = await pack()
      expect(await codeOf(verify(bomb))).toBe('archive.ratio_too_high')
      expect(await codeOf(verify(bomb, { maxRatio: 1e9 }))).toBe('accepted')
    })
  }

  test('a zstd window that needs more memory than the hub gives is refused', async () => {
    const long = zstdCompressSync(zeros, { params: { [constants.ZSTD_c_windowLog]: 28 } })
    await expect(verify(long, { maxRatio: 1e9 })).rejects.toMatchObject({
      code: 'archive.corrupt',
      message: expect.stringMatching(/memory/),
    })
  })

  testWith('xz')('an xz dictionary that needs more memory than the hub gives is refused', async () => {
    const bytes = await packed(tarOf(file), 'xz', '-c', '--lzma2=preset=0,dict=16MiB')
    // The dictionary's size is one byte of the block header; 38 means 2 GiB.
    const large = withXzDictionary(bytes, 38)
    await expect(verify(large)).rejects.toMatchObject({
      code: 'archive.corrupt',
      message: expect.stringMatching(/memory usage limit/i),
    })
  })
})

/** Rewrites the dictionary size in the first block header (xz file format, "Block Header" and "LZMA2"). */
function withXzDictionary(bytes: Buffer, size: number): Buffer {
  const copy = Buffer.from(bytes)
  const start = 12
  const headerBytes = ((copy[start] ?? 0) + 1) * 4
  const property = copy.indexOf(Buffer.from([0x21, 0x01]), start) + 2
  copy[property] = size
  copy.writeUInt32LE(crc32(copy.subarray(start, start + headerBytes - 4)), start + headerBytes - 4)
  return copy
}

describe.skipIf(!hasGnuTar)('archives made by others', () => {
  const LONG = `${'directory-with-a-long-name/'.repeat(6)}${'f'.repeat(120)}`

  async function tree(): Promise<Awaited<ReturnType<typeof folder>>> {
    const temp = await folder()
    const script = `mkdir -p app/bin app/empty "$(dirname "app/$0")" && cd app && echo x > bin/run && chmod 755 bin/run &&
      ln bin/run again && ln -s bin/run current && echo é > "café ☃" && ([ "$1" = v7 ] || echo long > "$0")`
    await run('sh', ['-c', script, LONG, ''], { cwd: temp.path })
    return temp
  }

  test.each(['gnu', 'pax', 'posix', 'oldgnu'])('GNU tar --format=%s', async (format) => {
    await using temp = await tree()
    await run('tar', [`--format=${format}`, '-cf', 'x.tar', './app'], { cwd: temp.path })
    const contents = await verify(await readFile(join(temp.path, 'x.tar')))
    const paths = contents.entries.map(({ path }) => path)
    expect(paths).toEqual(
      expect.arrayContaining(['app', 'app/empty', 'app/café ☃', 'app/current', `app/${LONG}`]),
    )
    expect(contents.topDirectory).toBe('app')
    expect(contents.entries.filter(({ type }) => type === 'hardlink')).toHaveLength(1)
  })

  test.each(['v7', 'ustar'])('GNU tar --format=%s', async (format) => {
    await using temp = await folder()
    const deep = format === 'v7' ? 'app/deep' : `app/${'directory-with-a-long-name/'.repeat(4)}deep`
    await run(
      'sh',
      ['-c', `mkdir -p ${deep} && echo x > ${deep}/file && echo x > app/soft && ln app/soft app/hard`],
      {
        cwd: temp.path,
      },
    )
    await run('tar', [`--format=${format}`, '-cf', 'x.tar', 'app'], { cwd: temp.path })
    const { entries } = await verify(await readFile(join(temp.path, 'x.tar')))
    expect(entries.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['app', 'app/hard', `${deep}/file`]),
    )
  })

  test('git archive, whose global header has the commit', async () => {
    await using temp = await tree()
    const git = ['-c', 'user.name=x', '-c', 'user.email=x@example.org', '-c', 'init.defaultBranch=main']
    for (const args of [
      ['init', '-q'],
      ['add', '-A'],
      ['commit', '-qm', 'x'],
      ['archive', '--prefix=app-1/', '-o', 'x.tar.gz', 'HEAD'],
    ]) {
      await run('git', [...git, ...args], { cwd: temp.path })
    }
    const contents = await verify(await readFile(join(temp.path, 'x.tar.gz')))
    expect(contents).toMatchObject({ format: 'tar.gz', topDirectory: 'app-1' })
    expect(contents.entries.map(({ path }) => path)).toContain('app-1/app/café ☃')
  })

  testWith('xz')('what tar makes of a whole folder with extended attributes and odd times', async () => {
    await using temp = await tree()
    await run('sh', ['-c', 'touch -d 1960-01-01 app/current app/bin/run'], { cwd: temp.path })
    await run('tar', ['--xattrs', '--acls', '--format=pax', '-cJf', '../x', '.'], {
      cwd: join(temp.path, 'app'),
    })
    const contents = await verify(await readFile(join(temp.path, 'x')))
    expect(contents).toMatchObject({ format: 'tar.xz', topDirectory: null })
  })
})

describe('on a thread', () => {
  test('the verdict is the same, and so are the refusals with code, detail and extra', async () => {
    await using temp = await folder()
    const [good, bad] = [join(temp.path, 'good'), join(temp.path, 'bad')]
    await writeFile(good, tarball({ 'app/file': 'x' }))
    await writeFile(bad, tarball({ a: '', b: '', c: '' }))
    const limits = { ...DEFAULT_ARCHIVE_LIMITS, maxEntries: 2 }
    expect(await verifyArchiveInWorker(good, limits)).toEqual(await verifyArchive(good, limits))
    const refusal = await verifyArchive(bad, limits).catch((error: unknown) => error)
    const same = await verifyArchiveInWorker(bad, limits).catch((error: unknown) => error)
    expect(same).toEqual(refusal)
    expect(same).toMatchObject({
      name: 'HubError',
      code: 'archive.too_many_entries',
      extra: { maxEntries: 2 },
    })
  })

  test('a fault stays a fault, with its cause', async () => {
    const verdict = verifyArchiveInWorker('/nowhere/at/all', DEFAULT_ARCHIVE_LIMITS)
    await expect(verdict).rejects.toMatchObject({ cause: { message: expect.stringContaining('ENOENT') } })
  })

  test('many at once all get their own verdict', async () => {
    await using temp = await folder()
    const verdicts = Array.from({ length: 20 }, async (_, n) => {
      const path = join(temp.path, String(n))
      await writeFile(path, tarball({ [`app${n}/file`]: 'x' }))
      return (await verifyArchiveInWorker(path, DEFAULT_ARCHIVE_LIMITS)).topDirectory
    })
    expect(await Promise.all(verdicts)).toEqual(verdicts.map((_, n) => `app${n}`))
  })

  for (const where of ['inline', 'thread']) {
    testWith('xz')(`an abort ends the work (${where})`, async () => {
      await using temp = await folder()
      const path = join(temp.path, 'x')
      await writeFile(path, await packed(tarOf({ name: 'a', content: Buffer.alloc(8 << 20) }), 'xz', '-0c'))
      const verify = where === 'inline' ? verifyArchive : verifyArchiveInWorker
      const controller = new AbortController()
      const verdict = verify(path, DEFAULT_ARCHIVE_LIMITS, controller.signal)
      verdict.catch(() => undefined)
      // Once the work has begun: before that there is nothing to end.
      await setImmediate()
      controller.abort(new Error('the client left'))
      await expect(verdict).rejects.toThrow('the client left')
      expect((await verify(path, DEFAULT_ARCHIVE_LIMITS)).entries).toHaveLength(1)
    })
  }

  test('a thread that is ended fails its verdict, and the next one is served', async () => {
    await using temp = await folder()
    const path = join(temp.path, 'x')
    await writeFile(path, tarOf({ name: 'a', content: Buffer.alloc(32 << 20) }))
    const verdict = expect(verifyArchiveInWorker(path, DEFAULT_ARCHIVE_LIMITS)).rejects.toThrow(
      'worker thread ended',
    )
    await Promise.resolve()
    await closeVerifyWorkers()
    await verdict
    expect((await verifyArchiveInWorker(path, DEFAULT_ARCHIVE_LIMITS)).entries).toHaveLength(1)
  })
})
