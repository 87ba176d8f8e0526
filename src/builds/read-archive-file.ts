/** The text of one file inside an archived tarball, for those who look at it without downloading the whole. */
import { HubError } from '../errors.ts'
import type { ArchiveEntry, ArchiveFormat } from './archive-contents.ts'
import { DEFAULT_ARCHIVE_LIMITS } from './archive-limits.ts'
import { readArchive, walkArchive } from './archive-reader.ts'
import { named } from './archive-rules.ts'
import type { Member } from './tar-walker.ts'

/** A file's content, or its first `maxBytes` if it has more. */
export interface ArchivedFile {
  readonly entry: ArchiveEntry
  readonly content: Buffer
  readonly truncated: boolean
}

/** A hard link names an earlier entry; each step back costs one more reading. */
const MAX_LINKS = 16
/** For what was accepted before. */
export const UNBOUNDED = {
  ...DEFAULT_ARCHIVE_LIMITS,
  maxEntries: Infinity,
  maxUnpackedBytes: Infinity,
  maxRatio: Infinity,
}

/**
 * Reads one file of a tarball that `verifyArchive` has accepted, up to the file's end and no further. A hard link
 * gives the content of its file.
 * @param wanted path as in the entry list: no leading `./`.
 * @throws {HubError} `archive.no_such_file` if there is none of that name, or it is a folder or a symbolic link.
 */
export async function readArchiveFile(
  path: string,
  format: ArchiveFormat,
  wanted: string,
  maxBytes: number,
): Promise<ArchivedFile> {
  const first = await find(path, format, wanted, maxBytes)
  let found = first
  for (let links = 0; found.member.type === 'hardlink'; links++) {
    if (links === MAX_LINKS)
      throw new HubError('archive.no_such_file', `${named(wanted)} is a link to a link, too often.`)
    found = await find(path, format, normalPath(found.member.linkTarget), maxBytes)
  }
  const { mode, sizeBytes } = found.member
  const { type, linkTarget } = first.member
  const entry: ArchiveEntry =
    type === 'hardlink'
      ? { path: wanted, type, mode, sizeBytes, target: normalPath(linkTarget) }
      : { path: wanted, type, mode, sizeBytes }
  return { entry, content: found.content, truncated: sizeBytes > maxBytes }
}

/**
 * All bytes of the file at `wanted`, as they are asked for. A hard link has none: ask for its file.
 * @throws {HubError} `archive.no_such_file` if there is no such entry.
 */
export async function* archivedBytes(
  path: string,
  format: ArchiveFormat,
  wanted: string,
): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = []
  // Of what there is; before it is found nobody knows.
  let missingBytes = Infinity
  let isIn = false
  const listener = {
    member: (member: Member) => {
      isIn = missingBytes === Infinity && normalPath(member.path) === wanted
      if (isIn) missingBytes = member.sizeBytes
    },
    body: (bytes: Buffer) => {
      if (!isIn) return
      pieces.push(Buffer.from(bytes))
      missingBytes -= bytes.length
    },
    ignoresBody: () => !isIn,
  }
  for await (const _ of walkArchive({ path, format, limits: UNBOUNDED }, listener)) {
    for (const piece of pieces) yield piece
    pieces = []
    if (missingBytes === 0) return
  }
  throw noSuchFile(wanted, undefined)
}

interface Found {
  readonly member: Member
  readonly content: Buffer
}

async function find(path: string, format: ArchiveFormat, wanted: string, maxBytes: number): Promise<Found> {
  const pieces: Buffer[] = []
  let found: Member | undefined
  let missingBytes = 0
  let passed = false
  const listener = {
    member: (member: Member) => {
      passed = found !== undefined
      if (passed || normalPath(member.path) !== wanted) return
      found = member
      missingBytes = Math.min(member.sizeBytes, maxBytes)
    },
    body: (bytes: Buffer) => {
      if (found === undefined || passed || missingBytes === 0) return
      const piece = Buffer.from(bytes.subarray(0, missingBytes))
      missingBytes -= piece.length
      pieces.push(piece)
    },
    ignoresBody: () => found === undefined || passed || missingBytes === 0,
  }
  await readArchive(
    { path, format, limits: UNBOUNDED },
    listener,
    () => found !== undefined && missingBytes === 0,
  )
  if (found === undefined || !['file', 'hardlink'].includes(found.type)) throw noSuchFile(wanted, found)
  return { member: found, content: Buffer.concat(pieces) }
}

/** A path of an archive as lists have it. */
export function normalPath(path: string): string {
  return path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .join('/')
}

function noSuchFile(wanted: string, found: Member | undefined): HubError {
  if (found === undefined) {
    return new HubError(
      'archive.no_such_file',
      `The tarball has no file ${named(wanted)}. List its files to see what there is.`,
    )
  }
  const target = found.type === 'symlink' ? ` to ${named(found.linkTarget)}` : ''
  return new HubError(
    'archive.no_such_file',
    `${named(wanted)} is a ${found.type}${target}, not a file. Ask for the file itself.`,
  )
}
