/** What must hold of promotions that wait, and of what people said of them, after a hub has come back. */
import { EVERYTHING } from '../../src/access/rights.ts'
import { createToken } from '../../src/access/tokens.ts'
import { systemClock } from '../../src/clock.ts'
import { PROMOTION_MOVES, WAITING_STATES, keyOf } from '../../src/environments/promotion.ts'
import type { PromotionState } from '../../src/environments/promotion.ts'
import { policySchema } from '../../src/environments/policy.ts'
import type { DataFolder } from '../../src/jobs/open-data-folder.ts'
import type { PromotionRow } from '../../src/records/promotions.ts'
import type { Records } from '../../src/records/records.ts'
import { GATED } from './pipeline-ledger.ts'
import type { PipelineLedger } from './pipeline-ledger.ts'

const STATES = Object.keys(PROMOTION_MOVES)
const APPROVERS = ['ann', 'bob']
const ALL = { limit: 500, cursor: null }

export async function checkPipeline(
  { records }: DataFolder,
  pipeline: PipelineLedger,
): Promise<readonly string[]> {
  await hireApprovers(records, pipeline)
  const rows = await records.promotions.inStates(STATES, { environment: GATED })
  return [
    ...checkTold(rows, pipeline),
    ...(await checkSayings(records, pipeline)),
    ...(await checkMoves(records, pipeline)),
    ...checkWaiting(rows),
    ...checkSets(rows),
    ...(await checkReleased(records, rows)),
    ...(await checkMarks(records, pipeline)),
  ]
}

/** Tokens that an administrator makes stand for the administrator: these are of people of their own. */
async function hireApprovers(records: Records, { approvers }: PipelineLedger): Promise<void> {
  for (const name of approvers.size === 0 ? APPROVERS : []) {
    const scope = { apps: null, environments: null, maySendCommands: false, expiresInSec: null }
    const token = { name, role: 'approver', ...scope, by: 'a test', owner: name } as const
    approvers.set(name, (await createToken({ records, clock: systemClock }, token)).secret)
  }
}

/** What was told to be is still there, and went on from there if it went on. */
function checkTold(rows: readonly PromotionRow[], pipeline: PipelineLedger): readonly string[] {
  const byId = new Map(rows.map((row) => [row.id, row.state as PromotionState]))
  const gone = [...pipeline.promotions.keys()].filter((id) => !byId.has(id))
  for (const { state } of rows) pipeline.seen.set(state, (pipeline.seen.get(state) ?? 0) + 1)
  return [
    ...gone.map((id) => `promotion ${id} was told of and is gone`),
    // Those that never got their answer are known from here on.
    ...[...byId].flatMap(([id, state]) => pipeline.told(id, state)),
  ]
}

/** Approvals, checks and policies that were acknowledged. */
async function checkSayings(records: Records, pipeline: PipelineLedger): Promise<readonly string[]> {
  const findings: string[] = []
  for (const { promotion, approver, policyVersion } of pipeline.approvals) {
    const given = (await records.approvals.of(promotion)).filter(
      (row) => row.owner === approver && row.policyVersion === policyVersion,
    )
    if (given.length !== 1)
      findings.push(`${approver} approved ${promotion} once, and it has ${String(given.length)} of it`)
  }
  for (const id of pipeline.checks)
    if (!(await records.checks.find(id))) findings.push(`the check ${id} was acknowledged and is gone`)
  for (const [version, policy] of pipeline.policies) {
    const row = await records.policies.find(GATED, version)
    if (row?.body !== JSON.stringify(policySchema.parse(policy)))
      findings.push(`version ${String(version)} of the policy is not what was set`)
  }
  return findings
}

/** Each promotion went by moves of the table alone, in whichever environment, and none was forgotten. */
async function checkMoves({ audit }: Records, pipeline: PipelineLedger): Promise<readonly string[]> {
  const findings: string[] = []
  const { moves } = pipeline
  for (;;) {
    const rows = await audit.after(pipeline.followed, 500)
    for (const { type, subject, before, after } of rows) {
      const to = stateIn(after)
      if (type === 'promotion.requested') moves.set(subject, 'requested')
      if (type !== 'promotion.moved' || to === null) continue
      const from = moves.get(subject)
      const mayMoveTo: readonly string[] = from === undefined ? [] : PROMOTION_MOVES[from]
      if (stateIn(before) !== from || !mayMoveTo.includes(to))
        findings.push(`${subject} was ${String(from)} and went from ${String(stateIn(before))} to ${to}`)
      moves.set(subject, to)
    }
    const last = rows.at(-1)
    if (!last) return findings
    pipeline.followed = last.seq
  }
}

