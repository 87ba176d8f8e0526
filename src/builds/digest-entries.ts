/** The digest of every file in an archived tarball: its list has sizes alone, and two files of one size may differ. */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import type { ArchiveFormat } from './archive-contents.ts'
import { readArchive } from './archive-reader.ts'
import { normalPath, UNBOUNDED } from './read-archive-file.ts'
import type { Member } from './tar-walker.ts'

/** SHA256, base64, by path as in the list; of files alone. */
export type EntryDigests = ReadonlyMap<string, string>

/** Reads all of a tarball that `verifyArchive` has accepted. @throws {Error} if it is not what it was, or the signal's reason. */
export async function digestEntries(
  path: string,
  format: ArchiveFormat,
  signal?: AbortSignal,
): Promise<EntryDigests> {
  const digests = new Map<string, string>()
  let current: { readonly path: string; readonly hash: Hash } | null = null
  const finish = (): void => {
    if (current) digests.set(current.path, current.hash.digest('base64'))
    current = null
  }
  const listener = {
    member: (member: Member) => {
      finish()
      if (member.type === 'file') current = { path: normalPath(member.path), hash: createHash('sha256') }
    },
    body: (bytes: Buffer) => void current?.hash.update(bytes),
  }
  await readArchive({ path, format, limits: UNBOUNDED, signal }, listener)
  finish()
  return digests
}
