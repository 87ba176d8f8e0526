/** Delivers events to webhooks as they come. Each webhook has a lane of its own, so that one that is slow holds up no other. */
import { timestamp } from '../clock.ts'
import { Bell } from '../events/bell.ts'
import { attemptDelivery, queueDeliveries } from '../events/deliver-event.ts'
import type { Hub } from '../hub.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'config' | 'webhookKey' | 'log'>

/** How late a delivery that is tried again may be. */
const LOOK_EVERY_MS = 5000

export class WebhookLanes {
  readonly #hub: Needs
  readonly #signal: AbortSignal
  readonly #onEnd: () => void
  readonly #lanes = new Map<string, Promise<void>>()

  /** @param onEnd called when a lane has nothing left to do. */
  constructor(hub: Needs, signal: AbortSignal, onEnd: () => void = () => undefined) {
    this.#hub = hub
    this.#signal = signal
    this.#onEnd = onEnd
  }

  /** Queues what happened and begins to deliver what is due. */
  async look(): Promise<void> {
    while (await queueDeliveries(this.#hub));
    for (const webhook of await this.#hub.records.webhooks.withDue(this.#now())) {
      if (!this.#lanes.has(webhook)) this.#lanes.set(webhook, this.#open(webhook))
    }
  }

  /** Resolves when everything that was begun is over. */
  async settled(): Promise<void> {
    while (this.#lanes.size > 0) await Promise.all(this.#lanes.values())
  }

  async #open(webhook: string): Promise<void> {
    try {
      await this.#deliver(webhook)
      this.#lanes.delete(webhook)
      this.#onEnd()
    } catch (error) {
      this.#lanes.delete(webhook)
      if (!this.#signal.aborted)
        this.#hub.log.error({ err: error, webhook }, 'deliveries to a webhook failed')
    }
  }

  async #deliver(webhook: string): Promise<void> {
    while (!this.#signal.aborted) {
      const delivery = await this.#hub.records.webhooks.nextDue(webhook, this.#now())
      if (!delivery) return
      await attemptDelivery(this.#hub, delivery, this.#signal)
    }
  }

  #now(): string {
    return timestamp(this.#hub.clock.now())
  }
}

/** Starts to deliver; the returned function ends what is under way, which the next start tries again. */
export function startWebhooks(hub: Needs): () => Promise<void> {
  const stop = new AbortController()
  const running = deliverUntil(hub, stop.signal)
  return async () => {
    stop.abort()
    await running
  }
}

async function deliverUntil(hub: Needs, signal: AbortSignal): Promise<void> {
  using bell = new Bell(hub.records.growth)
  const lanes = new WebhookLanes(hub, signal, () => {
    bell.ring()
  })
  while (!signal.aborted) {
    bell.silence()
    await lanes.look().catch((error: unknown) => {
      hub.log.error({ err: error }, 'events could not be queued for webhooks')
    })
    await bell.rung(LOOK_EVERY_MS, signal)
  }
  await lanes.settled()
}