function stateIn(facts: string | null): PromotionState | null {
  return facts === null ? null : (JSON.parse(facts) as { readonly state: PromotionState }).state
}

/** A newer one takes the place of an older one: of each app at most one waits. */
function checkWaiting(rows: readonly PromotionRow[]): readonly string[] {
  const waiting = rows.filter(({ state }) => WAITING_STATES.some((one) => one === state))
  const apps = new Set(waiting.map(({ app }) => app))
  return [...apps].flatMap((app) => {
    const ids = waiting.filter((row) => row.app === app).map(({ id }) => id)
    return ids.length > 1 ? [`of ${app} wait ${ids.join(', ')}`] : []
  })
}

/** All of a set are in one state, and by one revision if they are released. */
function checkSets(rows: readonly PromotionRow[]): readonly string[] {
  const sets = Map.groupBy(rows, keyOf)
  return [...sets].flatMap(([id, members]) => {
    const states = new Set(members.map(({ state }) => state))
    return states.size === 1 ? [] : [`of the set ${id} are ${[...states].join(' and ')}`]
  })
}

/** Nothing is released that its policy does not let go, or without a promotion; of a set all by one revision. */
async function checkReleased(records: Records, rows: readonly PromotionRow[]): Promise<readonly string[]> {
  const findings: string[] = []
  const { items } = await records.releases.list(GATED, { app: null, state: null, sight: EVERYTHING, ...ALL })
  for (const { release } of items) {
    const promotion = await records.promotions.findByRelease(release.id)
    if (promotion?.state !== 'released' || promotion.revision !== release.revision)
      findings.push(
        `${release.id} is released by ${promotion?.id ?? 'nothing'}, which is ${promotion?.state ?? '?'}`,
      )
  }
  const released = rows.filter(({ state }) => state === 'released')
  for (const promotion of released) {
    const release = items.find((item) => item.release.id === promotion.releaseId)?.release
    if (release?.app !== promotion.app || release.build !== promotion.build)
      findings.push(`${promotion.id} is released, and there is no release of it`)
    if (promotion.overrideBy === null) findings.push(...(await checkGates(records, promotion)))
  }
  for (const [id, members] of Map.groupBy(released, keyOf)) {
    // One that stood there before keeps the release that it had.
    const own = members.filter(
      ({ releaseId, requestedAt }) =>
        (items.find((item) => item.release.id === releaseId)?.release.releasedAt ?? '') >= requestedAt,
    )
    const revisions = new Set(own.map(({ revision }) => revision))
    if (revisions.size > 1) findings.push(`the set ${id} was released by ${String(revisions.size)} revisions`)
  }
  return findings
}

/** By the policy that judged it: enough people, none of whom asked for it, and every check passed at some time. */
async function checkGates(records: Records, promotion: PromotionRow): Promise<readonly string[]> {
  const { id, app, build, policyVersion, requestedOwner } = promotion
  const row = await records.policies.find(GATED, policyVersion ?? 0)
  if (!row) return policyVersion === 0 ? [] : [`${id} was judged by no policy`]
  const policy = policySchema.parse(JSON.parse(row.body))
  const approvals = (await records.approvals.of(keyOf(promotion))).filter(
    (approval) => approval.policyVersion === policyVersion && approval.owner !== requestedOwner,
  )
  const people = new Set(approvals.map(({ owner }) => owner)).size
  const { items } = await records.checks.list({ app, build, stage: null, name: null }, ALL)
  const missing = policy.checks.commit.filter((name) =>
    items.every((check) => check.name !== name || check.status !== 'passed'),
  )
  return [
    ...(people < policy.approvals.count
      ? [`${id} is released with ${String(people)} of ${String(policy.approvals.count)} approvals`]
      : []),
    ...missing.map((name) => `${id} is released without its check ${name}`),
    ...(policy.soak !== null || policy.freezes.length > 0 ? [`${id} is released before its time`] : []),
  ]
}

async function checkMarks(records: Records, { marks }: PipelineLedger): Promise<readonly string[]> {
  const findings: string[] = []
  for (const { app, build, yank, pin } of marks.values()) {
    const name = `${app}/${String(build)}`
    findings.push(...yank.seen(`the yank of ${name}`, (await records.holds.yankOf(app, build)) !== undefined))
    findings.push(...pin.seen(`the pin of ${name}`, (await records.pins.find(app, build)) !== undefined))
  }
  return findings
}
