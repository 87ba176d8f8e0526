import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { LookupFunction } from 'node:net'
import { ForbiddenAddress } from '../outside-address.ts'
import type { AddressRule } from '../outside-address.ts'
import { beginOutside, outsideFailure } from '../outside-request.ts'

/** From the look-up of the name to the end of the answer. */
const TIME_LIMIT_MS = 10_000
/** So much of an answer is taken, and dropped: what it says besides its status is of no use. */
const ANSWER_BYTES = 64 * 1024

export interface Outcome {
  /** HTTP's, or SMTP's; null: nothing was answered. */
  readonly status: number | null
  /** Null: it was taken. */
  readonly error: string | null
  /** No later attempt could end otherwise. */
  readonly isFinal?: boolean
}

export interface Way {
  readonly isAllowed: AddressRule
  readonly lookup: LookupFunction
  /** Given up by the hub, for example at its end. */
  readonly signal: AbortSignal
  readonly timeLimitMs?: number
}

/**
 * Sends one body by POST, over a connection of its own, and follows no redirect: where that leads was not judged.
 * @throws the signal's reason when it is given up; everything else is an outcome.
 */
export async function postWebhook(
  url: string,
  message: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
  { isAllowed, lookup, signal, timeLimitMs = TIME_LIMIT_MS }: Way,
): Promise<Outcome> {
  const late = AbortSignal.timeout(timeLimitMs)
  let request: ReturnType<typeof beginOutside> | undefined
  try {
    request = beginOutside(new URL(url), {
      method: 'POST',
      headers: { ...message.headers, 'Content-Length': Buffer.byteLength(message.body) },
      isAllowed,
      lookup,
      signal: AbortSignal.any([signal, late]),
    })
    // Whatever comes after the answer's status changes nothing.
    request.on('error', () => undefined)
    const answered = once(request, 'response') as Promise<[IncomingMessage]>
    request.end(message.body)
    const [response] = await answered
    await drop(response)
    return outcomeOf(response.statusCode ?? 0)
  } catch (error) {
    signal.throwIfAborted()
    if (late.aborted) return { status: null, error: `no answer within ${String(timeLimitMs / 1000)} seconds` }
    return { status: null, error: reasonOf(outsideFailure(error)) }
  } finally {
    request?.destroy()
  }
}

async function drop(response: IncomingMessage): Promise<void> {
  let bytes = 0
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).byteLength
      if (bytes > ANSWER_BYTES) return
    }
  } catch {
    // The status was said before.
  }
}

function outcomeOf(status: number): Outcome {
  if (status >= 200 && status < 300) return { status, error: null }
  if (status >= 300 && status < 400)
    return { status, error: 'it sends the hub elsewhere, which is not followed' }
  return { status, error: `it answers ${String(status)}` }
}

function reasonOf(error: Error): string {
  return error instanceof ForbiddenAddress ? refusalOfAddress(error) : error.message.slice(0, 300)
}

export function refusalOfAddress({ message }: ForbiddenAddress): string {
  return `${message}; an operator may list its network in HUB_WEBHOOK_ALLOW`
}
