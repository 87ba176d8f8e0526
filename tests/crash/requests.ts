/** Requests of clients that may lose their hub at any moment. */
import { send } from '../support/raw-http.ts'
import type { RawReply, RawRequest } from '../support/raw-http.ts'
import type { Random } from '../support/random.ts'
import type { Ledger } from './ledger.ts'

/** The hub is gone: whether it did what was asked for is not known. */
export class HubGone extends Error {}

/** What a client has to do with. */
export interface World {
  readonly url: string
  readonly ledger: Ledger
  readonly random: Random
  /** A folder of this client alone. */
  readonly folder: string
}

/** One thing that a client does, from its choice to its answer. @throws {HubGone}. */
export type Client = (world: World) => Promise<void>

/** Sends a request. An answer of 500 or above is a finding. @throws {HubGone} when there is no whole answer. */
export async function ask(world: Pick<World, 'url' | 'ledger'>, request: RawRequest): Promise<RawReply> {
  const reply = await send(world.url, request).catch((error: unknown) => {
    throw new HubGone('no answer', { cause: error })
  })
  const declared = reply.headers['content-length']
  if (declared !== undefined && request.method !== 'HEAD' && Number(declared) !== reply.body.length)
    throw new HubGone('half an answer')
  if (reply.status >= 500) found(world, request, reply)
  return reply
}

/** Writes down an answer that this request must not get. */
export function found({ ledger }: Pick<World, 'ledger'>, request: RawRequest, reply: RawReply): void {
  const { method = 'GET', path } = request
  ledger.findings.push(`${method} ${path}: ${String(reply.status)} ${reply.text.slice(0, 300)}`)
}

export async function askJson(world: World, method: string, path: string, body: unknown): Promise<RawReply> {
  return await ask(world, {
    method,
    path,
    headers: { 'Content-Type': 'application/json' },
    body: Buffer.from(JSON.stringify(body)),
  })
}
