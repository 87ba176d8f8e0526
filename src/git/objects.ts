/**
 * Git's objects as bytes: their ids, trees and commits, for repositories of SHA-1 ids.
 * Source: git's documentation "Git Internals: Git Objects" and gitformat-signature(5) for the `gpgsig`
 * header.
 */
import { createHash } from 'node:crypto'
import { HubError } from '../errors.ts'

declare const parsed: unique symbol
/** Id of a git object: 40 lower-case hexadecimal digits. */
export type Oid = string & { readonly [parsed]: 'Oid' }

export type ObjectType = 'commit' | 'tree' | 'blob'

/** Modes of an overlay: plain files and folders; it has no links, no executables and no submodules. */
export type TreeMode = '100644' | '40000'

/** Who made a commit. Neither part may have `<`, `>`, a line break or NUL. */
export interface Identity {
  readonly name: string
  readonly email: string
}

export interface CommitFields {
  readonly tree: Oid
  readonly parent: Oid | null
  readonly author: Identity
  /** Default: the author. */
  readonly committer?: Identity
  /** Seconds since 1970; written with the zone `+0000`. */
  readonly timeSec: number
  readonly message: string
  /** Armoured OpenPGP or SSH signature over `commitPayload` of the same fields. */
  readonly signature?: string
}

/**
 * Takes an object id from outside.
 * @throws {HubError} `request.invalid` unless it is 40 lower-case hexadecimal digits.
 */
export function parseOid(text: string): Oid {
  if (!/^[0-9a-f]{40}$/.test(text)) {
    throw new HubError(
      'request.invalid',
      `${JSON.stringify(text.slice(0, 100))} is no object id; send 40 hexadecimal digits.`,
    )
  }
  return text as Oid
}

/** Id of an object: SHA-1 over `<type> <size>\0` and the content. */
export function objectId(type: ObjectType, content: Uint8Array): Oid {
  return createHash('sha1').update(`${type} ${content.byteLength}\0`).update(content).digest('hex') as Oid
}

/** The same of content that lies in pieces. */
export function objectIdOfPieces(type: ObjectType, pieces: readonly Buffer[]): Oid {
  const sizeBytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
  const digest = createHash('sha1').update(`${type} ${sizeBytes}\0`)
  for (const piece of pieces) digest.update(piece)
  return digest.digest('hex') as Oid
}

/** One entry as a tree object holds it: `<mode> <name>\0` and the 20 bytes of the id. */
export function encodeTreeEntry(entry: {
  readonly name: string
  readonly mode: TreeMode
  readonly oid: Oid
}): Buffer {
  return Buffer.concat([Buffer.from(`${entry.mode} ${entry.name}\0`), Buffer.from(entry.oid, 'hex')])
}

/**
 * Content of a tree object. The entries must be in git's order (`compareTreeKeys`); fsck refuses any other.
 */
export function encodeTree(entries: Iterable<{ name: string; mode: TreeMode; oid: Oid }>): Buffer {
  return Buffer.concat(Array.from(entries, encodeTreeEntry))
}

/**
 * Git's order of tree entries: by the bytes of their UTF-8 names, a folder as if its name ended in `/`.
 * Both arguments are such keys (`foo`, `foo/`).
 */
export function compareTreeKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at)
    const right = b.charCodeAt(at)
    if (left !== right) return inUtf8Order(left) - inUtf8Order(right)
  }
  return a.length - b.length
}

/** UTF-16 puts surrogate pairs (U+10000 and up) before U+E000..U+FFFF; UTF-8 puts them after. */
function inUtf8Order(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

/** The bytes that a signature of this commit covers: the commit without its `gpgsig` header. */
export function commitPayload(fields: CommitFields): Buffer {
  return encodeCommit({ ...fields, signature: undefined })
}

/**
 * Content of a commit object. A message without a final line feed gets one.
 * @throws {Error} for an identity, time or message that would add lines to the header: the caller cleans
 * them.
 */
export function encodeCommit(fields: CommitFields): Buffer {
  const { message, signature } = fields
  if (message.includes('\0') || !message.isWellFormed())
    throw new Error('A commit message has NUL or half a character.')
  const lines = [
    `tree ${fields.tree}`,
    ...(fields.parent === null ? [] : [`parent ${fields.parent}`]),
    `author ${signedOffAs(fields.author, fields.timeSec)}`,
    `committer ${signedOffAs(fields.committer ?? fields.author, fields.timeSec)}`,
    ...(signature === undefined ? [] : [signatureHeader(signature)]),
  ]
  return Buffer.from(`${lines.join('\n')}\n\n${message.endsWith('\n') ? message : `${message}\n`}`)
}

function signedOffAs({ name, email }: Identity, timeSec: number): string {
  if (/[<>\0\n\r]/.test(name + email) || name.trim() !== name || name === '') {
    throw new Error(`Not an identity for a commit: ${JSON.stringify(`${name} <${email}>`)}`)
  }
  if (!Number.isSafeInteger(timeSec) || timeSec < 0) throw new Error(`Not a time for a commit: ${timeSec}`)
  return `${name} <${email}> ${timeSec} +0000`
}

/**
 * A header of several lines: each line after the first begins with one space (OpenPGP armour comes with
 * CRLF).
 */
function signatureHeader(signature: string): string {
  return `gpgsig ${signature.replaceAll('\r\n', '\n').replace(/\n+$/, '').replaceAll('\n', '\n ')}`
}

/** Parents named in the header of a commit's content, first parent first. */
export function commitParents(commitBytes: Buffer): Oid[] {
  const header = commitBytes.subarray(0, Math.max(commitBytes.indexOf('\n\n'), 0)).toString()
  return Array.from(header.matchAll(/^parent ([0-9a-f]{40})$/gm), (match) => match[1] as Oid)
}
