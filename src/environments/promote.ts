/**
 * Promotion: the request that a build be published in an environment, judged, waited for, carried out and remembered. What
 * a policy does by itself (staging takes each upload) is a promotion too, requested by the policy. Several that go together
 * are a release set: one verdict, one revision, one end.
 */
import { recordChange } from '../audit/record-change.ts'
import { HubError } from '../errors.ts'
import { comparePvr, parsePvr } from '../gentoo/version.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { Published } from '../overlays/overlay.ts'
import type { BuildRow } from '../records/builds.ts'
import type { PromotionRow } from '../records/promotions.ts'
import { judgeTogether, membersOf, unmetText } from './eligibility.ts'
import type { Member, Verdict } from './eligibility.ts'
import { isHeld } from './holds.ts'
import {
  BY_POLICY,
  WAITING_STATES,
  addPromotions,
  isOpen,
  isWaiting,
  keyOf,
  movePromotions,
  newPromotion,
  overrideOf,
} from './promotion.ts'
import type { Requester } from './promotion.ts'
import { releaseBuilds } from './release-build.ts'

type Needs = Pick<Hub, 'overlays' | 'records' | 'config' | 'clock' | 'blobs' | 'log' | 'steps' | 'turns'>

export interface PromotionRequest {
  /** One, or the builds of a release set, each of another app: they go together or not at all. */
  readonly builds: readonly BuildRow[]
  readonly environment: string
  readonly by: Requester
  /** Publish again what was withdrawn from there. */
  readonly liftWithdrawal: boolean
  /** Why the requester skips the waiting, by the right that the policy gives; null: it is waited for. */
  readonly overrideReason?: string | null
  readonly dryRun: boolean
}

export interface Promoted {
  /** Of each build, in their order. */
  readonly promotions: readonly PromotionRow[]
  /** Null when nothing was to be done, or when it waits. */
  readonly published: Published | null
  /** False: all stood there already, or the same was asked for before and waits. */
  readonly isNew: boolean
  /** What it waits for, as the whole verdict; null when it does not wait. */
  readonly verdict: Verdict | null
}

/**
 * Promotes a build, or several together: at once where every rule is met, and otherwise when those that only time, checks or
 * people can meet are. Asked again for what stands there already, it gives back the promotions that put it there; for what
 * waits, those; asked at the same time, one of the two waits for the other. What a fault cut short is finished. What was
 * asked for before of the same apps and waits there is superseded.
 * @throws {HubError} `promotion.not_eligible`, whose `rules` are the whole verdict; the refusal is recorded.
 */
export async function promote(hub: Needs, request: PromotionRequest): Promise<Promoted> {
  const { builds, environment, dryRun } = request
  overlayOf(hub, environment)
  return await takeTurn(hub, { apps: builds.map(({ app }) => app), environment }, async () => {
    const earlier = await whatStands(hub, request)
    if (earlier) return { promotions: earlier, published: null, isNew: false, verdict: null }
    const known = await findOpen(hub, request)
    const members = known ? await insistOn(hub, known, request) : newMembers(hub, request)
    if (!known && !dryRun)
      await hub.records.transaction(async (records) => {
        await addPromotions({ ...hub, records }, rowsOf(members))
      })
    hub.steps.reached('promotion.requested')
    const advanced = await advance(hub, members, dryRun)
    return { ...advanced, isNew: advanced.published !== null || !known }
  })
}

/** The promotions by which all of it stands there; null where something does not, or a hold is in its way. */
async function whatStands(
  hub: Needs,
  { builds, environment }: PromotionRequest,
): Promise<readonly PromotionRow[] | null> {
  const promotions: PromotionRow[] = []
  for (const build of builds) {
    const release = await hub.records.releases.living(environment, build.app, build.build)
    const promotion = release && (await hub.records.promotions.findByRelease(release.id))
    if (!promotion || (await isHeld(hub, build, environment))) return null
    promotions.push(promotion)
  }
  return promotions
}

/** What was asked for before in the same way, and has come to no end: these builds together, and no others. */
async function findOpen(
  hub: Needs,
  { builds, environment }: PromotionRequest,
): Promise<readonly Member[] | null> {
  const [first] = builds
  if (!first) return null
  for (const promotion of await hub.records.promotions.ofBuild(first.app, first.build)) {
    if (promotion.environment !== environment || !isOpen(promotion)) continue
    const members = await membersOf(hub, promotion)
    const isSame = (build: BuildRow): boolean =>
      members.some((member) => member.build.app === build.app && member.build.build === build.build)
    if (members.length === builds.length && builds.every(isSame)) return members
  }
  return null
}

function newMembers(hub: Needs, request: PromotionRequest): readonly Member[] {
  const { builds, ...asked } = request
  const members = builds.map((build) => ({ build, promotion: newPromotion(hub, { ...asked, build }) }))
  const [first] = members
  if (!first || members.length === 1) return members
  return members.map(({ build, promotion }) => ({
    build,
    promotion: { ...promotion, setId: first.promotion.id },
  }))
}

