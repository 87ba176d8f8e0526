import type { RawReply, RawRequest } from '../support/raw-http.ts'
import type { Uncertain } from './fleet-ledger.ts'
import { ask, found } from './requests.ts'
import type { World } from './requests.ts'

/** A change that was asked for: of what, and what it is afterwards. */
export interface Change<T> {
  readonly of: Uncertain<T>
  readonly to: T
  readonly request: RawRequest
  /** Codes of refusals that may be. */
  readonly unless?: readonly string[]
}

/** Asks for a change and writes down what came of it. True if it was done. @throws {HubGone}. */
export async function change<T>(world: World, wanted: Change<T>): Promise<RawReply | null> {
  const { of, to, request, unless = [] } = wanted
  const before = of.possible
  of.expectAlso(to)
  const reply = await ask(world, request)
  if (reply.status < 300) {
    of.settle(to)
    world.ledger.heard()
    return reply
  }
  of.possible = before
  if (!unless.includes(String(reply.json['code']))) found(world, request, reply)
  return null
}

export function jsonRequest(method: string, path: string, body: unknown, token?: string | null): RawRequest {
  return {
    ...{
      method,
      path,
      headers: { 'Content-Type': 'application/json' },
      body: Buffer.from(JSON.stringify(body)),
    },
    ...(token !== undefined && { token }),
  }
}
