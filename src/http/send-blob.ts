/**
 * Sends archived bytes: whole, a range, or only their header. They never change under their address, so they may be
 * kept for ever and every validator is strong. Source: RFC 9110 "Range Requests", "Conditional Requests"; RFC 9530.
 */
import { open, readFile } from 'node:fs/promises'
import { ByteCache } from '../byte-cache.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import { pumpFile } from './pump-file.ts'
import type { Headers, Visit } from './visit.ts'

/** Smaller blobs are sent from memory once they were asked for: opening a file costs more than sending it. */
const SMALL_BYTES = 64 * 1024
const KEPT_BYTES = 64 * 1024 * 1024

type SentBlob = Pick<BuildRow, 'sha512' | 'sha256' | 'sizeBytes' | 'receivedAt'>

interface ByteRange {
  readonly start: number
  /** Inclusive. */
  readonly end: number
}

/** Validators and header of a blob; the same for all who ask. */
interface Described {
  readonly etag: string
  readonly lastModified: string
  readonly headers: Headers
}

export class BlobSender {
  readonly #hub: Pick<Hub, 'blobs' | 'config'>
  readonly #small = new ByteCache<Buffer>(KEPT_BYTES)
  readonly #described = new WeakMap<SentBlob, Described>()

  constructor(hub: Pick<Hub, 'blobs' | 'config'>) {
    this.#hub = hub
  }

  /** @throws {HubError} `request.range_not_satisfiable` for a range that begins after the end. */
  async send(visit: Visit, blob: SentBlob): Promise<void> {
    const described = this.#describe(blob)
    const { etag, lastModified } = described
    const headers = {
      ...described.headers,
      'Cache-Control': `${visit.cacheScope}, max-age=31536000, immutable`,
    }
    if (this.#hub.config.accelRedirect !== null) {
      this.#handOver(visit, blob, headers)
    } else if (visit.isFresh({ etag, 'last-modified': lastModified })) {
      visit.answerUnchanged(headers)
    } else {
      await this.#sendBytes(visit, blob, headers, wantedRange(visit, described, blob.sizeBytes))
    }
  }

  #describe(blob: SentBlob): Described {
    const known = this.#described.get(blob)
    if (known) return known
    const etag = `"sha512-${blob.sha512}"`
    const lastModified = new Date(blob.receivedAt).toUTCString()
    const headers = {
      ETag: etag,
      'Last-Modified': lastModified,
      'Accept-Ranges': 'bytes',
      'Content-Type': 'application/octet-stream',
      'Repr-Digest': `sha-512=:${base64(blob.sha512)}:, sha-256=:${base64(blob.sha256)}:`,
    }
    const described = { etag, lastModified, headers }
    this.#described.set(blob, described)
    return described
  }

  /** The server in front sends the file itself; it judges ranges and conditions too. */
  #handOver(visit: Visit, blob: SentBlob, headers: Headers): void {
    const place = `${this.#hub.config.accelRedirect ?? ''}/${this.#hub.blobs.archiveName(blob.sha512)}`
    visit.answer(200, { ...headers, 'X-Accel-Redirect': place }, '')
  }

  async #sendBytes(visit: Visit, blob: SentBlob, headers: Headers, range: ByteRange | null): Promise<void> {
    const { start, end } = range ?? { start: 0, end: blob.sizeBytes - 1 }
    const status = range === null ? 200 : 206
    const part: Headers =
      range === null
        ? {}
        : { 'Content-Range': `bytes ${String(start)}-${String(end)}/${String(blob.sizeBytes)}` }
    const path = this.#hub.blobs.path(blob.sha512)
    if (blob.sizeBytes <= SMALL_BYTES) {
      const bytes = this.#small.get(blob.sha512) ?? (await this.#readSmall(path, blob))
      visit.answer(status, { ...headers, ...part }, bytes.subarray(start, end + 1))
      return
    }
    // Opened before anything is said: a blob that is lost is then a fault that can be answered.
    await using file = await open(path)
    visit.begin(status, { ...headers, ...part, 'Content-Length': String(end - start + 1) })
    if (visit.isHead) visit.response.end()
    else await pumpFile(file, visit.response, start, end)
  }

  async #readSmall(path: string, { sha512, sizeBytes }: SentBlob): Promise<Buffer> {
    const bytes = await readFile(path)
    if (bytes.byteLength !== sizeBytes) throw new Error(`${path} has another size than its record.`)
    this.#small.set(sha512, bytes, sizeBytes)
    return bytes
  }
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}

/** Null: the whole. Several ranges at once are answered whole too, which RFC 9110 allows. */
function wantedRange(visit: Visit, described: Described, sizeBytes: number): ByteRange | null {
  const header = visit.header('range')
  // Of other methods a range means nothing.
  if (header === undefined || visit.request.method !== 'GET' || !rangeHolds(visit, described)) return null
  const match = /^bytes=\s*(?:(\d+)-(\d*)|-(\d+))\s*$/i.exec(header)
  if (!match) return null
  const [, first = '', last = '', suffix] = match
  if (last !== '' && Number(last) < Number(first)) return null
  const start = suffix === undefined ? Number(first) : Math.max(0, sizeBytes - Number(suffix))
  const end = last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1)
  if (start <= end) return { start, end }
  visit.response.setHeader('Content-Range', `bytes */${String(sizeBytes)}`)
  throw new HubError('request.range_not_satisfiable', `the file has ${String(sizeBytes)} bytes`)
}

/** `If-Range`: a range only of the very bytes that the client has the beginning of. */
function rangeHolds(visit: Visit, { etag, lastModified }: Described): boolean {
  const condition = visit.header('if-range')
  return condition === undefined || condition === etag || condition === lastModified
}
