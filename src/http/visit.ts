/**
 * One request to an address that nodes poll, and its answer, by node:http alone: Express would cost several times what
 * the whole answer does.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import fresh from 'fresh'
import type { Principal } from '../access/rights.ts'
import { HubError } from '../errors.ts'

export type Headers = Readonly<Record<string, string>>

export class Visit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Parts of the path, decoded: `/git/a.git/info/refs` is `['git', 'a.git', 'info', 'refs']`. */
  readonly segments: readonly string[]
  /** Who asks; null for somebody without a token. */
  principal: Principal | null = null
  readonly #query: string
  readonly #common: Headers

  /**
   * @param common headers of every answer. Given here, since setting them one by one takes a third of a small answer.
   * @throws {HubError} `request.invalid` for a path that cannot be decoded.
   */
  constructor(request: IncomingMessage, response: ServerResponse, common: Headers = {}) {
    this.request = request
    this.response = response
    this.#common = common
    const url = request.url ?? '/'
    const end = url.indexOf('?')
    this.segments = segmentsOf(end < 0 ? url : url.slice(0, end))
    this.#query = end < 0 ? '' : url.slice(end + 1)
  }

  /** A header of the request by its lower-case name. */
  header(name: string): string | undefined {
    const value = this.request.headers[name]
    return typeof value === 'string' ? value : undefined
  }

  query(name: string): string | null {
    return this.#query === '' ? null : new URLSearchParams(this.#query).get(name)
  }

  get isHead(): boolean {
    return this.request.method === 'HEAD'
  }

  /** Whether the client has what these validators name, so that 304 is the answer. RFC 9110 "Conditional Requests". */
  isFresh(validators: { readonly etag: string; readonly 'last-modified'?: string }): boolean {
    const { headers, method } = this.request
    return (method === 'GET' || method === 'HEAD') && fresh(headers, validators)
  }

  /** What a cache on the way may keep: nothing that needed a token. */
  get cacheScope(): 'public' | 'private' {
    return this.principal === null ? 'public' : 'private'
  }

  /** Begins an answer whose body follows. */
  begin(status: number, headers: Headers): void {
    this.response.writeHead(status, { ...this.#common, ...headers })
  }

  /** Tells a client that it has the newest already. What goes with content went with that. */
  answerUnchanged(headers: Headers): void {
    const requestId = this.#common['X-Request-Id']
    this.response.writeHead(
      304,
      requestId === undefined ? headers : { 'X-Request-Id': requestId, ...headers },
    )
    this.response.end()
  }

  /**
   * Answers at once. A body is left out for HEAD, but not its length. One that lies in pieces is sent as these: joining them
   * would copy it for each answer.
   */
  answer(status: number, headers: Headers, body?: Buffer | string | readonly Buffer[]): void {
    const pieces = body === undefined || isPieces(body) ? body : [body]
    const bytes = pieces?.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0)
    this.begin(status, { ...headers, ...(bytes !== undefined && { 'Content-Length': String(bytes) }) })
    if (!pieces || this.isHead) {
      this.response.end()
      return
    }
    if (pieces.length > 1) this.response.cork()
    for (const piece of pieces.slice(0, -1)) this.response.write(piece)
    this.response.end(pieces.at(-1))
  }
}

function isPieces(body: Buffer | string | readonly Buffer[]): body is readonly Buffer[] {
  return Array.isArray(body)
}

function segmentsOf(path: string): readonly string[] {
  const raw = path.slice(1).split('/')
  if (!path.includes('%')) return raw
  try {
    return raw.map(decodeURIComponent)
  } catch (error) {
    throw new HubError('request.invalid', 'the path cannot be decoded', {}, { cause: error })
  }
}
