/**
 * A rollback of all nodes of an environment: one wish per node, and holds with masks so that nothing brings back what they
 * leave. All of it becomes true together, with one revision of the overlay.
 */
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import { addHold, holdMessage, newHold, standingUnheld } from '../environments/holds.ts'
import { HubError } from '../errors.ts'
import { comparePvr, parsePvr } from '../gentoo/version.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { Published } from '../overlays/overlay.ts'
import { planHeldMask } from '../overlays/plan-overlay.ts'
import type { BuildRow } from '../records/builds.ts'
import type { HeldBuild } from '../records/holds.ts'
import type { Records } from '../records/records.ts'
import type { EnvironmentRollbackRow, RollbackRow } from '../records/rollbacks.ts'
import { addRollback, waiting } from './roll-back.ts'
import { outlooksOf } from './rollback-outlook.ts'
import type { NodeOutlook } from './rollback-outlook.ts'

type Needs = Pick<Hub, 'overlays' | 'records' | 'clock'>

export interface EnvironmentRollbackRequest {
  readonly environment: string
  readonly app: string
  /** The build to go back to. */
  readonly build: number
  readonly reason: string
  /** Hold what comes after the builds that are left too. */
  readonly newer: boolean
  readonly withDump: boolean
  /** Go back although the schema forbids it. */
  readonly force: boolean
  readonly by: string
  readonly dryRun: boolean
}

export interface EnvironmentRollback {
  readonly rollback: EnvironmentRollbackRow
  readonly nodes: readonly NodeOutlook[]
  readonly rollbacks: readonly RollbackRow[]
  readonly holds: readonly HeldBuild[]
}

/**
 * @throws {HubError} `environment.unknown`, `build.unknown`; `rollback.impossible` for a build that is not to be had there,
 *   where nothing is newer than it, where the schema of a node forbids it, or where a node has no dump and one is asked
 *   for; `rollback.open` when a node has one that waits.
 */
export async function rollBackEnvironment(
  hub: Needs,
  request: EnvironmentRollbackRequest,
): Promise<EnvironmentRollback & { readonly published: Published }> {
  const { environment, app, dryRun, by } = request
  const overlay = overlayOf(hub, environment)
  const target = await wantedBuild(hub, request)
  const nodes = await outlooksOf(hub, request, target)
  const going = nodes.filter(({ outlook }) => outlook === 'goes_back')
  refuseWhatCannotBe(request, going)
  const rollback = newRollback(hub, request, nodes)
  const newHolds = await holdsOf(hub, request, target, rollback.id)
  if (going.length === 0 && newHolds.length === 0)
    throw impossible(`nothing in ${environment} is newer than ${app} build ${String(target.build)}`)
  const rollbacks = going.map((outlook) => newNodeRollback(hub, rollback, outlook))
  await refuseOpen(hub.records, rollbacks)
  let holds = newHolds
  const published = await overlay.publish({
    author: by,
    message: holdMessage(newHolds, 'roll back, hold'),
    dryRun,
    plan: async (tree) =>
      planHeldMask(tree, [...(await hub.records.holds.masksIn(environment)), ...newHolds], new Map()),
    record: async (records, revision) => {
      holds = newHolds.map((hold) => ({ ...hold, heldRevision: revision }))
      await refuseOpen(records, rollbacks)
      await records.rollbacks.addForEnvironment(rollback)
      const within = { records, clock: hub.clock }
      await recordChange(records, hub.clock, {
        ...{ type: 'environment_rollback.requested', subject: rollback.id, app, environment },
        ...{ build: target.build, reason: request.reason },
        after: { withDump: request.withDump, force: request.force, nodes: rollbacks.map(({ node }) => node) },
      })
      for (const row of rollbacks) await addRollback(within, row)
      for (const hold of holds) await addHold(within, hold)
    },
  })
  return { rollback, nodes, rollbacks: dryRun ? [] : rollbacks, holds, published }
}

/** @throws {HubError} `rollback.unknown`. */
export async function findEnvironmentRollback(
  { records }: Pick<Hub, 'records'>,
  id: string,
): Promise<EnvironmentRollback> {
  const rollback = await records.rollbacks.findForEnvironment(id)
  if (!rollback)
    throw new HubError('rollback.unknown', `there is no rollback ${JSON.stringify(id.slice(0, 100))}`)
  const rollbacks = await records.rollbacks.ofEnvironment(id)
  const holds = await records.holds.ofRollback(id)
  return { rollback, nodes: JSON.parse(rollback.nodes) as NodeOutlook[], rollbacks, holds }
}

