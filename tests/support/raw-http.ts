/** HTTP below supertest: bodies that stream, addresses that no polite client sends, connections that break off. */
import { once } from 'node:events'
import { readdirSync, watch } from 'node:fs'
import { request } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { ADMIN_TOKEN } from './test-hub.ts'

export interface RawReply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
  /** The body as JSON; throws when it is none. */
  readonly json: Record<string, unknown>
}

export interface RawRequest {
  readonly method?: string
  /** Sent as it is, without any clean-up. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** A stream goes out in chunks, without a length. */
  readonly body?: Buffer | AsyncIterable<Buffer>
  /** The administrator's unless another is given; null for none. */
  readonly token?: string | null
}

/** Sends one request on a connection of its own and reads the whole answer, also one that comes before the body's end. */
export async function send(url: string, wanted: RawRequest): Promise<RawReply> {
  const { method = 'GET', path, headers = {}, body, token = ADMIN_TOKEN } = wanted
  const { hostname, port } = new URL(url)
  const authorization = token === null ? {} : { Authorization: `Bearer ${token}` }
  const outgoing = request({ hostname, port, method, path, agent: false })
  for (const [name, value] of Object.entries({ ...authorization, ...headers }))
    outgoing.setHeader(name, value)
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>
  if (body === undefined || Buffer.isBuffer(body)) outgoing.end(body)
  else
    pipeline(Readable.from(body, { objectMode: false }), outgoing).catch(() => {
      // A refusal may end the connection before the body's end: what counts is the answer.
    })
  const [incoming] = await answered
  const received = await buffer(incoming)
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    body: received,
    text: received.toString('utf8'),
    get json() {
      return JSON.parse(received.toString('utf8')) as Record<string, unknown>
    },
  }
}

export interface RawConnection {
  readonly socket: Socket
  /** All that came back, when the hub closes. */
  readonly answer: Promise<string>
  /** What has come back, as soon as there is an answer. */
  readonly firstAnswer: Promise<string>
}

/** A connection on which the test writes whatever bytes it likes. */
export async function openSocket(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  await once(socket, 'connect')
  // Broken connections are what these tests make.
  socket.on('error', () => {})
  let received = ''
  const firstAnswer = new Promise<string>((resolve) => {
    socket.setEncoding('utf8').on('data', (text: string) => resolve((received += text)))
  })
  const answer = new Promise<string>((resolve) => {
    for (const end of ['end', 'close']) socket.once(end, () => resolve(received))
  })
  return { socket, answer, firstAnswer }
}

export function requestHead(line: string, headers: Readonly<Record<string, string | number>>): string {
  const all = { Host: 'hub.example', Authorization: `Bearer ${ADMIN_TOKEN}`, ...headers }
  return `${line} HTTP/1.1\r\n${Object.entries(all)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`
}

export const BOUNDARY = 'the-line-between-the-parts'
export const FORM_TYPE = `multipart/form-data; boundary=${BOUNDARY}`

/** The body of a form, byte by byte; a Buffer is a file. */
export function formBody(parts: Readonly<Record<string, string | Buffer>>): Buffer {
  const pieces = Object.entries(parts).map(([name, value]) =>
    Buffer.concat([
      Buffer.from(
        Buffer.isBuffer(value)
          ? `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"; filename="f"\r\nContent-Type: application/octet-stream\r\n\r\n`
          : `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`,
      ),
      Buffer.from(value),
      Buffer.from('\r\n'),
    ]),
  )
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)])
}

/** Waits until the folder of uploads holds so many files, told by the file system; fails after ten seconds. */
export async function uploadsReach(directory: string, count: number): Promise<void> {
  const folder = join(directory, 'var', 'uploads')
  const names = (): readonly string[] => readdirSync(folder)
  const watcher = watch(folder)
  const limit = AbortSignal.timeout(10_000)
  try {
    while (names().length !== count) await once(watcher, 'change', { signal: limit })
  } catch (error) {
    throw new Error(`uploads hold ${names().join(', ') || 'nothing'}; ${String(count)} expected`, {
      cause: error,
    })
  } finally {
    watcher.close()
  }
}
