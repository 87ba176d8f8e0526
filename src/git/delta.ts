/**
 * Deltas between two versions of one folder. A folder of 20,000 entries is a tree object of most of a
 * megabyte of ids that do not compress; its delta to the version that a client has is a hundred bytes.
 * Source: gitformat-pack(5), "Deltified representation".
 */
import { compareTreeKeys } from './objects.ts'
import { keyOf } from './tree.ts'
import type { Tree } from './tree.ts'

const MAX_COPY_BYTES = 0xffffff
const MAX_INSERT_BYTES = 127

/**
 * Instructions that make the tree object `target` from the tree object `base`; they always hold, short or
 * not.
 */
export function encodeTreeDelta(base: Tree, target: Tree): Buffer {
  const parts: Buffer[] = [sizeVarint(base.sizeBytes), sizeVarint(target.sizeBytes)]
  for (const run of sharedAndNewRuns(base, target)) {
    const pieces = run.copy
      ? copyInstructions(run.start, run.end)
      : insertInstructions(Buffer.concat([...target.slice(run.start, run.end)]))
    parts.push(...pieces)
  }
  return Buffer.concat(parts)
}

/** A stretch of bytes: of the base (`copy`) or of the target. */
interface Run {
  readonly copy: boolean
  start: number
  end: number
}

function sharedAndNewRuns(base: Tree, target: Tree): Run[] {
  const runs: Run[] = []
  let b = 0
  let baseOffset = 0
  let targetOffset = 0
  for (let t = 0; t < target.entries.length;) {
    // An edited folder shares its entries with the one before: nearly all of it is passed here, unread.
    const sharedFrom = baseOffset
    for (let entry = target.entries[t]; entry && entry === base.entries[b]; entry = target.entries[++t]) {
      baseOffset += entry.encodedBytes
      b++
    }
    if (baseOffset > sharedFrom) extendRuns(runs, true, sharedFrom, baseOffset - sharedFrom)
    targetOffset += baseOffset - sharedFrom
    const entry = target.entries[t++]
    if (!entry) break
    let old = base.entries[b]
    while (old && old !== entry && compareTreeKeys(keyOf(old), keyOf(entry)) < 0) {
      baseOffset += old.encodedBytes
      old = base.entries[++b]
    }
    const shared =
      old !== undefined && (old === entry || (keyOf(old) === keyOf(entry) && old.oid === entry.oid))
    extendRuns(runs, shared, shared ? baseOffset : targetOffset, entry.encodedBytes)
    targetOffset += entry.encodedBytes
    if (shared) {
      baseOffset += entry.encodedBytes
      b++
    }
  }
  return runs
}

function extendRuns(runs: Run[], copy: boolean, start: number, length: number): void {
  const last = runs.at(-1)
  if (last?.copy === copy && last.end === start) last.end += length
  else runs.push({ copy, start, end: start + length })
}

function copyInstructions(start: number, end: number): Buffer[] {
  const instructions: Buffer[] = []
  for (let offset = start; offset < end; offset += MAX_COPY_BYTES) {
    const bytes = [0x80]
    appendPresent(bytes, offset, 4, 0x01)
    appendPresent(bytes, Math.min(end - offset, MAX_COPY_BYTES), 3, 0x10)
    instructions.push(Buffer.from(bytes))
  }
  return instructions
}

/** Appends the bytes of a little-endian number that are not zero, and marks each in the first byte. */
function appendPresent(bytes: number[], value: number, width: number, firstFlag: number): void {
  for (let at = 0; at < width; at++) {
    const byte = (value >>> (8 * at)) & 0xff
    if (byte === 0) continue
    bytes[0] = (bytes[0] as number) | (firstFlag << at)
    bytes.push(byte)
  }
}

function insertInstructions(data: Buffer): Buffer[] {
  const instructions: Buffer[] = []
  for (let at = 0; at < data.byteLength; at += MAX_INSERT_BYTES) {
    const piece = data.subarray(at, at + MAX_INSERT_BYTES)
    instructions.push(Buffer.from([piece.byteLength]), piece)
  }
  return instructions
}

function sizeVarint(size: number): Buffer {
  const bytes: number[] = []
  let rest = size
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}
