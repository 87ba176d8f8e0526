import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'
import { verifyChain } from './verify-chain.ts'
import type { ChainVerdict } from './verify-chain.ts'

export interface FollowedChain extends ChainVerdict {
  readonly at: string
}

/** What this process knows of the chain: it follows the whole one for everybody who asks meanwhile, and remembers what it found. */
export class ChainWatch {
  readonly #hub: Pick<Hub, 'records' | 'clock'>
  #last: FollowedChain | null = null
  #following: Promise<FollowedChain> | null = null
  #progress: ChainWatch['progress'] = null

  constructor(hub: Pick<Hub, 'records' | 'clock'>) {
    this.#hub = hub
  }

  /** null: not since the hub started. */
  get last(): FollowedChain | null {
    return this.#last
  }

  /** How far it is now; null: nobody follows it. */
  get progress(): { readonly done: number; readonly total: number } | null {
    return this.#progress
  }

  async follow(): Promise<FollowedChain> {
    this.#following ??= this.#follow().finally(() => {
      this.#following = null
      this.#progress = null
    })
    return await this.#following
  }

  async #follow(): Promise<FollowedChain> {
    const { records, clock } = this.#hub
    const verdict = await verifyChain(records, null, (done, total) => {
      this.#progress = { done, total }
    })
    this.#last = { ...verdict, at: timestamp(clock.now()) }
    return this.#last
  }
}