/** Asked for once more, what waits may be hurried on, or its withdrawal be lifted. */
async function insistOn(
  hub: Needs,
  known: readonly Member[],
  { by, overrideReason = null, liftWithdrawal, dryRun }: PromotionRequest,
): Promise<readonly Member[]> {
  const change = {
    ...(overrideReason !== null && { overrideReason, overrideBy: by.name, overrideOwner: by.owner }),
    ...(liftWithdrawal && { liftWithdrawal: 1 }),
  }
  const insisted = known.map(({ build, promotion }) => ({ build, promotion: { ...promotion, ...change } }))
  if (dryRun || Object.keys(change).length === 0) return insisted
  await hub.records.transaction(async (records) => {
    for (const { id: subject, app, build, environment } of rowsOf(known)) {
      await records.promotions.update(subject, change)
      const told = { type: 'promotion.insisted', subject, app, build, environment } as const
      await recordChange(records, hub.clock, { ...told, reason: overrideReason, after: change })
    }
  })
  return insisted
}

/**
 * Judges a promotion that is recorded and has come to no end, with all that go together with it, and carries them as far as
 * they go: right after the request, when something happened that they may wait for, at the start after a crash, or by the
 * clock. What ended meanwhile is left as it is.
 * @throws {HubError} as `promote`.
 */
export async function carryOn(hub: Needs, promotion: PromotionRow): Promise<void> {
  const { environment } = promotion
  const apps = (await hub.records.promotions.together(promotion)).map(({ app }) => app)
  await takeTurn(hub, { environment, apps }, async () => {
    const members = await membersOf(hub, promotion)
    if (rowsOf(members).every(isOpen)) await advance(hub, members, false)
  })
}

/**
 * One at a time for each of these apps in the same environment: requests, repeated uploads and the clock may meet. Whoever
 * takes several turns takes them in one order, so that no two wait for each other.
 */
export async function takeTurn<T>(
  hub: Pick<Hub, 'turns'>,
  { environment, apps }: { readonly environment: string; readonly apps: readonly string[] },
  work: () => Promise<T>,
): Promise<T> {
  const inTurns = apps
    .toSorted()
    .reduceRight(
      (inner, app) => async () => await hub.turns.run(`promote:${environment}:${app}`, inner),
      work,
    )
  return await inTurns()
}

async function advance(
  hub: Needs,
  members: readonly Member[],
  dryRun: boolean,
): Promise<Omit<Promoted, 'isNew'>> {
  const [{ policyVersion: judgedBy } = { policyVersion: null }] = rowsOf(members)
  if (await isReleasedAlready(hub, rowsOf(members)))
    return { ...(await publish(hub, members, { policyVersion: judgedBy, dryRun })), verdict: null }
  const verdict = await judgeTogether(hub, members)
  const { eligible, rules, policyVersion, waitsFor } = verdict
  if (eligible) return { ...(await publish(hub, members, { policyVersion, dryRun })), verdict: null }
  const detail = unmetText(rules)
  const move = { state: waitsFor ?? 'refused', detail, policyVersion } as const
  const promotions = dryRun
    ? rowsOf(members).map((promotion) => ({ ...promotion, ...move }))
    : await hub.records.transaction(async (records) => {
        const moved = await movePromotions({ ...hub, records }, rowsOf(members), () => move)
        if (waitsFor !== null) await supersedeOlder({ ...hub, records }, moved)
        return moved
      })
  if (waitsFor === null) throw new HubError('promotion.not_eligible', detail, { rules })
  if (!dryRun) hub.steps.reached('promotion.waiting')
  return { promotions, published: null, verdict }
}

/** What a crash cut between its release and its end is released, whatever the rules have come to say since. */
async function isReleasedAlready(hub: Needs, promotions: readonly PromotionRow[]): Promise<boolean> {
  return promotions.every(({ state }) => state === 'publishing') && (await areReleased(hub, promotions))
}

async function areReleased(hub: Needs, promotions: readonly PromotionRow[]): Promise<boolean> {
  for (const { environment, app, build } of promotions)
    if (!(await hub.records.releases.living(environment, app, build))) return false
  return true
}

