/** Takes the webhooks of a demo, on loopback. One of its two addresses is out of order every other time. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface WebhookReceiver extends AsyncDisposable {
  /** Takes everything. */
  readonly steady: string
  /** Answers 503 to two of three. */
  readonly shaky: string
}

export async function openReceiver(): Promise<WebhookReceiver> {
  let asked = 0
  const server = createServer((request, response) => {
    request.resume()
    const isDown = request.url === '/shaky' && asked++ % 3 !== 2
    response.writeHead(isDown ? 503 : 204).end(isDown ? 'The chat is being upgraded.\n' : undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  return {
    steady: `${url}/steady`,
    shaky: `${url}/shaky`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
