/**
 * The hub's API as the commands need it, over node:http alone: an upload of any size passes in constant memory, with
 * its length declared, and an answer that comes before its end is heard.
 */
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { buffer } from 'node:stream/consumers'
import { HUB_VERSION } from '../version.ts'
import { EXIT, exitStatusOf } from './exit-status.ts'
import { Failure, wrongUsage } from './failure.ts'

/** An ordinary request that is silent for so long is given up. Uploads may take as long as they need. */
const SILENCE_MS = 5 * 60_000
const KEEP_ALIVE_MS = 30_000
/** A piece of an upload that moves no byte for so long goes on over another connection. */
const CHUNK_SILENCE_MS = 2 * 60_000
/** A stream of events has a sign of life every 15 seconds. */
const STREAM_SILENCE_MS = 60_000

export interface Answer<T> {
  /** 200 or 201. */
  readonly status: number
  readonly body: T
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly nextCursor: string | null
}

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>

/** A body that is sent piece by piece. */
export interface StreamedBody {
  readonly contentType: string
  readonly sizeBytes: number
  readonly chunks: AsyncIterable<Buffer>
}

export class Client {
  readonly #base: URL
  readonly #prefix: string
  readonly #token: string | null

  /** @throws {Failure} wrong usage, when the address is none or the token cannot be one. */
  constructor(url: string, token: string | null) {
    this.#base = parseBase(url)
    this.#prefix = this.#base.pathname.replace(/\/+$/, '')
    if (token !== null && !/^[\x21-\x7e]+$/.test(token)) {
      throw wrongUsage('the token has spaces or other characters that no token has')
    }
    this.#token = token
  }

  /** The hub's address, without a slash at its end. */
  get address(): string {
    return this.#where()
  }

  get hasToken(): boolean {
    return this.#token !== null
  }