async function publish(
  hub: Needs,
  members: readonly Member[],
  { policyVersion, dryRun }: { readonly policyVersion: number | null; readonly dryRun: boolean },
): Promise<Pick<Promoted, 'promotions' | 'published'>> {
  const [first] = rowsOf(members)
  const { environment, requestedBy: by } = first ?? { environment: '', requestedBy: '' }
  const override = first ? overrideOf(first) : null
  const begin = { state: 'publishing', detail: null, policyVersion } as const
  const publishing = dryRun
    ? rowsOf(members)
    : await hub.records.transaction(
        async (records) => await movePromotions({ ...hub, records }, rowsOf(members), () => begin),
      )
  hub.steps.reached('promotion.publishing')
  try {
    const builds = members.map(({ build }) => build)
    const { releases, published } = await releaseBuilds(hub, { environment, builds, by, override, dryRun })
    const endOf = (promotion: PromotionRow) => {
      const release = releases[publishing.indexOf(promotion)]
      const revision = release?.revision ?? published.revision
      return { state: 'released', releaseId: release?.id ?? null, revision, detail: null } as const
    }
    if (dryRun)
      return {
        published,
        promotions: publishing.map((promotion) => ({ ...promotion, ...endOf(promotion), policyVersion })),
      }
    const promotions = await hub.records.transaction(async (records) => {
      const moved = await movePromotions({ ...hub, records }, publishing, endOf)
      await supersedeOlder({ ...hub, records }, moved)
      return moved
    })
    hub.steps.reached('promotion.released')
    return { promotions, published }
  } catch (error) {
    if (!dryRun) await endUnlessReleased(hub, publishing, error)
    throw error
  }
}

/** What is recorded as released will be finished; only what never got its rows was refused or has failed. */
async function endUnlessReleased(
  hub: Needs,
  publishing: readonly PromotionRow[],
  cause: unknown,
): Promise<void> {
  try {
    if (await areReleased(hub, publishing)) return
    const isRefusal = cause instanceof HubError && cause.code === 'promotion.not_eligible'
    const end = isRefusal
      ? ({ state: 'refused', detail: cause.message } as const)
      : ({ state: 'failed', detail: 'the hub could not publish it; see its log' } as const)
    await hub.records.transaction(
      async (records) => await movePromotions({ ...hub, records }, publishing, () => end),
    )
  } catch (error) {
    // The fault before this one is the one to tell; the promotion stays under way and is taken up again.
    const ids = publishing.map(({ id }) => id)
    hub.log.warn({ err: error, promotions: ids }, 'the end of a promotion could not be recorded')
  }
}

/**
 * Ends what was asked for before of the same apps and still waits, and with it all that was to go together with it. What a
 * policy asked for gives way to newer versions only: uploads may come in any order, and the newest is what the environment
 * is to have. Belongs into the transaction that moves the newer one, so that no crash leaves both.
 */
async function supersedeOlder(
  hub: Pick<Hub, 'records' | 'clock'>,
  newer: readonly PromotionRow[],
): Promise<void> {
  for (const by of newer) {
    for (const older of await hub.records.promotions.inStates(WAITING_STATES, by)) {
      if (older.id >= keyOf(by)) continue
      if (by.requestedBy === BY_POLICY && !(await isNewer(hub, by, older))) continue
      const together = await hub.records.promotions.together(older)
      const what = together.length === 1 ? '' : ` of ${by.app}`
      const detail = `Build ${String(by.build)}${what} was asked for by ${by.requestedBy} (${by.id}).`
      await movePromotions(hub, together, () => ({ state: 'superseded', supersededBy: by.id, detail }))
    }
  }
}

async function isNewer(
  { records }: Pick<Hub, 'records'>,
  promotion: PromotionRow,
  older: PromotionRow,
): Promise<boolean> {
  const [build, other] = [
    await records.builds.find(promotion.app, promotion.build),
    await records.builds.find(older.app, older.build),
  ]
  return build !== undefined && other !== undefined && comparePvr(parsePvr(build.pv), parsePvr(other.pv)) > 0
}

function rowsOf(members: readonly Member[]): readonly PromotionRow[] {
  return members.map(({ promotion }) => promotion)
}

/** Takes up what a crash left between request and end. */
export async function resumePromotions(hub: Needs): Promise<void> {
  // What was being published first: a request for the next environment may wait for it.
  for (const state of ['publishing', 'requested'] as const) {
    for (const promotion of await hub.records.promotions.inState(state)) await resume(hub, promotion)
  }
}

/** Judges anew what waits: something may have happened, or its time have come. */
export async function advanceWaiting(
  hub: Needs,
  of: { readonly app?: string; readonly environment?: string } = {},
): Promise<void> {
  const waiting = await hub.records.promotions.inStates(WAITING_STATES, of)
  // Of a release set one speaks for all.
  for (const promotion of new Map(waiting.map((each) => [keyOf(each), each])).values())
    await resume(hub, promotion)
}

async function resume(hub: Needs, promotion: PromotionRow): Promise<void> {
  const { environment } = promotion
  if (!hub.overlays.has(environment)) {
    const end = { state: 'failed', detail: `there is no environment ${environment} any more` } as const
    await hub.records.transaction(async (records) => {
      const open = (await records.promotions.together(promotion)).filter(isOpen)
      await movePromotions({ ...hub, records }, open, () => end)
    })
    return
  }
  try {
    await carryOn(hub, promotion)
  } catch (error) {
    // A refusal is recorded and told to whoever asks.
    if (isWaiting(promotion) && error instanceof HubError) return
    hub.log.warn({ err: error, promotion: promotion.id }, 'a promotion could not be carried on')
  }
}
