/** Requests to `/api/v1/uploads`, field by field, as no polite client of tus sends them. */
import { createHash } from 'node:crypto'
import { send } from './raw-http.ts'
import type { RawReply } from './raw-http.ts'
import type { TestHub } from './test-hub.ts'

export const TUS = { 'Tus-Resumable': '1.0.0' }
export const UPLOADS = '/api/v1/uploads'
export const CHUNK_TYPE = 'application/offset+octet-stream'

type Where = Pick<TestHub, 'url'>

interface More {
  readonly token?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly path?: string
}

/** `POST /uploads` for so many bytes. */
export async function beginRaw(hub: Where, sizeBytes: number | string, more: More = {}): Promise<RawReply> {
  return await send(hub.url, {
    method: 'POST',
    path: UPLOADS,
    ...more,
    headers: { ...TUS, 'Upload-Length': String(sizeBytes), ...more.headers },
  })
}

/** The id of a new upload. */
export async function begin(hub: Where, sizeBytes: number, more: More = {}): Promise<string> {
  const reply = await beginRaw(hub, sizeBytes, more)
  if (reply.status !== 201) throw new Error(reply.text)
  return String(reply.json['id'])
}

/** `PATCH /uploads/{id}`. */
export async function patch(
  hub: Where,
  id: string,
  offset: number | string,
  body: Buffer | AsyncIterable<Buffer>,
  more: More = {},
): Promise<RawReply> {
  return await send(hub.url, {
    method: 'PATCH',
    path: `${UPLOADS}/${id}`,
    body,
    ...more,
    headers: { ...TUS, ...chunkHead(offset), ...more.headers },
  })
}

export function chunkHead(offset: number | string): Readonly<Record<string, string>> {
  return { 'Content-Type': CHUNK_TYPE, 'Upload-Offset': String(offset) }
}

/** `HEAD /uploads/{id}`. */
export async function head(hub: Where, id: string, more: More = {}): Promise<RawReply> {
  return await send(hub.url, {
    method: 'HEAD',
    path: `${UPLOADS}/${id}`,
    ...more,
    headers: { ...TUS, ...more.headers },
  })
}

/** Where the upload stands, as `HEAD` tells it. */
export async function offsetOf(hub: Where, id: string, more: More = {}): Promise<number> {
  const { status, headers } = await head(hub, id, more)
  if (status !== 200) throw new Error(`HEAD answers ${String(status)}`)
  return Number(headers['upload-offset'])
}

/** `DELETE /uploads/{id}`. */
export async function end(hub: Where, id: string, more: More = {}): Promise<RawReply> {
  return await send(hub.url, {
    method: 'DELETE',
    path: `${UPLOADS}/${id}`,
    ...more,
    headers: { ...TUS, ...more.headers },
  })
}

/** An upload with all of its bytes. */
export async function finished(hub: Where, bytes: Buffer, more: More = {}): Promise<string> {
  const id = await begin(hub, bytes.byteLength, more)
  const reply = await patch(hub, id, 0, bytes, more)
  if (reply.status !== 204) throw new Error(reply.text)
  return id
}

/** The value of `Upload-Checksum`. */
export function checksum(algorithm: string, bytes: Buffer): string {
  return `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`
}
