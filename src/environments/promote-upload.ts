/** What policies, and the upload itself, ask for when a build arrives. */
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import type { PromotionRow } from '../records/promotions.ts'
import { judge } from './eligibility.ts'
import { currentPolicy } from './environment-policy.ts'
import { BY_POLICY, isOpen, newPromotion, policyFor } from './promotion.ts'
import type { Requester } from './promotion.ts'
import { carryOn, promote } from './promote.ts'

type Needs = Pick<Hub, 'overlays' | 'records' | 'config' | 'clock' | 'blobs' | 'log' | 'steps' | 'turns'>

export interface UploadPromotion {
  /** false: archive only, whatever the policies say. */
  readonly byPolicy: boolean
  /** An environment that is asked for besides; null for none. */
  readonly environment: string | null
  readonly by: Requester
}

/** The promotions to record with a new build, in the order of the environments. */
export async function promotionsOfUpload(
  hub: Pick<Hub, 'config' | 'clock' | 'records'>,
  build: Pick<BuildRow, 'app' | 'build'>,
  wanted: UploadPromotion,
): Promise<readonly PromotionRow[]> {
  const promotions: PromotionRow[] = []
  for (const { name: environment } of hub.config.environments) {
    if (environment === wanted.environment)
      promotions.push(newPromotion(hub, { build, environment, by: wanted.by }))
    else if (wanted.byPolicy && (await currentPolicy(hub, environment)).policy.promote === 'automatic')
      promotions.push(newPromotion(hub, { build, environment, by: policyFor(wanted.by.owner) }))
  }
  return promotions
}

/**
 * Carries out what is recorded for the build and not ended, and asks once more for what a fault ended: an upload sent
 * again is how CI says that it still wants it. A refusal ends that promotion and no more: the upload itself has
 * succeeded.
 */
export async function carryOutUpload(hub: Needs, build: BuildRow): Promise<readonly PromotionRow[]> {
  const promotions = await hub.records.promotions.ofBuild(build.app, build.build)
  for (const promotion of new Map(promotions.map((row) => [row.environment, row])).values()) {
    try {
      if (isOpen(promotion)) await carryOn(hub, promotion)
      // What was to go together with others goes alone for nobody.
      else if (promotion.state === 'failed' && promotion.setId === null) await askAgain(hub, promotion, build)
    } catch (error) {
      if (!(error instanceof HubError)) throw error
    }
  }
  return await hub.records.promotions.ofBuild(build.app, build.build)
}

async function askAgain(
  hub: Needs,
  { environment, requestedBy: name, requestedWith: id, requestedOwner: owner }: PromotionRow,
  build: BuildRow,
): Promise<void> {
  const by = { name, id, owner }
  await promote(hub, { builds: [build], environment, by, liftWithdrawal: false, dryRun: false })
}

/** For so long a build that a policy refused is asked for again when its rules are met. */
const PATIENCE_DAYS = 90

/**
 * Asks again for what automatic policies refused, once nothing speaks against it any more: a check has passed since, the
 * soak is over, a freeze has ended. Only for environments whose policy somebody set: the settings' own has no rule that
 * time or a check could meet.
 */
export async function promoteWhatWaited(hub: Needs): Promise<void> {
  const since = timestamp(new Date(hub.clock.now().getTime() - PATIENCE_DAYS * 86_400_000))
  for (const { name: environment } of hub.config.environments) {
    const { policy, version } = await currentPolicy(hub, environment)
    if (version === 0 || policy.promote !== 'automatic') continue
    for (const refused of await hub.records.promotions.refused(environment, BY_POLICY, since))
      await askIfEligible(hub, refused)
  }
}

async function askIfEligible(
  hub: Needs,
  { app, build: number, environment, requestedOwner }: PromotionRow,
): Promise<void> {
  const build = await hub.records.builds.find(app, number)
  if (!build) return
  const wish = { liftWithdrawal: false, override: null, promotion: null }
  const { eligible, waitsFor } = await judge(hub, build, environment, wish)
  if (!eligible && waitsFor === null) return
  try {
    await promote(hub, {
      builds: [build],
      environment,
      by: policyFor(requestedOwner),
      liftWithdrawal: false,
      dryRun: false,
    })
  } catch (error) {
    // A rule that came between, or a fault that is logged where it is known: the next minute asks again.
    hub.log.warn({ err: error, app, build: number, environment }, 'what waited could not be promoted')
  }
}
