/**
 * The index of one binhost, in memory, as nodes fetch it: `Packages` and `Packages.gz`. Packages are kept in chunks, each
 * with its text and its own gzip member (RFC 1952: several members in a row are one file), so that a change costs one chunk
 * however many packages there are. Sources: Portage lib/portage/getbinpkg.py `PackageIndex`; lib/portage/util/_urlopen.py
 * for the five seconds that a node adds to the time it asks by.
 */
import { gzipSync } from 'node:zlib'
import { parseCpv } from '../gentoo/cpv.ts'
import type { IndexFields } from '../gentoo/packages-index.ts'
import { renderIndexEntry, renderPackagesIndex } from '../gentoo/packages-index.ts'

/** One published state; a later one is another object. */
export interface PublishedIndex {
  /** Seconds since 1970: the index's TIMESTAMP, which Last-Modified must equal. */
  readonly timestampSec: number
  readonly packageCount: number
  /** The pieces of `Packages`, in order. */
  readonly packages: readonly Buffer[]
  /** The pieces of `Packages.gz`: a file of its own, to be sent without Content-Encoding. */
  readonly packagesGz: readonly Buffer[]
}

export interface BinhostIndexOptions {
  /** What holds of all packages (`CHOST`, `REPO`, `ARCH`); VERSION, TIMESTAMP, PACKAGES and TTL are added. */
  readonly header: IndexFields
  /** For so long nodes use what they have without asking. */
  readonly ttlSec?: number
  /** When this state was published, by an earlier process too; now if it is the first one. */
  readonly timestampSec: number
  /** In any order; of two with the same CPV and BUILD_ID the later one counts. */
  readonly entries: readonly IndexFields[]
}

export interface IndexChange {
  /** A package that is there already, by CPV and BUILD_ID, is replaced. */
  readonly put?: readonly IndexFields[]
  readonly remove?: readonly IndexKey[]
}

/** Which package of an index: a CPV may be there several times, with different build ids. */
export interface IndexKey {
  readonly cpv: string
  /** 0: the package has none. */
  readonly binpkgBuildId: number
}

interface Entry extends IndexKey {
  readonly bytes: number
}

const CHUNK_ENTRIES = 512
const MOST_CHUNK_ENTRIES = 768
/** A node that asks has "not modified" for states up to this much newer than its own, less one second. */
const LEAST_STEP_SEC = 6

/** When a state may be published that follows on one of `previousSec`. */
export function nextTimestampSec(previousSec: number, nowSec: number): number {
  return Math.max(nowSec, previousSec + LEAST_STEP_SEC)
}

export class BinhostIndex {
  readonly #header: IndexFields
  #chunks: readonly Chunk[]
  #published: PublishedIndex

  /** @throws {HubError} `request.invalid` for an entry that no index can hold. */
  constructor({ header, ttlSec, timestampSec, entries }: BinhostIndexOptions) {
    this.#header = { ...header, VERSION: '0', ...(ttlSec !== undefined && { TTL: String(ttlSec) }) }
    this.#chunks = chunksOf(entries, this.#header)
    this.#published = this.#render(timestampSec)
  }

  /** The newest state. The same object until something changes. */
  get published(): PublishedIndex {
    return this.#published
  }

