/**
 * What clients sent and what they were told. Whatever was acknowledged must stay; what never got its answer may have
 * happened wholly or not at all, and is known only after the next look.
 */

import { FleetLedger } from './fleet-ledger.ts'
import { PipelineLedger } from './pipeline-ledger.ts'

/** One build number: the bytes that were sent for it (more than one if clients dispute it), and those acknowledged. */
export interface SentBuild {
  readonly app: string
  readonly build: number
  readonly sent: Map<string, Buffer>
  /** SHA512. */
  acknowledged: string | null
}

/** An upload that leaves its number to the hub. */
export interface KeyedUpload {
  readonly key: string
  readonly app: string
  readonly bytes: Buffer
  readonly sha512: string
  /** The number, once it was told. */
  acknowledged: number | null
}

/** A resumable upload. */
export interface PiecemealUpload {
  readonly bytes: Buffer
  readonly app: string
  /** Null: left to the hub. */
  readonly build: number | null
  /** Once it was told. */
  id: string | null
  /** How much was told to be there. */
  offset: number
  isArchived: boolean
}

export type Standing = 'absent' | 'released' | 'withdrawn'

/** A build in production. */
export interface Standings {
  readonly app: string
  readonly build: number
  /** More than one while an answer is missing. */
  possible: Set<Standing>
  releaseId: string | null
}

export interface View {
  readonly environment: string
  /** How it was seen, for the message. */
  readonly by: string
  readonly tree: string
  readonly commit: string | null
}

export class Ledger {
  readonly builds = new Map<string, SentBuild>()
  readonly keyed = new Map<string, KeyedUpload>()
  readonly pieces: PiecemealUpload[] = []
  readonly fleet = new FleetLedger()
  readonly pipeline = new PipelineLedger()
  readonly production = new Map<string, Standings>()
  /** By path of staging: the contents that it may have; null for none. */
  readonly files = new Map<string, Set<string | null>>()
  /** Since the last check. */
  views: View[] = []
  /** What clients saw that must not be. */
  readonly findings: string[] = []
  acknowledged = 0
  viewsChecked = 0
  #listeners: (() => void)[] = []

  /** Called by a client for each answer that says that something was done. */
  heard(): void {
    this.acknowledged++
    for (const listener of this.#listeners) listener()
  }

  /** Resolves after so many more acknowledgements. */
  async afterAnswers(count: number): Promise<void> {
    const until = this.acknowledged + count
    await new Promise<void>((resolve) => {
      this.#listeners = [() => (this.acknowledged >= until ? resolve() : undefined)]
    })
  }

  /** `build` of `app`, made when it is new. */
  build(app: string, build: number): SentBuild {
    const key = `${app}/${String(build)}`
    const known = this.builds.get(key) ?? { app, build, sent: new Map(), acknowledged: null }
    this.builds.set(key, known)
    return known
  }

  standing(app: string, build: number): Standings {
    const key = `${app}/${String(build)}`
    const known = this.production.get(key) ?? {
      app,
      build,
      possible: new Set<Standing>(['absent']),
      releaseId: null,
    }
    this.production.set(key, known)
    return known
  }

  /** Builds that a client was told are there. */
  acknowledgedBuilds(): readonly { readonly app: string; readonly build: number }[] {
    const keyed = [...this.keyed.values()].flatMap(({ app, acknowledged }) =>
      acknowledged === null ? [] : [{ app, build: acknowledged }],
    )
    return [...[...this.builds.values()].filter(({ acknowledged }) => acknowledged !== null), ...keyed]
  }
}
