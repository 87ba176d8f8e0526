/** Asks a provider of identities, as `fetch` does, over the guarded way: bounded in time and size, following no redirect. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { addressRule, guardedLookup } from '../outside-address.ts'
import { beginOutside, outsideFailure } from '../outside-request.ts'
import { HUB_VERSION } from '../version.ts'

/** From the look-up of the name to the end of the answer. */
const TIME_LIMIT_MS = 10_000
/** Of an answer: the largest sets of keys have a few dozen kilobytes. */
const MOST_BYTES = 256 * 1024

export interface ProviderRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export type ProviderFetch = (url: string, request?: ProviderRequest) => Promise<Response>

/**
 * @param networks of the operator (`HUB_IDENTITY_ALLOW`) that providers may be in, besides the public internet.
 * @returns a function that throws where the address is not allowed or no whole answer comes.
 */
export function providerFetch(networks: readonly string[], timeLimitMs = TIME_LIMIT_MS): ProviderFetch {
  const isAllowed = addressRule(networks)
  const lookup = guardedLookup(isAllowed)
  return async (address, { method = 'GET', headers = {}, body = '' } = {}) => {
    const url = new URL(address)
    refusePlain(url)
    const sent = body === '' ? headers : { ...headers, 'Content-Length': String(Buffer.byteLength(body)) }
    const late = AbortSignal.timeout(timeLimitMs)
    const request = beginOutside(url, {
      ...{ method, isAllowed, lookup, signal: late },
      headers: { 'User-Agent': `portage-hub/${HUB_VERSION}`, ...sent },
    })
    request.on('error', () => undefined)
    try {
      const answered = once(request, 'response') as Promise<[IncomingMessage]>
      request.end(body)
      const [answer] = await answered
      return await responseOf(answer)
    } catch (error) {
      if (late.aborted)
        throw new Error(`no answer within ${String(timeLimitMs / 1000)} seconds`, { cause: error })
      throw outsideFailure(error)
    } finally {
      request.destroy()
    }
  }
}

/** What comes without TLS anybody on the way may have written; on the hub's own host nobody is on the way. */
export function isSecure({ protocol, hostname }: URL): boolean {
  if (protocol === 'https:') return true
  return protocol === 'http:' && (/^127\.[\d.]+$/.test(hostname) || hostname === '[::1]')
}

function refusePlain(url: URL): void {
  if (!isSecure(url)) throw new Error(`${url.origin} is asked through https only`)
}

async function responseOf(answer: IncomingMessage): Promise<Response> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > MOST_BYTES) throw new Error(`its answer has more than ${String(MOST_BYTES)} bytes`)
    chunks.push(chunk)
  }
  const status = answer.statusCode ?? 0
  const type = answer.headers['content-type']
  // What these statuses have no body for is of no use to anybody here.
  const body = bytes === 0 || status === 204 || status === 304 ? null : Buffer.concat(chunks)
  return new Response(body, { status, headers: type === undefined ? {} : { 'Content-Type': type } })
}
