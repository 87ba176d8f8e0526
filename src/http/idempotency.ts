/** `Idempotency-Key`: the same change sent again, by a client that never heard the answer, gets the first answer. */
import { createHash } from 'node:crypto'
import type { Request, RequestHandler, Response } from 'express'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { principalOf } from './auth.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'turns'>

/** For routes with JSON bodies; uploads are repeatable by their build number. */
export function idempotent(hub: Needs): RequestHandler {
  return (request, response, next) => {
    const key = request.get('Idempotency-Key')
    if (key === undefined || request.method === 'GET' || request.method === 'HEAD') {
      next()
      return
    }
    if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
      throw new HubError('request.invalid', 'Idempotency-Key has 1 to 255 visible ASCII characters')
    }
    const { tokenId } = principalOf(response)
    // The next one with this key waits until this one is answered, and then finds the answer.
    void hub.turns
      .run(`idempotency:${tokenId}:${key}`, async () => {
        if (await replay(hub, request, response, tokenId, key)) return
        const answered = rememberAnswer(hub, request, response, tokenId, key)
        next()
        await answered
      })
      .catch(next)
  }
}

async function replay(
  hub: Needs,
  request: Request,
  response: Response,
  tokenId: string,
  key: string,
): Promise<boolean> {
  const known = await hub.records.idempotency.find(tokenId, key)
  if (!known) return false
  if (known.fingerprint !== fingerprintOf(request)) {
    throw new HubError(
      'request.idempotency_mismatch',
      'this Idempotency-Key was sent with another request; use a new one',
    )
  }
  response.set('Idempotency-Replayed', 'true').status(known.status).json(JSON.parse(known.body))
  return true
}

/** Keeps the JSON answer before it is sent; faults and refusals are not kept, so that they can be tried again. */
function rememberAnswer(
  hub: Needs,
  request: Request,
  response: Response,
  tokenId: string,
  key: string,
): Promise<void> {
  const fingerprint = fingerprintOf(request)
  const send = response.json.bind(response)
  return new Promise((resolve) => {
    response.once('close', resolve)
    response.json = (body: unknown) => {
      const row = { tokenId, key, fingerprint, status: response.statusCode, body: JSON.stringify(body) }
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

function fingerprintOf(request: Request): string {
  const text = JSON.stringify([request.method, request.originalUrl, request.body ?? null])
  return createHash('sha256').update(text).digest('hex')
}
