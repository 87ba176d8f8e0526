/** Whether the running hub is well: the checks of `doctor` that make sense in it, and what it knows of its own work. */
import { statfs } from 'node:fs/promises'
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'
import { diagnoseRunning } from './diagnose.ts'
import { fail, ok, warn } from './diagnosis.ts'
import type { Diagnosis } from './diagnosis.ts'
import { Kept } from './kept.ts'

type Needs = Pick<Hub, 'config' | 'paths' | 'records' | 'clock' | 'log' | 'chainWatch' | 'jobRuns'>

/** The checks of host and addresses start programs and connect: so often is enough, and nobody waits for the next. */
const FRESH_MS = 60_000

export interface Checked {
  readonly at: string
  readonly checks: readonly Diagnosis[]
}

export interface Space {
  readonly freeBytes: number
  readonly totalBytes: number
}

export class HealthWatch {
  readonly #hub: Needs
  readonly #ofHost: Kept<Checked>

  constructor(hub: Needs) {
    this.#hub = hub
    this.#ofHost = new Kept(hub, FRESH_MS, async () => {
      const now = hub.clock.now()
      return { at: timestamp(now), checks: await Array.fromAsync(diagnoseRunning(hub, now)) }
    })
  }

  /** What is wrong and what is well; of the host as it was found at `at`, of the hub's own work as it is now. */
  async checks(): Promise<Checked> {
    const { at, checks } = await this.#ofHost.value()
    return { at, checks: [...checks, ...(await this.#ofWork())] }
  }

  /** Of the disk that holds the data. */
  async space(): Promise<Space> {
    const { bavail, blocks, bsize } = await statfs(this.#hub.paths.data)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  }

  async #ofWork(): Promise<readonly Diagnosis[]> {
    const { records } = this.#hub
    const isReachable = await records.isReachable()
    if (!isReachable)
      return [fail('records', 'the database does not answer', 'look at the disk and at the log of the hub')]
    return [ok('records', 'the database answers'), this.#chain(), await this.#deliveries(), this.#jobs()]
  }

  #chain(): Diagnosis {
    const { last } = this.#hub.chainWatch
    if (last === null) return ok('audit', 'not followed since the start; a job does it once a day')
    const [fault] = last.faults
    if (!fault) return ok('audit', `whole up to record ${String(last.head.seq)}, followed at ${last.at}`)
    return fail(
      'audit',
      `broken at record ${String(fault.seq)}: ${fault.what}`,
      'see /audit for what that means',
    )
  }

  async #deliveries(): Promise<Diagnosis> {
    const { waiting, dead } = await this.#hub.records.webhooks.countDeliveries()
    if (dead === 0) return ok('webhooks', `waiting deliveries: ${String(waiting)}`)
    return warn(
      'webhooks',
      `deliveries that were given up: ${String(dead)}`,
      'see /webhooks: mend the receiver, send again',
    )
  }

  #jobs(): Diagnosis {
    const failed = this.#hub.jobRuns.all().filter(({ error }) => error !== null)
    if (failed.length === 0) return ok('jobs', 'none failed at its last run')
    const names = failed.map(({ name }) => name).join(', ')
    return warn(
      'jobs',
      `failed at the last run: ${names}`,
      'see the log of the hub; each comes again by itself',
    )
  }
}
