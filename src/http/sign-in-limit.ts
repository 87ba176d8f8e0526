/** So many attempts to sign in from one address; an account has limits of its own (people/sign-in-attempts.ts). */
import { rateLimit } from 'express-rate-limit'
import type { ClientRateLimitInfo, Store } from 'express-rate-limit'
import type { RequestHandler } from 'express'
import type { Clock } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'

const ATTEMPTS = 30
const WINDOW_SEC = 10 * 60
const MOST_ADDRESSES = 10_000

/**
 * One for all addresses at which somebody signs in with a password or a link: the page and the API count together.
 * @param ofRefusals only what is refused counts: where there is nothing to guess, many may come from one address.
 */
export function signInLimit({ clock }: Pick<Hub, 'clock'>, ofRefusals = false): RequestHandler {
  return rateLimit({
    skipSuccessfulRequests: ofRefusals,
    windowMs: WINDOW_SEC * 1000,
    limit: ATTEMPTS,
    store: new ClockedStore(clock),
    standardHeaders: false,
    legacyHeaders: false,
    // Of IPv6 a whole network is one: whoever has an address there has all of it.
    ipv6Subnet: 56,
    handler: (_request, _response, next) => {
      next(
        new HubError(
          'auth.too_many',
          `more than ${String(ATTEMPTS)} attempts from this address: try again in ${String(WINDOW_SEC / 60)} minutes`,
          { retryAfterSec: WINDOW_SEC },
        ),
      )
    },
  })
}

/** Counts in memory by the hub's own clock. */
class ClockedStore implements Store {
  readonly localKeys = true
  readonly #clock: Clock
  readonly #hits = new Map<string, { totalHits: number; resetTime: Date }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  increment(key: string): ClientRateLimitInfo {
    const now = this.#clock.now()
    const known = this.#hits.get(key)
    const isOver = known === undefined || known.resetTime <= now
    const hits = isOver
      ? { totalHits: 1, resetTime: new Date(now.getTime() + WINDOW_SEC * 1000) }
      : { ...known, totalHits: known.totalHits + 1 }
    this.#hits.delete(key)
    this.#hits.set(key, hits)
    if (this.#hits.size > MOST_ADDRESSES) this.resetKey(this.#hits.keys().next().value ?? '')
    return hits
  }

  decrement(key: string): void {
    const known = this.#hits.get(key)
    if (known) this.#hits.set(key, { ...known, totalHits: known.totalHits - 1 })
  }

  resetKey(key: string): void {
    this.#hits.delete(key)
  }
}