  /** @throws {Failure} as every method here: what the hub refuses, or that there is none. */
  async get<T>(path: string, query: Query = {}): Promise<T> {
    const { response, body } = await this.#send('GET', path, query)
    return parseJson(this.#where(), response, body) as T
  }

  /** The answer's bytes as text, whatever its type. */
  async text(path: string, query: Query = {}): Promise<string> {
    return (await this.#send('GET', path, query)).body.toString('utf8')
  }

  /** Up to `limit` items of a list, over as many pages of `mostPerPage` as it takes. */
  async list<T>(path: string, query: Query, limit: number, mostPerPage = 500): Promise<Page<T>> {
    const items: T[] = []
    let cursor: string | null = null
    do {
      const wanted: Query = { ...query, limit: Math.min(limit - items.length, mostPerPage), cursor }
      const page: Page<T> = await this.get<Page<T>>(path, wanted)
      items.push(...page.items)
      cursor = page.nextCursor
    } while (cursor !== null && items.length < limit)
    return { items, nextCursor: cursor }
  }

  /** A change. `content` is an object for a JSON body, bytes as they are, or undefined for none. */
  async change<T>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    query: Query,
    content?: object,
  ): Promise<Answer<T>> {
    const isBytes = Buffer.isBuffer(content)
    const body = isBytes ? content : content && Buffer.from(JSON.stringify(content))
    const contentType = isBytes ? 'application/octet-stream' : 'application/json'
    const { response, body: answer } = await this.#send(method, path, query, body && { contentType, body })
    return { status: response.statusCode ?? 0, body: parseJson(this.#where(), response, answer) as T }
  }

  /** Sends a body of known length as it comes. */
  async upload<T>(path: string, query: Query, content: StreamedBody): Promise<Answer<T>> {
    const { response, body } = await this.#exchange('POST', path, query, {
      headers: { 'Content-Type': content.contentType, 'Content-Length': content.sizeBytes },
      silenceMs: null,
      content,
    })
    refuseProblem(this.#where(), response, body)
    return { status: response.statusCode ?? 0, body: parseJson(this.#where(), response, body) as T }
  }

  /** A request whose answer is in its header fields, as tus has them. */
  async fields(
    method: string,
    path: string,
    headers: Readonly<Record<string, string | number>>,
    content: StreamedBody | null = null,
  ): Promise<IncomingHttpHeaders> {
    const ofContent = content && {
      'Content-Type': content.contentType,
      'Content-Length': content.sizeBytes,
    }
    const { response, body } = await this.#exchange(
      method,
      path,
      {},
      { headers: { ...headers, ...ofContent }, silenceMs: CHUNK_SILENCE_MS, content },
    )
    refuseProblem(this.#where(), response, body)
    return response.headers
  }

  /** The parts of an answer as they come, however long that takes; it ends with a failure when the connection breaks. */
  async *stream(path: string, query: Query, headers: Readonly<Record<string, string>>) {
    const request = this.#begin('GET', path, query, headers)
    request.setTimeout(STREAM_SILENCE_MS, () => request.destroy(new Error('nothing came for a minute')))
    try {
      const response = await answerTo(request.end())
      if (response.statusCode !== 200) refuseProblem(this.#where(), response, await buffer(response))
      for await (const part of response.setEncoding('utf8')) yield String(part)
    } catch (error) {
      throw error instanceof Failure ? error : unreachable(this.#where(), error)
    } finally {
      request.destroy()
    }
  }

  async #send(
    method: string,
    path: string,
    query: Query,
    content?: { readonly contentType: string; readonly body: Buffer },
  ): Promise<{ response: IncomingMessage; body: Buffer }> {
    const headers = content && {
      'Content-Type': content.contentType,
      'Content-Length': content.body.byteLength,
    }
    const exchanged = await this.#exchange(method, path, query, {
      headers: headers ?? {},
      silenceMs: SILENCE_MS,
      content: content === undefined ? null : { chunks: only(content.body) },
    })
    refuseProblem(this.#where(), exchanged.response, exchanged.body)
    return exchanged
  }

  async #exchange(
    method: string,
    path: string,
    query: Query,
    sent: {
      readonly headers: Readonly<Record<string, string | number>>
      /** null: as long as it takes. */
      readonly silenceMs: number | null
      readonly content: Pick<StreamedBody, 'chunks'> | null
    },
  ): Promise<{ response: IncomingMessage; body: Buffer }> {
    const request = this.#begin(method, path, query, sent.headers)
    const { silenceMs } = sent
    if (silenceMs !== null) {
      const silent = `it has not answered for ${String(silenceMs / 60_000)} minutes`
      request.setTimeout(silenceMs, () => request.destroy(new Error(silent)))
    }
    try {
      return await this.#answerOf(request, sent.content)
    } catch (error) {
      throw error instanceof Failure ? error : unreachable(this.#where(), error)
    } finally {
      request.destroy()
    }
  }

  #begin(
    method: string,
    path: string,
    query: Query,
    headers: Readonly<Record<string, string | number>>,
  ): ClientRequest {
    const { protocol, hostname, port } = this.#base
    const start = protocol === 'https:' ? httpsRequest : httpRequest
    const request = start({
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port,
      method,
      // Not through URL: it would resolve ".." in a path that the hub is to judge.
      path: this.#prefix + path + queryText(query),
      headers: {
        ...(this.#token === null ? {} : { Authorization: `Bearer ${this.#token}` }),
        'User-Agent': `portage-hub/${HUB_VERSION}`,
        ...headers,
      },
    })
    request.once('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS))
    return request
  }

  /** Waits for the answer, which may come while the body is still on its way: the rest is not sent then. */
  async #answerOf(
    request: ClientRequest,
    content: Pick<StreamedBody, 'chunks'> | null,
  ): Promise<{ response: IncomingMessage; body: Buffer }> {
    const { promise: answered, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const stop = new AbortController()
    request.once('response', resolve)
    request.on('error', reject)
    const sending =
      content === null ? Promise.resolve(request.end()) : pour(content.chunks, request, stop.signal)
    sending.catch((error: unknown) => {
      reject(error instanceof Error ? error : new Error(String(error)))
    })
    try {
      const response = await answered
      return { response, body: await buffer(response) }
    } finally {
      stop.abort()
    }
  }

  #where(): string {
    return this.#base.origin + this.#prefix
  }
}

async function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    request.once('response', resolve).on('error', reject)
  })
}

async function* only(content: Buffer): AsyncGenerator<Buffer> {
  yield content
}

/** Not by `pipeline`: it would end the connection, and with it the answer, when the hub stops taking. */
async function pour(
  chunks: AsyncIterable<Buffer>,
  request: ClientRequest,
  signal: AbortSignal,
): Promise<void> {
  for await (const chunk of chunks) {
    if (signal.aborted || request.destroyed) return
    if (!request.write(chunk)) await drained(request, signal)
  }
  request.end()
}

async function drained(request: ClientRequest, signal: AbortSignal): Promise<void> {
  try {
    await once(request, 'drain', { signal })
  } catch (error) {
    // Whoever waits for the answer hears of it.
    if (!signal.aborted && !request.destroyed) throw error
  }
}

function parseBase(url: string): URL {
  const base = URL.canParse(url) ? new URL(url) : null
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw wrongUsage(
      `${JSON.stringify(url.slice(0, 100))} is no address of a hub; one looks like https://hub.example`,
    )
  }
  if (base.username !== '' || base.password !== '') {
    throw wrongUsage('the address of the hub holds a name or password; give the token by HUB_TOKEN')
  }
  return base
}

