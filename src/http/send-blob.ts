/**
 * Sends archived bytes: whole, a range, or only their header. They never change under their address, so they may be
 * kept for ever and every validator is strong. Source: RFC 9110 "Range Requests", "Conditional Requests"; RFC 9530.
 */
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Request, Response } from 'express'
import { HubError } from '../errors.ts'
import type { BuildRow } from '../records/builds.ts'

/** Fewer, larger reads: a GiB in chunks of the stream's usual 64 KiB costs twice the time. */
const CHUNK_BYTES = 1024 * 1024

type SentBlob = Pick<BuildRow, 'sha512' | 'sha256' | 'sizeBytes' | 'receivedAt'>

interface ByteRange {
  readonly start: number
  /** Inclusive. */
  readonly end: number
}

/** @throws {HubError} `request.range_not_satisfiable` for a range that begins after the end. */
export async function sendBlob(
  request: Request,
  response: Response,
  path: string,
  blob: SentBlob,
): Promise<void> {
  setHeader(response, blob)
  if (request.fresh) {
    response.status(304).end()
    return
  }
  const range = wantedRange(request, response, blob.sizeBytes)
  // Opened before anything is said: a blob that is lost is then a fault that can be answered.
  await using file = await open(path)
  const { start, end } = range ?? { start: 0, end: blob.sizeBytes - 1 }
  response.set('Content-Length', String(end - start + 1))
  if (range)
    response
      .status(206)
      .set('Content-Range', `bytes ${String(start)}-${String(end)}/${String(blob.sizeBytes)}`)
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  const source = file.createReadStream({ start, end, highWaterMark: CHUNK_BYTES, autoClose: false })
  try {
    await pipeline(source, response)
  } catch (error) {
    // A client that leaves is no fault of the hub.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

function setHeader(response: Response, blob: SentBlob): void {
  const scope = response.locals['principal'] === undefined ? 'public' : 'private'
  response.set({
    ETag: `"sha512-${blob.sha512}"`,
    'Last-Modified': new Date(blob.receivedAt).toUTCString(),
    'Cache-Control': `${scope}, max-age=31536000, immutable`,
    'Accept-Ranges': 'bytes',
    'Content-Type': 'application/octet-stream',
    'Repr-Digest': `sha-512=:${base64(blob.sha512)}:, sha-256=:${base64(blob.sha256)}:`,
  })
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}

/** Undefined: the whole. Several ranges at once are answered whole too, which RFC 9110 allows. */
function wantedRange(request: Request, response: Response, sizeBytes: number): ByteRange | undefined {
  const match = /^bytes=\s*(?:(\d+)-(\d*)|-(\d+))\s*$/i.exec(request.get('Range') ?? '')
  // Of other methods a range means nothing.
  if (!match || request.method !== 'GET' || !rangeHolds(request, response)) return undefined
  const [, first = '', last = '', suffix] = match
  if (last !== '' && Number(last) < Number(first)) return undefined
  const start = suffix === undefined ? Number(first) : Math.max(0, sizeBytes - Number(suffix))
  const end = last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1)
  if (start <= end) return { start, end }
  response.set('Content-Range', `bytes */${String(sizeBytes)}`)
  throw new HubError('request.range_not_satisfiable', `the file has ${String(sizeBytes)} bytes`)
}

/** `If-Range`: a range only of the very bytes that the client has the beginning of. */
function rangeHolds(request: Request, response: Response): boolean {
  const condition = request.get('If-Range')
  return (
    condition === undefined ||
    condition === response.get('ETag') ||
    condition === response.get('Last-Modified')
  )
}
