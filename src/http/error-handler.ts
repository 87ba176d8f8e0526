/** Turns what a handler threw into `application/problem+json` (RFC 9457). A fault tells its request id and no more. */
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import { MulterError } from 'multer'
import { ERRORS, HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { tooLarge } from '../builds/receive-bytes.ts'

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

export function errorHandler(hub: Pick<Hub, 'log' | 'config'>): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error)
      return
    }
    const refusal = refusalOf(hub, error, request)
    if (refusal === null) {
      hub.log.error({ err: error, requestId: requestId(response), path: request.path }, 'a request failed')
      sendProblem(request, response, {
        status: 500,
        code: 'fault',
        title: 'The hub failed',
        detail: 'see the hub’s log',
      })
      return
    }
    const { status, title } = ERRORS[refusal.code]
    if (status >= 500) {
      hub.log.error(
        { err: refusal, requestId: requestId(response), path: request.path },
        'a request was refused',
      )
    }
    sendProblem(request, response, {
      ...refusal.extra,
      status,
      code: refusal.code,
      title,
      detail: refusal.message,
    })
  }
}

/** For addresses that no route took. */
export const notFound: RequestHandler = (request) => {
  const path = request.path.slice(0, 200)
  throw new HubError(
    'request.unknown_route',
    `there is no ${JSON.stringify(path)}; docs/api.md lists the addresses`,
  )
}

interface Problem extends Record<string, unknown> {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
}

function sendProblem(request: Request, response: Response, problem: Problem): void {
  if (!request.complete && Number(request.headers['content-length'] ?? Infinity) > DROPPED_BYTES) {
    response.set('Connection', 'close')
  }
  for (const name of OF_THE_CONTENT) response.removeHeader(name)
  response.set('Cache-Control', 'no-store')
  if (problem.status === 401) response.set('WWW-Authenticate', 'Basic realm="portage-hub", charset="UTF-8"')
  response
    .status(problem.status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', ...problem, requestId: requestId(response) }) + '\n')
}

function refusalOf(hub: Pick<Hub, 'config'>, error: unknown, request: Request): HubError | null {
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

function refusalOfMulter(hub: Pick<Hub, 'config'>, error: MulterError): HubError {
  if (error.code === 'LIMIT_FILE_SIZE') return tooLarge(hub.config.maxUploadBytes)
  const field = error.field === undefined ? '' : ` (${JSON.stringify(error.field.slice(0, 100))})`
  return new HubError('request.invalid', `the form is not as documented: ${error.message}${field}`)
}

export function requestId(response: Response): string {
  return String(response.getHeader('X-Request-Id') ?? '')
}
