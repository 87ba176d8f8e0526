/**
 * Tarballs as programs write them: GNU tar in each of its formats, npm (its own package, as `npm pack` uses it), and
 * libarchive's bsdtar in the records that only it writes. And changes of a header that keep its checksum right, which
 * random bytes never would.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFileSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { create } from 'tar'
import { hasChecksum } from '../../../src/builds/tar-header.ts'
import { gnuLongName, hasGnuTar, paxHeader, tarOf } from '../../support/tarballs.ts'
import { oddBytes, place, scaled } from './mutate.ts'
import type { Change } from './mutate.ts'

const GNU_FORMATS = ['v7', 'oldgnu', 'gnu', 'ustar', 'pax']
const LONG = `top/${'long-name-'.repeat(9)}/${'and-longer-'.repeat(9)}/end`
const FIELDS = [
  [0, 100],
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
  [156, 1],
  [157, 100],
  [257, 8],
  [345, 155],
] as const

/** Small archives of one tree, by everybody who writes them. They are the same in every run. */
export function tarCorpus(): readonly Buffer[] {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-corpus-'))
  try {
    fillTree(folder)
    return [
      ...(hasGnuTar ? GNU_FORMATS.map((format) => gnuTar(folder, format)) : []),
      npmTar(folder),
      bsdTar(),
    ]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function fillTree(folder: string): void {
  const write = (name: string, content: string, mode = 0o644): void => {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    writeFileSync(path, content)
    chmodSync(path, mode)
    utimesSync(path, 1_700_000_000, 1_700_000_000)
  }
  write('top/bin/run', '#!/bin/sh\necho run\n', 0o755)
  write('top/portage-hub.yaml', 'description: fuzzed\n')
  write('top/empty', '')
  write('top/data', 'x'.repeat(1500))
  write('top/\u00e9t\u00e9', 'summer')
  linkSync(join(folder, 'top/data'), join(folder, 'top/same'))
  symlinkSync('bin/run', join(folder, 'top/start'))
  symlinkSync('../data', join(folder, 'top/bin/data'))
  write(LONG, 'far down')
}

function gnuTar(folder: string, format: string): Buffer {
  const names = ['v7', 'ustar'].includes(format) ? ['--exclude=long-name*', 'top'] : ['top']
  const settled = [
    '--sort=name',
    '--mtime=@1700000000',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u+rw',
  ]
  const pax = format === 'pax' ? ['--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime'] : []
  const args = ['-c', '-f', '-', `--format=${format}`, ...settled, ...pax, '-C', folder, ...names]
  return execFileSync('tar', args, { env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } })
}

function npmTar(folder: string): Buffer {
  const file = join(folder, 'npm.tar')
  const options = { cwd: join(folder, 'top'), prefix: 'package/', portable: true, sync: true, file } as const
  create({ ...options, mtime: new Date(1_700_000_000_000) }, [
    'bin',
    'data',
    'empty',
    'portage-hub.yaml',
    'start',
  ])
  return readFileSync(file)
}

function bsdTar(): Buffer {
  return tarOf(
    { name: './', type: '5' },
    paxHeader([
      ['mtime', '1700000000.123456789'],
      ['LIBARCHIVE.creationtime', '1700000000'],
      ['SCHILY.dev', '66305'],
      ['SCHILY.ino', '1'],
      ['SCHILY.nlink', '2'],
    ]),
    { name: './run', content: '#!/bin/sh\n', mode: 0o755 },
    paxHeader([
      ['LIBARCHIVE.xattr.user.a', 'YQ=='],
      ['path', './caf\u00e9'],
    ]),
    { name: './caf', content: 'x' },
    gnuLongName(`./${'n'.repeat(120)}`),
    { name: './n', content: 'long', magic: 'gnu' },
    { name: './again', type: '1', link: './run' },
    { name: './soft', type: '2', link: 'run' },
  )
}

const number = fc.constantFrom(
  '0',
  '1',
  '5',
  '777',
  '0000644\0',
  '99999999999',
  '77777777777',
  ' 12 ',
  '\0',
  '-1',
  '8',
)
const wide = fc
  .bigInt({ min: 0n, max: 2n ** 70n })
  .map((value) =>
    Buffer.concat([Buffer.from([0x80]), Buffer.from(value.toString(16).padStart(22, '0').slice(-22), 'hex')]),
  )
const name = fc.constantFrom(
  'top/data\0',
  '../x\0',
  '/etc\0',
  'a/b\0',
  'top\0',
  'top/start/x\0',
  './\0',
  '\0',
  'top/data/\0',
)
const flag = fc.constantFrom(...Array.from('01234567xgLKSVMDN\0 Az'))
const fieldValue = fc.oneof(
  fc.oneof(number, name, flag).map((text) => Buffer.from(text, 'latin1')),
  wide,
  oddBytes,
  fc.constantFrom('ustar\x0000', 'ustar  \0', '\0'.repeat(8), 'ustar\0\0\0').map((text) => Buffer.from(text)),
)

/** One field of one header gets another value, or the field of another header, and the checksum is made right again. */
export const changeOfHeader: fc.Arbitrary<Change> = fc
  .record({ header: place, field: fc.constantFrom(...FIELDS), value: fieldValue, fill: fc.boolean() })
  .map(({ header, field: [start, bytes], value, fill }): Change => {
    return (archive) => {
      const headers = headersOf(archive)
      const at = headers[scaled(header, headers.length - 1)]
      if (at === undefined) return archive
      if (fill) archive.fill(0, at + start, at + start + bytes)
      value.copy(archive, at + start, 0, bytes)
      sign(archive.subarray(at, at + 512))
      return archive
    }
  })

/** Bytes of the content of a header for long names or pax records, which have no checksum of their own. */
export const changeOfExtension: fc.Arbitrary<Change> = fc
  .record({
    header: place,
    at: place,
    value: fc.oneof(
      oddBytes,
      name.map((text) => Buffer.from(text)),
    ),
  })
  .map(({ header, at, value }): Change => {
    return (archive) => {
      const extensions = headersOf(archive).filter((start) =>
        'xgLK'.includes(archive.toString('latin1', start + 156, start + 157)),
      )
      const start = extensions[scaled(header, extensions.length - 1)]
      if (start !== undefined) value.copy(archive, start + 512 + scaled(at, 200))
      return archive
    }
  })

function headersOf(archive: Buffer): readonly number[] {
  const found: number[] = []
  for (let at = 0; at + 512 <= archive.length; at += 512) {
    if (archive[at] !== 0 && hasChecksum(archive.subarray(at, at + 512))) found.push(at)
  }
  return found
}

function sign(header: Buffer): void {
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
}
