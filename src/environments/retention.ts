/**
 * Retention: which builds the rules would let go of, and what keeps others all the same. Nothing is removed by it: whoever
 * sets rules looks at the plan that follows from them.
 */
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { pvOf } from '../gentoo/version.ts'
import { parseCpv } from '../gentoo/cpv.ts'
import { ebuildPath } from '../overlays/plan-overlay.ts'
import type { Records } from '../records/records.ts'
import type { BuildKey, JudgedBuild, RetentionRuleRow } from '../records/retention.ts'
import { OPEN_STATES } from './promotion.ts'

export interface RetentionRules {
  /** So many of the newest builds of an app stay; null: no build stays for that. */
  readonly keepNewest: number | null
  /** Builds that are younger stay; null: no build stays for that. Both null: every build stays. */
  readonly keepDays: number | null
  /** What an environment listed in so many of its newest revisions stays, for rollbacks. */
  readonly keepRevisions: number
}

/** Where nobody has said anything. */
export const KEEP_EVERYTHING: RetentionRules = { keepNewest: null, keepDays: null, keepRevisions: 10 }

/** Rules and who set them; null: nobody did. */
export interface KeptRules extends RetentionRules {
  readonly setBy: string | null
  readonly setAt: string | null
}

/** The rules of the hub, or those of an app; null: it has none of its own. */
export async function retentionRules(
  { records }: { readonly records: Pick<Records, 'retention'> },
  app: string | null,
): Promise<KeptRules | null> {
  const row = await records.retention.find(app ?? '')
  if (row) return rulesOf(row)
  return app === null ? { ...KEEP_EVERYTHING, setBy: null, setAt: null } : null
}

function rulesOf({ keepNewest, keepDays, keepRevisions, setBy, setAt }: RetentionRuleRow): KeptRules {
  return { keepNewest, keepDays, keepRevisions, setBy, setAt }
}

/** Sets the rules of the hub, or of an app; null takes an app's own away. The same again changes nothing. */
export async function setRetentionRules(
  hub: Pick<Hub, 'records' | 'clock'>,
  wanted: {
    readonly app: string | null
    readonly rules: RetentionRules | null
    readonly by: string
    readonly dryRun: boolean
  },
): Promise<KeptRules | null> {
  const { app, rules, by, dryRun } = wanted
  return await hub.records.transaction(async (records) => {
    if (app !== null && !(await records.apps.find(app)))
      throw new HubError('app.unknown', `there is no app ${JSON.stringify(app.slice(0, 100))}`)
    const before = await retentionRules({ records }, app)
    const after = rules && { ...rules, setBy: by, setAt: timestamp(hub.clock.now()) }
    if (JSON.stringify(before && factsOf(before)) === JSON.stringify(after && factsOf(after))) return before
    if (dryRun) return after
    if (after === null) await records.retention.remove(app ?? '')
    else await records.retention.set({ app: app ?? '', ...after })
    const told = { before: before && factsOf(before), after: after && factsOf(after) }
    const subject = app ?? 'hub'
    await recordChange(records, hub.clock, { type: 'retention.set', subject, app, ...told })
    return after
  })
}

function factsOf({ keepNewest, keepDays, keepRevisions }: RetentionRules) {
  return { keepNewest, keepDays, keepRevisions }
}

// ------------------------------------------------------------------------------------------------ judging

/** Why a build stays. The first two are what the rules say; the others hold against them. */
export const KEEP_REASONS = {
  newest: 'it is among the newest builds of the app',
  young: 'it is young',
  listed: 'an environment lists it',
  revision: 'one of the newest revisions of an environment listed it',
  pinned: 'it is pinned',
  held: 'a hold is on it',
  promotion: 'a promotion of it is open',
  node: 'a node runs it',
  'restore-point': 'a restore point holds it',
} as const
export type KeepReason = keyof typeof KEEP_REASONS

/** What keeps builds whatever the rules say. */
export interface Keepers {
  readonly pinned: ReadonlySet<string>
  readonly held: ReadonlySet<string>
  /** Apps of which every build is held. */
  readonly heldApps: ReadonlySet<string>
  readonly promoted: ReadonlySet<string>
  readonly onNodes: ReadonlySet<string>
  /** By package with version, without a revision. */
  readonly inPoints: ReadonlySet<string>
  /** Paths of ebuilds. */
  readonly listed: ReadonlySet<string>
  /** By path of an ebuild, how many revisions ago it was taken away, from 1. */
  readonly gone: ReadonlyMap<string, number>
}

export interface JudgedRetention {
  readonly build: JudgedBuild
  /** Why it stays; empty: it would go. */
  readonly reasons: readonly KeepReason[]
}

const DAY_MS = 86_400_000

export function keyOf({ app, build }: BuildKey): string {
  return `${app}~${String(build)}`
}

