/** Tarballs that were found by fuzzing: read otherwise by GNU tar, or dear to read for how small they are. */
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { ArchiveContents } from '../../../src/builds/archive-contents.ts'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../src/builds/archive-limits.ts'
import { verifyArchive } from '../../../src/builds/verify-archive.ts'
import { testWith } from '../../support/programs.ts'
import { gnuLongName, paxHeader, tarEntry, tarOf } from '../../support/tarballs.ts'
import { withinTheLimit } from '../support/within.ts'

const FILE = { name: 'f', content: 'x' }

async function verify(bytes: Buffer): Promise<ArchiveContents> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'found-'))
  const file = join(folder.path, 'archive')
  await writeFile(file, bytes)
  return await withinTheLimit(async () => await verifyArchive(file, DEFAULT_ARCHIVE_LIMITS))
}

describe('what GNU tar reads otherwise', () => {
  test.each([' path', '\tpath', 'path\0x', '\npath'])(
    'a pax record of the name %j is refused',
    async (key) => {
      const archive = tarOf(paxHeader([[key, '../evil']]), FILE)
      await expect(verify(archive)).rejects.toMatchObject({ code: 'archive.corrupt' })
    },
  )

  test('a long name whose size leaves out its end goes on in the padding there, and is refused', async () => {
    const name = `top/${'n'.repeat(120)}`
    const header = tarEntry({ name: '././@LongLink', type: 'L', content: name, magic: 'gnu' })
    header.write('/../../evil', 512 + name.length)
    const file = tarEntry({ name: 'n', content: 'x', magic: 'gnu' })
    await expect(verify(tarOf(header, file))).rejects.toMatchObject({ code: 'archive.corrupt' })
  })

  test('a long name without its NUL is taken, and what stands behind a NUL and its size is nobody’s', async () => {
    const name = `top/${'n'.repeat(120)}`
    const bare = tarEntry({ name: '././@LongLink', type: 'L', content: name, magic: 'gnu' })
    const padded = gnuLongName(name)
    padded.write('left over', 512 + 300)
    for (const header of [bare, padded]) {
      const { entries } = await verify(tarOf(header, { name: 'n', content: 'x', magic: 'gnu' }))
      expect(entries.map(({ path }) => path)).toEqual([name])
    }
  })
})

describe('what costs much and is small', () => {
  test('links whose ends grow with each other', async () => {
    const links = Array.from({ length: 2000 }, (_, index) => [
      gnuLongName(`${index === 0 ? '' : `l${index - 1}/`}${'x/'.repeat(100)}x`, 'K'),
      { name: `l${index}`, type: '2', link: 'x', magic: 'gnu' } as const,
    ])
    const { entries } = await verify(gzipSync(tarOf(FILE, ...links.flat())))
    expect(entries).toHaveLength(2001)
  })

  test.each([
    ['empty', zstdCompressSync(Buffer.alloc(0))],
    ['skippable', Buffer.from('502a4d1800000000', 'hex')],
  ])('ten thousand %s zstd frames are too many for their bytes', async (_, frame) => {
    const frames = new Array<Buffer>(10_000).fill(frame)
    const archive = Buffer.concat([
      zstdCompressSync(Buffer.alloc(0)),
      ...frames,
      zstdCompressSync(tarOf(FILE)),
    ])
    await expect(verify(archive)).rejects.toMatchObject({ code: 'archive.corrupt' })
  })

  test('a thousand small zstd frames are one archive, whatever their sizes', async () => {
    const content = Buffer.alloc(300_000, 'text ')
    const whole = tarOf({ name: 'a', content }, { name: 'b', content: 'x'.repeat(200_000) })
    const pieces = Array.from({ length: 1000 }, (_, index) => {
      const start = Math.floor((whole.length * index) / 1000)
      return zstdCompressSync(whole.subarray(start, Math.floor((whole.length * (index + 1)) / 1000)))
    })
    const large = zstdCompressSync(whole)
    expect((await verify(Buffer.concat(pieces))).unpackedBytes).toBe(500_000)
    expect((await verify(large)).unpackedBytes).toBe(500_000)
  })
})

testWith('bzip2')('a refusal repeats the first line of bzip2’s complaint and not its advice', async () => {
  const archive = Buffer.from('QlpoOTFBWSZTWfocAgAB0F+Xy5Bo', 'base64')
  await expect(verify(archive)).rejects.toThrow(/^[^\n\t]*$/)
})
