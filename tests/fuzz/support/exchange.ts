/** One request on a connection that is kept, and what must hold for every answer of the hub. */
import { once } from 'node:events'
import { request } from 'node:http'
import type { Agent, ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { ERRORS } from '../../../src/errors.ts'
import { ADMIN_TOKEN } from '../../support/test-hub.ts'
import type { Verdict } from './target.ts'

export interface Exchange {
  readonly method?: string
  /** As it is sent: bytes from `!` to `ÿ`. */
  readonly path: string
  /** What is undefined is not sent. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly body?: Buffer
  /** The administrator's unless another is given; null for none. */
  readonly token?: string | null
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
}

/** Sends once more what met a connection that the hub was about to close: that is HTTP's, and no fault. */
export async function exchange(url: string, agent: Agent, wanted: Exchange): Promise<Answer> {
  for (let attempts = 1; ; attempts++) {
    const outgoing = prepared(url, agent, wanted)
    try {
      const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>
      outgoing.end(wanted.body)
      const [incoming] = await answered
      const body = await buffer(incoming)
      return {
        status: incoming.statusCode ?? 0,
        headers: incoming.headers,
        body,
        text: body.toString('utf8'),
      }
    } catch (error) {
      if (!outgoing.reusedSocket || attempts > 3) throw error
    } finally {
      // What comes after an early answer (the body was refused) is nobody's.
      outgoing.on('error', () => {})
    }
  }
}

function prepared(url: string, agent: Agent, wanted: Exchange): ClientRequest {
  const { method = 'GET', path, headers = {}, token = ADMIN_TOKEN } = wanted
  const { hostname, port } = new URL(url)
  const outgoing = request({ hostname, port, method, path, agent })
  // Node frames no body of a GET unless it is told to.
  if (wanted.body !== undefined) outgoing.setHeader('Content-Length', wanted.body.length)
  if (token !== null) outgoing.setHeader('Authorization', `Bearer ${token}`)
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) outgoing.setHeader(name, value)
  return outgoing
}

/**
 * @throws unless the answer is one that the hub may give: no fault, and a refusal in the form of RFC 9457, or as a page where
 *   that was asked for.
 */
export function judgeAnswer(answer: Answer, asked: Partial<Exchange> = {}): Verdict {
  const { method = 'GET', path = '/' } = asked
  const { status, headers, text } = answer
  if (status < 400) return 'accepted'
  const type = headers['content-type'] ?? ''
  if (status >= 500 && !/"code": *"archive\.no_program"/.test(text))
    throw new Error(`status ${status}: ${text.slice(0, 2000)}`)
  // What Node's own parser of requests does not take, it answers itself and closes.
  if ((status === 400 && text === '' && headers.connection === 'close') || (status === 417 && text === ''))
    return 'refused'
  // A target that is no path, and no address either, is answered by Express before any of the hub's rules.
  if (method === 'HEAD' || (status === 404 && !path.startsWith('/'))) return 'refused'
  if (type.startsWith('text/html') && asksForPage(asked)) {
    const codes = [...text.matchAll(/<code>([^<]*)<\/code>/g)].map(([, code = '']) => code)
    if (codes.some((code) => isCodeOf(code, status)) && codes.some((code) => code.startsWith('req_')))
      return 'refused'
  }
  if (!type.startsWith('application/problem+json'))
    throw new Error(`a refusal (${status}) of the type ${JSON.stringify(type)}: ${text.slice(0, 500)}`)
  const problem = JSON.parse(text) as Readonly<Record<string, unknown>>
  const code = String(problem['code'])
  if (!isCodeOf(code, status) || problem['status'] !== status)
    throw new Error(`the code ${code} with status ${status}`)
  if (typeof problem['requestId'] !== 'string' || typeof problem['detail'] !== 'string') throw new Error(text)
  if (text.length > 100_000) throw new Error(`a refusal of ${text.length} characters`)
  return 'refused'
}

function isCodeOf(code: string, status: number): boolean {
  return Object.hasOwn(ERRORS, code) && ERRORS[code as keyof typeof ERRORS].status === status
}

function asksForPage({ path = '/', headers = {} }: Partial<Exchange>): boolean {
  const accepts = Object.entries(headers).filter(([name]) => name.toLowerCase() === 'accept')
  return !path.startsWith('/api/') && accepts.some(([, value]) => String(value).includes('text/html'))
}
