/** `Idempotency-Key`: the same change sent again, by a client that never heard the answer, gets the first answer. */
import { createHash } from 'node:crypto'
import type { Request, RequestHandler, Response } from 'express'
import { timestamp } from '../clock.ts'
import { isEnrolment } from '../access/rights.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { IdempotencyRow } from '../records/idempotency.ts'
import { principalOf } from './auth.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'turns'>

/** For routes with JSON bodies. An upload is repeatable by its number, and without one by `findUploadOfKey`. */
export function idempotent(hub: Needs): RequestHandler {
  return (request, response, next) => {
    const key = keyOf(request)
    if (
      key === null ||
      request.method === 'GET' ||
      request.method === 'HEAD' ||
      repeatsItself(request, response)
    ) {
      next()
      return
    }
    const { id: principal } = principalOf(response)
    // The next one with this key waits until this one is answered, and then finds the answer.
    void hub.turns
      .run(`idempotency:${principal}:${key}`, async () => {
        if (await replay(hub, request, response, principal, key)) return
        const answered = rememberAnswer(hub, request, response, principal, key)
        next()
        await answered
      })
      .catch(next)
  }
}

/** An enrolment has a way of its own, which gives the token again; this one would not. */
function repeatsItself(request: Request, response: Response): boolean {
  const { retrySecret } = (request.body ?? {}) as { readonly retrySecret?: unknown }
  return isEnrolment(principalOf(response)) || (request.path === '/nodes' && typeof retrySecret === 'string')
}

/** The key that a request carries. @throws {HubError} `request.invalid`. */
export function keyOf(request: Request): string | null {
  const key = request.get('Idempotency-Key')
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key ?? null
  throw new HubError('request.invalid', 'Idempotency-Key has 1 to 255 visible ASCII characters')
}

interface UploadKey {
  readonly principal: string
  readonly key: string
  readonly app: string
}

/**
 * The build that an upload with this key made; null for the first one.
 * @throws {HubError} `request.idempotency_mismatch` when the key was used for something else.
 */
export async function findUploadOfKey(
  hub: Needs,
  { principal, key, app }: UploadKey,
): Promise<number | null> {
  const known = await hub.records.idempotency.find(principal, key)
  if (!known) return null
  if (known.fingerprint !== `upload ${app}`) throw mismatch()
  return (JSON.parse(known.body) as { build: number }).build
}

/** What to record with the build of an upload that carried a key. */
export function uploadKeyRow(
  hub: Pick<Hub, 'clock'>,
  { principal, key, app, build }: UploadKey & { readonly build: number },
): IdempotencyRow {
  const createdAt = timestamp(hub.clock.now())
  return {
    principal,
    key,
    fingerprint: `upload ${app}`,
    status: 201,
    body: JSON.stringify({ build }),
    createdAt,
  }
}

function mismatch(): HubError {
  return new HubError(
    'request.idempotency_mismatch',
    'this Idempotency-Key was sent with another request; use a new one',
  )
}

async function replay(
  hub: Needs,
  request: Request,
  response: Response,
  principal: string,
  key: string,
): Promise<boolean> {
  const known = await hub.records.idempotency.find(principal, key)
  if (!known) return false
  if (known.fingerprint !== fingerprintOf(request)) throw mismatch()
  response.set('Idempotency-Replayed', 'true').status(known.status).json(JSON.parse(known.body))
  return true
}

/** Keeps the JSON answer before it is sent; faults and refusals are not kept, so that they can be tried again. */
function rememberAnswer(
  hub: Needs,
  request: Request,
  response: Response,
  principal: string,
  key: string,
): Promise<void> {
  const fingerprint = fingerprintOf(request)
  const send = response.json.bind(response)
  return new Promise((resolve) => {
    response.once('close', resolve)
    response.json = (body: unknown) => {
      const row = { principal, key, fingerprint, status: response.statusCode, body: withoutSecret(body) }
      hub.records.idempotency
        .add({ ...row, createdAt: timestamp(hub.clock.now()) })
        .then(
          () => send(body),
          () => send(body),
        )
        .finally(resolve)
      return response
    }
  })
}

/** What is shown once and stored nowhere: a repeated answer has null for it. */
const SHOWN_ONCE = ['token', 'link', 'secret']

/** The JSON to keep. */
function withoutSecret(body: unknown): string {
  return JSON.stringify(body, (name, value: unknown) => (SHOWN_ONCE.includes(name) ? null : value))
}

function fingerprintOf(request: Request): string {
  const text = JSON.stringify([request.method, request.originalUrl, request.body ?? null])
  return createHash('sha256').update(text).digest('hex')
}
