/** What the jobs of this process did last. In memory: a start begins anew. */
import { timestamp } from '../clock.ts'
import type { Clock } from '../clock.ts'

export interface JobRun {
  readonly name: string
  /** As cron writes it, in UTC. */
  readonly schedule: string
  readonly nextAt: string | null
  /** null: not since the hub started. */
  readonly startedAt: string | null
  /** null: it has not run, or runs now. */
  readonly endedAt: string | null
  /** Why the last run that ended failed; null: it did not. */
  readonly error: string | null
  readonly runs: number
  readonly failures: number
}

type Noted = Omit<JobRun, 'nextAt'>

const LONGEST_ERROR = 300

export class JobRuns {
  readonly #clock: Clock
  readonly #jobs = new Map<string, { noted: Noted; readonly nextRun: () => Date | null }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Makes a job known that will run. */
  plan(name: string, schedule: string, nextRun: () => Date | null): void {
    const noted = { name, schedule, startedAt: null, endedAt: null, error: null, runs: 0, failures: 0 }
    this.#jobs.set(name, { noted, nextRun })
  }

  /** Runs a planned job and notes how it ended. @throws whatever `work` throws. */
  async run(name: string, work: () => Promise<void>): Promise<void> {
    this.#note(name, ({ runs }) => ({ startedAt: this.#now(), endedAt: null, runs: runs + 1 }))
    try {
      await work()
      this.#note(name, () => ({ endedAt: this.#now(), error: null }))
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      this.#note(name, ({ failures }) => ({
        ...{ endedAt: this.#now(), error: text.slice(0, LONGEST_ERROR), failures: failures + 1 },
      }))
      throw error
    }
  }

  /** In the order in which they were planned. */
  all(): readonly JobRun[] {
    return [...this.#jobs.values()].map(({ noted, nextRun }) => {
      const next = nextRun()
      return { ...noted, nextAt: next && timestamp(next) }
    })
  }

  #note(name: string, change: (noted: Noted) => Partial<Noted>): void {
    const job = this.#jobs.get(name)
    if (job) job.noted = { ...job.noted, ...change(job.noted) }
  }

  #now(): string {
    return timestamp(this.#clock.now())
  }
}
