/** What the hub of a test answered, seen from inside its process: Node tells of every answer that went out. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TestHub } from '../../support/test-hub.ts'

const CHANNEL = 'http.server.response.finish'

export interface HubAnswers extends Disposable {
  /** `GET /distfiles/staging/shop.tar.gz 206`, in their order, since the last time of asking. */
  take(): readonly string[]
}

interface Message {
  readonly request: IncomingMessage & { readonly originalUrl?: string }
  readonly response: ServerResponse
}

/** Writes down the answers of one hub from now on. */
export function watchAnswers(hub: TestHub): HubAnswers {
  const { host } = new URL(hub.url)
  let seen: string[] = []
  const note = (message: unknown): void => {
    const { request, response } = message as Message
    if (request.headers.host !== host) return
    // Express cuts off of `url` what a router was mounted at.
    const url = request.originalUrl ?? request.url ?? ''
    seen.push(`${request.method ?? ''} ${url} ${response.statusCode}`)
  }
  subscribe(CHANNEL, note)
  return {
    take() {
      const taken = seen
      seen = []
      return taken
    },
    [Symbol.dispose]() {
      unsubscribe(CHANNEL, note)
    },
  }
}
