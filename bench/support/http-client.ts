/** Requests of a measurement's own: preparing a hub, and checking that what a server answers under load is right. */
import { createReadStream } from 'node:fs'
import { Agent, request as startRequest } from 'node:http'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import type { IncomingMessage } from 'node:http'

export interface HttpRequest {
  readonly url: string
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  /** Bytes, or the path of a file that is streamed. */
  readonly body?: Buffer | { readonly file: string; readonly sizeBytes: number }
  readonly agent?: Agent
}

export interface HttpReply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

const sharedAgent = new Agent({ keepAlive: true, maxSockets: 64 })

/** Asks and reads the whole answer. */
export async function ask(question: HttpRequest): Promise<HttpReply> {
  const response = await open(question)
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }
}

/** `Authorization` as git, wget and curl send a token. */
export function basicAuth(token: string): string {
  return `Basic ${Buffer.from(`node:${token}`).toString('base64')}`
}

async function open({ url, method = 'GET', headers = {}, body, agent = sharedAgent }: HttpRequest) {
  const length =
    body === undefined ? {} : { 'Content-Length': Buffer.isBuffer(body) ? body.byteLength : body.sizeBytes }
  const request = startRequest(url, { method, agent, headers: { ...headers, ...length } })
  const answered = once(request, 'response') as Promise<[IncomingMessage]>
  if (body === undefined || Buffer.isBuffer(body)) request.end(body)
  else {
    // A server may answer before it has read all: its answer counts then, not the broken pipe.
    await Promise.race([pipeline(createReadStream(body.file, { highWaterMark: 2 ** 20 }), request), answered])
  }
  const [response] = await answered
  return response
}
