/**
 * Who acts: known at the door, and told to the audit however deep in the house the change is made. It follows the work
 * by itself (node:async_hooks), so that no verb has to hand it on and none can forget to.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

export interface Actor {
  /** The name of a token or a person, `hub` for what it does by itself. */
  readonly name: string
  /** Roles of access/rights.ts; `hub`; `nobody` for who is not known. */
  readonly role: string
  /** Of the token or person; null: neither. */
  readonly id: string | null
  /** The network address that the request came from. */
  readonly address: string | null
  readonly requestId: string | null
}

const THE_HUB: Actor = { name: 'hub', role: 'hub', id: null, address: null, requestId: null }

const acting = new AsyncLocalStorage<Actor>()

/** Runs `work`, whose changes are the actor's from here on. */
export function actingAs<T>(actor: Actor, work: () => T): T {
  return acting.run(actor, work)
}

/** Who acts now; the hub itself where no request does. */
export function currentActor(): Actor {
  return acting.getStore() ?? THE_HUB
}
