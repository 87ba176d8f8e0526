/**
 * The digest of a package's image: the same for two nodes that have the same files, whenever either installed them. What
 * goes in is said in docs/api.md ("The digest of an image"); `node/hub-node` computes the same (`image_digest`).
 */
import { createHash } from 'node:crypto'
import type { DigestedEntry } from './read-image.ts'

const TYPES = { file: 'f', directory: 'd', symlink: 'l', hardlink: 'h' } as const

/**
 * SHA-256, 64 lower-case hex digits, over the entries in the order of their paths' bytes. Null for an image that the digest
 * could not tell from another: one with extended attributes, or with a NUL or line end in a name.
 * @param entries all, in any order.
 */
export function imageDigest(entries: readonly DigestedEntry[]): string | null {
  const records = entries.map((entry) => ({ path: Buffer.from(entry.path), fields: fieldsOf(entry) }))
  const isPlain = ({ fields }: (typeof records)[number]): boolean =>
    fields.every((field) => !/[\0\n]/.test(field))
  if (entries.some(({ hasAttributes }) => hasAttributes === true) || !records.every(isPlain)) return null
  const hash = createHash('sha256')
  for (const { fields } of records.sort((a, b) => Buffer.compare(a.path, b.path)))
    hash.update(`${fields.join('\0')}\n`)
  return hash.digest('hex')
}

/** A number counts only where there is no name, which every reader takes first. */
function fieldsOf({ path, type, mode, owner, target, sha256 }: DigestedEntry): readonly string[] {
  const { uid, gid, userName, groupName } = owner
  return [
    path,
    TYPES[type],
    mode.toString(8),
    userName,
    userName === '' ? String(uid) : '',
    groupName,
    groupName === '' ? String(gid) : '',
    target ?? sha256 ?? '',
  ]
}