async function wantedBuild(
  hub: Pick<Hub, 'records'>,
  { environment, app, build: number }: EnvironmentRollbackRequest,
): Promise<BuildRow> {
  const build = await hub.records.builds.find(app, number)
  if (!build)
    throw new HubError(
      'build.unknown',
      `there is no build ${String(number)} of ${JSON.stringify(app.slice(0, 100))}`,
    )
  const standing = await standingUnheld(hub, environment, [app])
  const state = standing.find((one) => one.build === number)?.state ?? 'not released'
  if (state === 'released') return build
  throw impossible(
    `${app} build ${String(number)} is ${state} in ${environment}: choose one that is released there`,
  )
}

/** One node that cannot go back refuses all: nobody is to find half an environment gone back. */
function refuseWhatCannotBe(
  { withDump, force }: EnvironmentRollbackRequest,
  going: readonly NodeOutlook[],
): void {
  const forbidden = going.filter(({ schemaRefusal: refusal }) => refusal !== null)
  if (forbidden.length > 0 && !force) {
    const detail = forbidden.map(({ node, schemaRefusal: refusal }) => `${node}: ${refusal ?? ''}`)
    throw new HubError('rollback.impossible', detail.slice(0, 10).join('; '), { nodes: forbidden })
  }
  const bare = going.filter(({ dumps }) => dumps.length === 0)
  if (withDump && bare.length > 0) {
    const names = bare.map(({ node }) => node)
    throw new HubError(
      'rollback.impossible',
      `the points of ${names.slice(0, 10).join(', ')} have no dump: go back without it`,
      { nodes: bare },
    )
  }
}

async function refuseOpen(
  records: Pick<Records, 'rollbacks'>,
  rollbacks: readonly RollbackRow[],
): Promise<void> {
  for (const { node, app } of rollbacks) {
    const open = await records.rollbacks.findOpen(node, app)
    if (open) throw waiting(open)
  }
}

/** Of every released build above the target, so that the target is the best that remains. */
async function holdsOf(
  hub: Needs,
  { environment, app, newer, reason, by }: EnvironmentRollbackRequest,
  target: BuildRow,
  rollback: string,
): Promise<readonly HeldBuild[]> {
  const standing = await standingUnheld(hub, environment, [app])
  const above = standing
    .map(({ build, pv, state }) => ({ build, state, pvr: parsePvr(pv) }))
    .filter(({ state, pvr }) => state === 'released' && comparePvr(pvr, parsePvr(target.pv)) > 0)
    .toSorted((a, b) => comparePvr(a.pvr, b.pvr))
  const holds: HeldBuild[] = []
  for (const { build } of newer ? above.slice(0, 1) : above)
    holds.push(
      await newHold(hub, { app, build, newer, environment, mask: true, yank: false, reason, by, rollback }),
    )
  return holds
}

function newRollback(
  hub: Pick<Hub, 'clock'>,
  { environment, app, build, withDump, force, reason, by }: EnvironmentRollbackRequest,
  nodes: readonly NodeOutlook[],
): EnvironmentRollbackRow {
  const now = hub.clock.now()
  return {
    ...{ id: newId('rbe', now), environment, app, build, reason },
    ...{ withDump: withDump ? 1 : 0, force: force ? 1 : 0 },
    ...{ requestedBy: by, requestedAt: timestamp(now), nodes: JSON.stringify(nodes) },
  }
}

function newNodeRollback(
  hub: Pick<Hub, 'clock'>,
  { id, app, withDump, force, requestedBy, requestedAt }: EnvironmentRollbackRow,
  { node, restorePoint }: NodeOutlook,
): RollbackRow {
  return {
    ...{ id: newId('rbk', hub.clock.now()), node, app, point: restorePoint ?? '', withDump, force },
    ...{ state: 'requested', requestedBy, requestedAt, finishedAt: null, detail: null },
    environmentRollback: id,
  }
}

function impossible(why: string): HubError {
  return new HubError('rollback.impossible', why)
}
