/** Tarballs: what the hub accepts, GNU tar must list just so. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import type { ArchiveContents } from '../../../src/builds/archive-contents.ts'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../src/builds/archive-limits.ts'
import { verifyArchive } from '../../../src/builds/verify-archive.ts'
import { END_OF_ARCHIVE, hasGnuTar, tarOf } from '../../support/tarballs.ts'
import { listed, listedByTar } from '../support/gnu-tar.ts'
import { mutated, shownAsBase64 } from '../support/mutate.ts'
import { outcomeOf } from '../support/refusal.ts'
import { changeOfExtension, changeOfHeader, tarCorpus } from '../support/tar-corpus.ts'
import { target } from '../support/target.ts'
import type { Target, Verdict } from '../support/target.ts'

const CODES = /^(?:archive\.|recipe\.invalid$)/

/** Made when the first case is: the tests that only name the targets need none of it. */
export function archiveTargets(): readonly Target[] {
  const tars = tarCorpus()
  return [plainTar(tars), ...compressedTars(tars), emptyFrames()]
}

function plainTar(tars: readonly Buffer[]): Target {
  return target({
    name: 'tar',
    share: 100,
    cases: mutated(tars, [changeOfHeader, changeOfHeader, changeOfExtension], true),
    check: async (bytes) => await judged(bytes),
  })
}

function compressedTars(tars: readonly Buffer[]): readonly Target[] {
  const unpacked = mutated(tars, [changeOfHeader, changeOfExtension], true)
  const pack = { 'tar-gz': gzipSync, 'tar-zst': zstdCompressSync }
  const inside = Object.entries(pack).map(([name, compress]) =>
    fcTarget(
      name,
      35,
      mutated([...tars, END_OF_ARCHIVE].map((bytes) => compress(bytes))),
      unpacked.map(compress),
    ),
  )
  // Each case starts a program.
  const byProgram = (['xz', 'bzip2'] as const).map((program) => {
    const corpus = tars.map((bytes) => execFileSync(program, ['-c'], { input: bytes }))
    return fcTarget(`tar-${program}`, 8, mutated(corpus))
  })
  return [...inside, ...byProgram]
}

function fcTarget(name: string, share: number, ...cases: readonly fc.Arbitrary<Buffer>[]): Target {
  return target({ name, share, cases: fc.oneof(...cases), check: async (bytes) => await judged(bytes) })
}

/** Files of many members or frames, each next to nothing: as many bytes of work as bytes of file must be enough. */
function emptyFrames(): Target {
  const good = tarOf({ name: 'f', content: 'x' })
  const nothing = Buffer.alloc(0)
  const skipped = Buffer.from('502a4d1800000000', 'hex')
  const zstd = fc.constantFrom(zstdCompressSync(nothing), zstdCompressSync(Buffer.alloc(1)), skipped)
  const gzip = fc.constantFrom(gzipSync(nothing), gzipSync(Buffer.alloc(1000)))
  const repeated = (frame: fc.Arbitrary<Buffer>, whole: Buffer): fc.Arbitrary<Buffer> =>
    fc
      .tuple(frame, fc.nat(20_000), fc.boolean())
      .map(([piece, times, first]) => [...new Array<Buffer>(times).fill(piece), ...(first ? [] : [whole])])
      .map((pieces) => shownAsBase64(Buffer.concat([...pieces, whole].slice(-20_000))))
  return target({
    name: 'frames',
    share: 2,
    cases: fc.oneof(repeated(zstd, zstdCompressSync(good)), repeated(gzip, gzipSync(good))),
    check: async (bytes) => await judged(bytes),
  })
}

/** The hub's verdict; an archive that it accepts must be to GNU tar what it is to the hub. */
export async function judged(bytes: Buffer): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-tar-'))
  try {
    const file = join(folder, 'archive')
    writeFileSync(file, bytes)
    const outcome = await outcomeOf(CODES, () => verifyArchive(file, DEFAULT_ARCHIVE_LIMITS))
    if (outcome.verdict === 'accepted') compare(file, outcome.value)
    return outcome.verdict
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function compare(file: string, contents: ArchiveContents): void {
  const ours = new Set(contents.entries.map(listed))
  const paths = new Set(contents.entries.map(({ path }) => path))
  if (paths.size !== contents.entries.length) throw new Error('a path is listed twice')
  if (!hasGnuTar) return
  const theirs = new Set(listedByTar(file, contents.format))
  const missing = [...ours].filter((line) => !theirs.has(line))
  const unseen = [...theirs].filter((line) => !ours.has(line))
  if (missing.length + unseen.length === 0) return
  throw new Error(`GNU tar lacks ${JSON.stringify(missing)} and has ${JSON.stringify(unseen)}`)
}
