/**
 * What a real git client says to a server, recorded so that it can be said again by something cheaper: a proxy between
 * the two keeps each request and what came back.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request as startRequest } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { programPath } from './programs.ts'
import type { LoadRequest } from './wrk.ts'

export interface Exchanged extends LoadRequest {
  readonly status: number
  readonly reply: Buffer
}

/** Only these matter to the server; the client's other fields belong to its connection. */
const KEPT = [
  'git-protocol',
  'content-type',
  'content-encoding',
  'accept',
  'accept-encoding',
  'authorization',
  'user-agent',
]

/** Runs git; whatever it asks of `remote` goes through the recorder. `user` is put in the address: `node:<token>`. */
export async function recordGit(
  args: readonly string[],
  { remote, user = null }: { readonly remote: string; readonly user?: string | null },
): Promise<readonly Exchanged[]> {
  const exchanged: Exchanged[] = []
  const proxy = createServer((request, response) => {
    void passOn(request, response, new URL(remote).origin).then((one) => exchanged.push(one))
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  try {
    const { port } = proxy.address() as AddressInfo
    const through = `http://${user === null ? '' : `${user}@`}127.0.0.1:${port}${new URL(remote).pathname}`
    const words = ['-c', `url.${through}.insteadOf=${remote}`, ...args]
    await promisify(execFile)(programPath('git'), words, { env: gitEnvironment() })
  } finally {
    proxy.closeAllConnections()
    proxy.close()
  }
  return exchanged
}

/** A git that no setting of the machine changes. */
export function gitEnvironment(): NodeJS.ProcessEnv {
  const { PATH, LANG } = process.env
  return { PATH, LANG, HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0' }
}

async function passOn(from: IncomingMessage, to: ServerResponse, origin: string): Promise<Exchanged> {
  const body = await readAll(from)
  const headers = Object.fromEntries(
    KEPT.flatMap((name) => (typeof from.headers[name] === 'string' ? [[name, from.headers[name]]] : [])),
  ) as Record<string, string>
  const { method = 'GET', url: path = '/' } = from
  const asked = startRequest(origin + path, {
    method,
    headers: { ...headers, 'content-length': body.byteLength },
  })
  const answered = once(asked, 'response') as Promise<[IncomingMessage]>
  asked.end(body)
  const [answer] = await answered
  const reply = await readAll(answer)
  const status = answer.statusCode ?? 502
  to.writeHead(status, fieldsOf(answer))
  to.end(reply)
  return { method, path, headers, ...(body.byteLength > 0 ? { body } : {}), status, reply }
}

function fieldsOf(answer: IncomingMessage): Record<string, string | string[]> {
  const own = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length'])
  return Object.fromEntries(
    Object.entries(answer.headers).flatMap(([name, value]) =>
      value === undefined || own.has(name) ? [] : [[name, value]],
    ),
  )
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}
