/** Turns what a handler threw into `application/problem+json` (RFC 9457). A fault tells its request id and no more. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ErrorRequestHandler, Request, RequestHandler } from 'express'
import { MulterError } from 'multer'
import { ERRORS, HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { answerProblemPage, wantsPage } from './pages/frame.ts'
import { shownPath } from './shown-path.ts'
import { tooLarge } from '../builds/receive-bytes.ts'

type Needs = Pick<Hub, 'log' | 'config'>

/** What a client may still be sending when it is refused, and the hub takes and drops so that it hears the answer. */
const DROPPED_BYTES = 256 * 1024 * 1024

/** What a handler may have said of the content before it failed; of the problem document it would be wrong. */
const OF_THE_CONTENT = [
  'ETag',
  'Last-Modified',
  'Repr-Digest',
  'Content-Disposition',
  'Content-Length',
] as const

export function errorHandler(hub: Needs): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    const problem = problemOfFailure(hub, error, request, response)
    if (response.headersSent) response.destroy()
    else if (wantsPage(request)) answerProblemPage(request, response, problem)
    else sendProblem(request, response, problem)
  }
}

/** Answers with the problem; where an answer has begun already, it is cut. */
export function answerFailure(
  hub: Needs,
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const problem = problemOfFailure(hub, error, request, response)
  if (response.headersSent) response.destroy()
  else sendProblem(request, response, problem)
}

/** What there is to tell of it. A fault is logged. */
function problemOfFailure(
  hub: Needs,
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
): Problem {
  const refusal = refusalOf(hub, error, request)
  const status = refusal === null ? 500 : ERRORS[refusal.code].status
  if (status >= 500) {
    const what = refusal === null ? 'a request failed' : 'a request was refused'
    hub.log.error({ err: error, requestId: requestId(response), path: pathOf(request) }, what)
  }
  return refusal === null ? FAULT : problemOf(refusal)
}

/** For addresses that no route took. */
export const notFound: RequestHandler = (request) => {
  throw unknownAddress(request)
}

export function unknownAddress(request: IncomingMessage): HubError {
  return new HubError(
    'request.unknown_route',
    `there is no ${JSON.stringify(pathOf(request).slice(0, 200))}; docs/api.md lists the addresses`,
  )
}

/** The path as it was asked for; Express shortens `url` within its routers. */
function pathOf(request: IncomingMessage): string {
  const url = (request as Partial<Request>).originalUrl ?? request.url ?? ''
  return shownPath(url)
}

interface Problem extends Record<string, unknown> {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
}

const FAULT: Problem = { status: 500, code: 'fault', title: 'The hub failed', detail: 'see the hub’s log' }

function problemOf({ code, message, extra }: HubError): Problem {
  const { status, title } = ERRORS[code]
  return { ...extra, status, code, title, detail: message }
}

function sendProblem(request: IncomingMessage, response: ServerResponse, problem: Problem): void {
  if (!request.complete && Number(request.headers['content-length'] ?? Infinity) > DROPPED_BYTES) {
    response.setHeader('Connection', 'close')
  }
  for (const name of OF_THE_CONTENT) response.removeHeader(name)
  if (problem.status === 401) response.setHeader('WWW-Authenticate', challengeFor(request))
  if (typeof problem['retryAfterSec'] === 'number')
    response.setHeader('Retry-After', String(problem['retryAfterSec']))
  const body = JSON.stringify({ type: 'about:blank', ...problem, requestId: requestId(response) }) + '\n'
  response.writeHead(problem.status, {
    'Cache-Control': 'no-store',
    'Content-Type': 'application/problem+json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/**
 * Asked for Basic, a browser would ask people for a name and a password, while a script of a page waits for the answer of
 * the API. What Portage, git and wget fetch always asks for Basic.
 */
function challengeFor(request: IncomingMessage): string {
  const mode = request.headers['sec-fetch-mode']
  const isScript = pathOf(request).startsWith('/api/') && mode !== undefined && mode !== 'navigate'
  return `${isScript ? 'Bearer' : 'Basic'} realm="portage-hub", charset="UTF-8"`
}

function refusalOf(hub: Needs, error: unknown, request: IncomingMessage): HubError | null {
  if (error instanceof HubError) return error
  if (error instanceof MulterError) return refusalOfMulter(hub, error)
  const { type, status, code, message } = error as {
    type?: string
    status?: number
    code?: string
    message?: string
  }
  if (type === 'entity.too.large') return new HubError('request.too_large', 'send a smaller body')
  if (type === 'entity.parse.failed') return new HubError('request.invalid', 'the body is not JSON')
  if (error instanceof URIError || (status !== undefined && status >= 400 && status < 500)) {
    return new HubError('request.invalid', `the request cannot be read: ${(message ?? '').slice(0, 200)}`)
  }
  const isCut =
    code === 'ECONNRESET' ||
    /^(Unexpected end of form|Request aborted|Request closed|aborted)/.test(message ?? '')
  const unstored = refusalOfDisk(error, code)
  if (unstored !== null) return unstored
  // A request that came whole is destroyed too, once it is read: what fails after that is no cut.
  if (isCut || (request.destroyed && !request.complete)) {
    return new HubError(
      'request.truncated',
      'the request ended before its end; nothing was kept, send it again',
    )
  }
  if (/^(Multipart|Malformed|Unsupported content type)/.test(message ?? '')) {
    return new HubError('request.invalid', `the form cannot be read: ${(message ?? '').slice(0, 200)}`)
  }
  return null
}

/** What a disk says, through a file or through the database, that takes no more or nothing at all. */
function refusalOfDisk(cause: unknown, code = ''): HubError | null {
  const why = /^(?:ENOSPC|EDQUOT|SQLITE_FULL)$/.test(code)
    ? 'is full'
    : /^(?:EROFS|SQLITE_READONLY.*)$/.test(code)
      ? 'is read-only'
      : null
  if (why === null) return null
  const detail = `the hub's disk ${why}; send it again when the hub's administrator has seen to that`
  return new HubError('storage.full', detail, {}, { cause })
}

function refusalOfMulter(hub: Pick<Hub, 'config'>, error: MulterError): HubError {
  if (error.code === 'LIMIT_FILE_SIZE') return tooLarge(hub.config.maxUploadBytes)
  const field = error.field === undefined ? '' : ` (${JSON.stringify(error.field.slice(0, 100))})`
  return new HubError('request.invalid', `the form is not as documented: ${error.message}${field}`)
}

export function requestId(response: ServerResponse): string {
  return String(response.getHeader('X-Request-Id') ?? '')
}
