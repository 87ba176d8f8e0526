/** Somebody who takes webhooks, on loopback, and answers as the test says. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly json: Readonly<Record<string, unknown>>
}

export interface Receiver extends AsyncDisposable {
  readonly url: string
  readonly received: Received[]
  /** What is done with the next ones; a status is answered with an empty body. */
  answer: number | ((response: ServerResponse, request: IncomingMessage) => void)
  /** Resolves when so many have come. */
  has(count: number): Promise<void>
}

export async function openReceiver(answer: Receiver['answer'] = 204): Promise<Receiver> {
  const received: Received[] = []
  let wake = (): void => {}
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const json = JSON.parse(body) as Received['json']
      received.push({ headers: request.headers, body, json })
      if (typeof receiver.answer === 'number') response.writeHead(receiver.answer).end()
      else receiver.answer(response, request)
      wake()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const receiver: Receiver = {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/hook`,
    received,
    answer,
    async has(count) {
      while (received.length < count)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return receiver
}