  /**
   * Publishes a state with the changes, of a TIMESTAMP at least six seconds after the one before: a node that asked for
   * that one would otherwise be told that nothing is new. Changes that change nothing publish nothing.
   * @throws {HubError} `request.invalid` for an entry that no index can hold; nothing was changed then.
   */
  change({ put = [], remove = [] }: IndexChange, nowSec: number): PublishedIndex {
    const removed = remove.reduce(without, this.#chunks)
    const chunks = put.reduce((before, fields) => withEntry(before, fields, this.#header), removed)
    if (chunks === this.#chunks) return this.#published
    this.#chunks = chunks
    this.#published = this.#render(nextTimestampSec(this.#published.timestampSec, nowSec))
    return this.#published
  }

  #render(timestampSec: number): PublishedIndex {
    const packageCount = this.#chunks.reduce((sum, { entries }) => sum + entries.length, 0)
    const header = { ...this.#header, TIMESTAMP: String(timestampSec), PACKAGES: String(packageCount) }
    const head = Buffer.from(renderPackagesIndex({ header, packages: [] }))
    return {
      timestampSec,
      packageCount,
      packages: [head, ...this.#chunks.map(({ text }) => text)],
      packagesGz: [gzipSync(head), ...this.#chunks.map(({ gz }) => gz)],
    }
  }
}

/** Some packages that follow each other. */
class Chunk {
  readonly entries: readonly Entry[]
  readonly text: Buffer
  #gz: Buffer | null = null

  constructor(entries: readonly Entry[], text: Buffer) {
    this.entries = entries
    this.text = text
  }

  /** Packed once it is asked for: of several changes that are published together only the last is. */
  get gz(): Buffer {
    return (this.#gz ??= gzipSync(this.text))
  }
}

/** Which package an entry is of. @throws {HubError} `request.invalid` if it has no CPV. */
export function indexKey(fields: IndexFields): IndexKey {
  const cpv = fields['CPV'] ?? ''
  parseCpv(cpv)
  return { cpv, binpkgBuildId: Number(fields['BUILD_ID'] ?? 0) }
}

function chunksOf(all: readonly IndexFields[], header: IndexFields): readonly Chunk[] {
  const rendered = new Map(
    all.map((fields) => {
      const { entry, text } = renderEntry(fields, header)
      return [`${entry.cpv} ${entry.binpkgBuildId}`, { entry, text }] as const
    }),
  )
  const sorted = [...rendered.values()].sort((a, b) => compareKeys(a.entry, b.entry))
  const chunks: Chunk[] = []
  for (let at = 0; at < sorted.length; at += CHUNK_ENTRIES) {
    const some = sorted.slice(at, at + CHUNK_ENTRIES)
    const entries = some.map(({ entry }) => entry)
    chunks.push(new Chunk(entries, Buffer.concat(some.map(({ text }) => text))))
  }
  return chunks
}

function withEntry(chunks: readonly Chunk[], fields: IndexFields, header: IndexFields): readonly Chunk[] {
  const { entry, text } = renderEntry(fields, header)
  const index = chunkFor(chunks, entry)
  const chunk = chunks[index]
  if (!chunk) return [new Chunk([entry], text)]
  const { at, isThere } = placeIn(chunk.entries, entry)
  const { before, after } = around(chunk, at, isThere)
  const changed = Buffer.concat([before, text, after])
  if (changed.equals(chunk.text)) return chunks
  const entries = chunk.entries.toSpliced(at, isThere ? 1 : 0, entry)
  return chunks.toSpliced(index, 1, ...halved(entries, changed))
}

function without(chunks: readonly Chunk[], key: IndexKey): readonly Chunk[] {
  const index = chunkFor(chunks, key)
  const chunk = chunks[index]
  if (!chunk) return chunks
  const { at, isThere } = placeIn(chunk.entries, key)
  if (!isThere) return chunks
  const { before, after } = around(chunk, at, true)
  const entries = chunk.entries.toSpliced(at, 1)
  return chunks.toSpliced(index, 1, ...halved(entries, Buffer.concat([before, after])))
}

/** The chunk's text before the entry at `at`, and from it on or, if it is to go, behind it. */
function around(
  chunk: Chunk,
  at: number,
  isThere: boolean,
): { readonly before: Buffer; readonly after: Buffer } {
  const start = bytesOf(chunk.entries.slice(0, at))
  const gone = isThere ? (chunk.entries[at]?.bytes ?? 0) : 0
  return { before: chunk.text.subarray(0, start), after: chunk.text.subarray(start + gone) }
}

/** None, one or two chunks: as many as the entries need. */
function halved(entries: readonly Entry[], text: Buffer): readonly Chunk[] {
  if (entries.length === 0) return []
  if (entries.length <= MOST_CHUNK_ENTRIES) return [new Chunk(entries, text)]
  const middle = entries.length >> 1
  const [first, second] = [entries.slice(0, middle), entries.slice(middle)]
  // Copies: parts of one memory would keep the whole of it.
  const cut = bytesOf(first)
  return [
    new Chunk(first, Buffer.from(text.subarray(0, cut))),
    new Chunk(second, Buffer.from(text.subarray(cut))),
  ]
}

function renderEntry(
  fields: IndexFields,
  header: IndexFields,
): { readonly entry: Entry; readonly text: Buffer } {
  const key = indexKey(fields)
  const text = Buffer.from(renderIndexEntry(fields, header))
  return { entry: { ...key, bytes: text.length }, text }
}

/** The last chunk that begins at or before the key; the first if none does. */
function chunkFor(chunks: readonly Chunk[], key: IndexKey): number {
  const after = lowest(chunks.length, (index) => {
    const first = chunks[index]?.entries[0]
    return first !== undefined && compareKeys(first, key) > 0
  })
  return Math.max(0, after - 1)
}

function placeIn(
  entries: readonly Entry[],
  key: IndexKey,
): { readonly at: number; readonly isThere: boolean } {
  const compare = (index: number): number => {
    const entry = entries[index]
    return entry ? compareKeys(entry, key) : 1
  }
  const at = lowest(entries.length, (index) => compare(index) >= 0)
  return { at, isThere: compare(at) === 0 }
}

/** The first number below `count` of which `is` is true, if it is so of all after it; else `count`. */
function lowest(count: number, is: (index: number) => boolean): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >> 1
    if (is(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** As Portage sorts, by the texts of the CPVs, which are ASCII; then by the build's number. */
function compareKeys(a: IndexKey, b: IndexKey): number {
  if (a.cpv !== b.cpv) return a.cpv < b.cpv ? -1 : 1
  return a.binpkgBuildId - b.binpkgBuildId
}

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0)
}