function queryText(query: Query): string {
  const given = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== false,
  )
  if (given.length === 0) return ''
  return `?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString()}`
}

/** @throws {Failure} with the hub's own words when the answer is an error. */
function refuseProblem(where: string, response: IncomingMessage, body: Buffer): void {
  const status = response.statusCode ?? 0
  if (status >= 200 && status < 300) return
  const problem = isJson(response) ? asObject(body) : null
  if (problem === null || typeof problem['code'] !== 'string') throw noHub(where, response)
  const { code, title, detail, requestId } = problem
  // A refusal may have such a status too (there is no room): its detail is for whoever asked.
  if (code === 'fault') {
    const sentence = `the hub failed; its log says more of request ${asText(requestId) || '(unknown)'}`
    throw new Failure(code, sentence, exitStatusOf(status), problem)
  }
  throw new Failure(code, asText(detail) || asText(title) || code, exitStatusOf(status), problem)
}

function noHub(where: string, response: IncomingMessage): Failure {
  const { statusCode = 0, headers } = response
  const to = headers.location === undefined ? '' : ` to ${headers.location.slice(0, 200)}`
  const what =
    statusCode >= 300 && statusCode < 400
      ? `sends us away${to}; set HUB_URL to where the hub itself is`
      : `answers ${String(statusCode)}, and not as a hub does; check HUB_URL and what stands in front of it`
  return new Failure('hub.unreachable', `${where} ${what}`, EXIT.unreachable)
}

function unreachable(where: string, error: unknown): Failure {
  const { code, message } = deepest(error)
  const why = (code === undefined ? undefined : REASONS[code]) ?? message
  const sentence = ['ECONNRESET', 'EPIPE'].includes(code ?? '')
    ? `the hub at ${where} closed the connection before it answered; its log may say why`
    : `no hub answers at ${where}: ${why}\nstart one with "portage-hub serve", or set HUB_URL`
  return new Failure('hub.unreachable', sentence, EXIT.unreachable)
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no host of this name',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  ETIMEDOUT: 'the connection timed out',
  EHOSTUNREACH: 'the host cannot be reached',
}

/** A name with several addresses fails with one error for each; the last is as good as any. */
function deepest(error: unknown): NodeJS.ErrnoException {
  if (error instanceof AggregateError && error.errors.length > 0) return deepest(error.errors.at(-1))
  return error as NodeJS.ErrnoException
}

function parseJson(where: string, response: IncomingMessage, body: Buffer): object {
  const value = isJson(response) ? asObject(body) : null
  if (value === null) throw noHub(where, response)
  return value
}

function isJson(response: IncomingMessage): boolean {
  return /^application\/(?:[\w.-]+\+)?json\b/.test(response.headers['content-type'] ?? '')
}

function asObject(body: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
