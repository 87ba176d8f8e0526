/** What policies, and the upload itself, ask for when a build arrives. */
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import type { PromotionRow } from '../records/promotions.ts'
import { BY_POLICY, carryOut, isUnderWay, newPromotion, promote } from './promote.ts'

type Needs = Pick<Hub, 'overlays' | 'records' | 'config' | 'clock' | 'blobs' | 'log' | 'steps' | 'turns'>

export interface UploadPromotion {
  /** false: archive only, whatever the policies say. */
  readonly byPolicy: boolean
  /** An environment that the uploader asks for besides; null for none. */
  readonly environment: string | null
  readonly by: string
}

/** The promotions to record with a new build, in the order of the environments. */
export function promotionsOfUpload(
  hub: Pick<Hub, 'config' | 'clock'>,
  build: Pick<BuildRow, 'app' | 'build'>,
  wanted: UploadPromotion,
): readonly PromotionRow[] {
  return hub.config.environments.flatMap(({ name, promote }) => {
    if (name === wanted.environment) return [newPromotion(hub, { build, environment: name, by: wanted.by })]
    if (!wanted.byPolicy || promote !== 'automatic') return []
    return [newPromotion(hub, { build, environment: name, by: BY_POLICY })]
  })
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
      if (isUnderWay(promotion)) await carryOut(hub, promotion, build)
      else if (promotion.state === 'failed') await askAgain(hub, promotion, build)
    } catch (error) {
      if (!(error instanceof HubError)) throw error
    }
  }
  return await hub.records.promotions.ofBuild(build.app, build.build)
}

async function askAgain(
  hub: Needs,
  { environment, requestedBy: by }: PromotionRow,
  build: BuildRow,
): Promise<void> {
  await promote(hub, { build, environment, by, liftWithdrawal: false, dryRun: false })
}