/** Judges every build of one app. @param builds newest first. */
export function judgeRetention(
  builds: readonly JudgedBuild[],
  rules: RetentionRules,
  keepers: Keepers,
  now: Date,
): readonly JudgedRetention[] {
  const { keepNewest, keepDays } = rules
  const keepsAll = keepNewest === null && keepDays === null
  const youngSince = keepDays === null ? Infinity : now.getTime() - keepDays * DAY_MS
  return builds.map((build, at) => {
    const key = keyOf(build)
    const path = ebuildPath(build)
    const revisionsAgo = keepers.gone.get(path) ?? Infinity
    const holding: Readonly<Record<KeepReason, boolean>> = {
      newest: keepsAll || at < (keepNewest ?? 0),
      young: Date.parse(build.receivedAt) > youngSince,
      listed: keepers.listed.has(path),
      revision: revisionsAgo <= rules.keepRevisions,
      pinned: keepers.pinned.has(key),
      held: keepers.held.has(key) || keepers.heldApps.has(build.app),
      promotion: keepers.promoted.has(key),
      node: keepers.onNodes.has(key),
      'restore-point': keepers.inPoints.has(`${build.category}/${build.pn}-${build.pv}`),
    }
    return { build, reasons: (Object.keys(holding) as KeepReason[]).filter((reason) => holding[reason]) }
  })
}

// ------------------------------------------------------------------------------------------------ the plan

export interface RetentionPlan {
  readonly at: string
  /** Builds that would go, and those that stay against the rules; those that the rules keep are only counted. */
  readonly items: readonly JudgedRetention[]
  readonly removed: { readonly builds: number; readonly bytes: number }
  readonly keptByRules: number
  readonly keptAgainst: number
}

/** What would go by the rules as they are, of every app or of one. */
export async function planRetention(
  hub: Pick<Hub, 'records' | 'clock' | 'config'>,
  app: string | null = null,
): Promise<RetentionPlan> {
  const now = hub.clock.now()
  const rows = await hub.records.retention.all()
  const own = new Map(rows.map((row) => [row.app, rulesOf(row)]))
  const ofHub = own.get('') ?? KEEP_EVERYTHING
  const mostRevisions = Math.max(ofHub.keepRevisions, ...rows.map(({ keepRevisions }) => keepRevisions))
  const keepers = await readKeepers(hub, mostRevisions)
  const items: JudgedRetention[] = []
  const keptDigests = new Set<string>()
  let keptByRules = 0
  for (const name of app === null ? await hub.records.apps.names() : [app]) {
    const builds = await hub.records.retention.buildsOf(name)
    for (const judged of judgeRetention(builds, own.get(name) ?? ofHub, keepers, now)) {
      if (judged.reasons.length > 0) keptDigests.add(judged.build.sha512)
      if (judged.reasons.some(isOfRules)) keptByRules++
      else items.push(judged)
    }
    // The database never waits by itself, and others want their turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
  const gone = items.filter(({ reasons }) => reasons.length === 0)
  // A tarball that several builds have goes with the last of them.
  const sizes = new Map(
    gone
      .filter(({ build }) => !keptDigests.has(build.sha512))
      .map(({ build }) => [build.sha512, build.sizeBytes]),
  )
  const bytes = [...sizes.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0)
  const counts = { removed: { builds: gone.length, bytes }, keptAgainst: items.length - gone.length }
  return { at: timestamp(now), items, keptByRules, ...counts }
}

function isOfRules(reason: KeepReason): boolean {
  return reason === 'newest' || reason === 'young'
}

async function readKeepers(
  { records, config }: Pick<Hub, 'records' | 'config'>,
  revisions: number,
): Promise<Keepers> {
  const { retention } = records
  const keys = (builds: readonly BuildKey[]) => new Set(builds.map(keyOf))
  const holds = await retention.held()
  const listed = new Set<string>()
  const gone = new Map<string, number>()
  for (const { name } of config.environments) {
    for (const path of await retention.ebuildsIn(name)) listed.add(path)
    for (const [path, ago] of await retention.ebuildsGone(name, revisions))
      gone.set(path, Math.min(ago, gone.get(path) ?? Infinity))
  }
  return {
    pinned: keys(await retention.pinned()),
    held: keys(holds.flatMap(({ app, build }) => (build === null ? [] : [{ app, build }]))),
    // Which versions are newer than a build may change with the next one: all of them are left alone.
    heldApps: new Set(
      holds.filter(({ build, newer }) => build === null || newer === 1).map(({ app }) => app),
    ),
    promoted: keys(await retention.promotedIn(OPEN_STATES)),
    onNodes: keys(await retention.onNodes()),
    inPoints: new Set((await retention.cpvsInPoints()).map(withoutRevision)),
    ...{ listed, gone },
  }
}

function withoutRevision(text: string): string {
  const { category, pn, pvr } = parseCpv(text)
  return `${category}/${pn}-${pvOf(pvr)}`
}
