/** What stands in environments, for many apps at once: pages about nodes ask for hundreds of them. */
import { comparePvr, parsePvr } from '../gentoo/version.ts'
import type { Records } from '../records/records.ts'
import type { StandingBuild } from '../records/releases.ts'
import { maskedBuilds, standingUnheld } from './holds.ts'

/** So many of the best versions of an app are remembered: holds mask few of them. */
const REMEMBERED = 20

export type OfApp = Pick<StandingBuild, 'app' | 'build'>

interface Remembered {
  /** How many releases there were, and withdrawn ones: whatever changes what stands changes one of them. */
  readonly counts: string
  /** Those that are released, the best version first. */
  readonly best: readonly StandingBuild[]
  /** There are no others. */
  readonly isAll: boolean
}

export class StandingBuilds {
  readonly #records: Pick<Records, 'holds' | 'releases'>
  /** By environment and app. */
  readonly #remembered = new Map<string, Remembered>()

  constructor(records: Pick<Records, 'holds' | 'releases'>) {
    this.#records = records
  }

  /**
   * Of each app the best version that nodes can have, and those of `also` that were ever released, as they stand; builds
   * that a hold masks are marked as held.
   */
  async of(
    environment: string,
    apps: readonly string[],
    also: readonly OfApp[] = [],
  ): Promise<ReadonlyMap<string, readonly StandingBuild[]>> {
    await this.#recall(environment, apps)
    const mask = await maskedBuilds(this.#records, environment)
    const others = Map.groupBy(await this.#records.releases.standingOf(environment, also), ({ app }) => app)
    const found = new Map<string, readonly StandingBuild[]>()
    for (const app of apps) {
      const known = this.#remembered.get(keyOf(environment, app))
      const best = known?.best.map(mask).find(({ state }) => state === 'released')
      if (!best && known?.isAll === false)
        found.set(app, await standingUnheld({ records: this.#records }, environment, [app]))
      else found.set(app, [...(best ? [best] : []), ...(others.get(app) ?? []).map(mask)])
    }
    return found
  }

  async #recall(environment: string, apps: readonly string[]): Promise<void> {
    const counts = await this.#records.releases.countsOf(environment, apps)
    const changed = apps.filter(
      (app) => this.#remembered.get(keyOf(environment, app))?.counts !== (counts.get(app) ?? ''),
    )
    const standing = Map.groupBy(
      await this.#records.releases.standing(environment, changed),
      ({ app }) => app,
    )
    for (const app of changed) {
      const best = (standing.get(app) ?? [])
        .filter(({ state }) => state === 'released')
        .map((build) => ({ build, pvr: parsePvr(build.pv) }))
        .sort((one, other) => comparePvr(other.pvr, one.pvr))
        .map(({ build }) => build)
      this.#remembered.set(keyOf(environment, app), {
        counts: counts.get(app) ?? '',
        best: best.slice(0, REMEMBERED),
        isAll: best.length <= REMEMBERED,
      })
    }
  }
}

function keyOf(environment: string, app: string): string {
  return `${environment}/${app}`
}
