/**
 * A rollback that is asked for at the hub: judged by what the hub knows, then carried out by the node at its next contact,
 * which judges again by what it finds.
 */
import { recordChange } from '../audit/record-change.ts'
import { findBuildOfCpv } from '../builds/find-build-of-cpv.ts'
import { recipeFromJson } from '../builds/recipe.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import { parseCpv } from '../gentoo/cpv.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import type { RestorePointFileRow, RestorePointRow } from '../records/restore-points.ts'
import type { RollbackRow } from '../records/rollbacks.ts'
import { findEnrolledNode } from './find-node.ts'
import { findPoint, rollbackTurn } from './restore-point.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'turns'>

export interface RollbackRequest {
  readonly node: string
  readonly app: string
  /** null: the newest point of the app. */
  readonly point: string | null
  readonly withDump: boolean
  /** Go back although the schema forbids it. */
  readonly force: boolean
  readonly by: string
  readonly dryRun: boolean
}

/** What the hub can say before: the node knows more. */
export interface RollbackPreview {
  /** The package that the node reported last; null when it reported none of the app. */
  readonly from: string | null
  readonly to: string
  readonly takenAt: string
  readonly dumps: readonly string[]
  /** Why the database would not fit the older build; null where nothing speaks against it. */
  readonly schemaRefusal: string | null
}

export interface RequestedRollback {
  readonly rollback: RollbackRow
  readonly preview: RollbackPreview
}

/**
 * Records the wish, once for an app on a node at a time.
 * @throws {HubError} `node.unknown`; `node.left`; `restore_point.unknown`; `rollback.impossible` for a point that is not
 *   complete, has no dump where one is asked for, or whose schema is too old; `rollback.open`.
 */
export async function requestRollback(hub: Needs, request: RollbackRequest): Promise<RequestedRollback> {
  const { node, app, withDump, force, dryRun } = request
  await findEnrolledNode(hub, node)
  const point = await wantedPoint(hub, request)
  const files = await hub.records.restorePoints.filesOf({ node, id: point.id })
  const preview = await previewOf(hub, request, point, files)
  if (withDump && preview.dumps.length === 0) throw impossible(`${point.id} has no dump: go back without it`)
  if (preview.schemaRefusal !== null && !force) throw impossible(preview.schemaRefusal)
  const now = hub.clock.now()
  const rollback: RollbackRow = {
    ...{
      id: newId('rbk', now),
      node,
      app,
      point: point.id,
      withDump: withDump ? 1 : 0,
      force: force ? 1 : 0,
    },
    ...{
      state: 'requested',
      requestedBy: request.by,
      requestedAt: timestamp(now),
      finishedAt: null,
      detail: null,
      environmentRollback: null,
    },
  }
  await hub.turns.run(rollbackTurn(node, app), async () => {
    await hub.records.transaction(async (records) => {
      // It may have been removed meanwhile.
      await findPoint({ records }, { node, id: point.id })
      const open = await records.rollbacks.findOpen(node, app)
      if (open) throw waiting(open)
      if (!dryRun) await addRollback({ records, clock: hub.clock }, rollback)
    })
  })
  return { rollback, preview }
}

/** Records a new one. Belongs into a transaction. */
export async function addRollback(hub: Pick<Hub, 'records' | 'clock'>, rollback: RollbackRow): Promise<void> {
  await hub.records.rollbacks.add(rollback)
  const { id, node, app, point, withDump, force, environmentRollback } = rollback
  await recordChange(hub.records, hub.clock, {
    ...{ type: 'rollback.requested', subject: id, node, app },
    after: { restorePoint: point, withDump: withDump === 1, force: force === 1, environmentRollback },
  })
}

/** @throws {HubError} `rollback.unknown`. */
export async function findRollback(hub: Pick<Hub, 'records'>, id: string): Promise<RollbackRow> {
  const rollback = await hub.records.rollbacks.find(id)
  if (rollback) return rollback
  throw new HubError('rollback.unknown', `there is no rollback ${JSON.stringify(id.slice(0, 100))}`)
}

/**
 * Ends a rollback: by its node's word (`done`, `failed`), or by somebody who takes the wish back.
 * @throws {HubError} `rollback.unknown`; `rollback.ended`.
 */
export async function endRollback(
  hub: Pick<Hub, 'records' | 'clock'>,
  id: string,
  { state, detail }: { readonly state: 'done' | 'failed' | 'cancelled'; readonly detail: string | null },
): Promise<RollbackRow> {
  const before = await findRollback(hub, id)
  const end = { state, detail, finishedAt: timestamp(hub.clock.now()) }
  const isEnded = await hub.records.transaction(async (records) => {
    if (!(await records.rollbacks.finish(id, end))) return false
    const { node, app } = before
    await recordChange(records, hub.clock, {
      ...{ type: 'rollback.ended', subject: id, node, app },
      ...{ before: { state: before.state }, after: { state, detail } },
    })
    return true
  })
  if (isEnded) return { ...before, ...end }
  if (before.state === state) return before
  throw new HubError('rollback.ended', `${id} is ${before.state} since ${before.finishedAt ?? 'just now'}`)
}

async function wantedPoint(
  hub: Pick<Hub, 'records'>,
  { node, app, point: id }: RollbackRequest,
): Promise<RestorePointRow> {
  if (id === null) {
    const filter = { app, rehearsed: null }
    const { items } = await hub.records.restorePoints.list(node, filter, { limit: 100, cursor: null })
    const newest = items.find(({ state }) => state === 'complete')
    if (newest) return newest
    throw new HubError('restore_point.unknown', `${node} has no complete restore point of ${app} here`)
  }
  const point = await findPoint(hub, { node, id })
  if (point.app !== app) throw impossible(`${id} is of ${point.app}, and not of ${app}`)
  if (point.state !== 'complete') throw impossible(`${id} is ${point.state}: choose one that is complete`)
  return point
}

async function previewOf(
  hub: Pick<Hub, 'records'>,
  { node, app }: RollbackRequest,
  point: RestorePointRow,
  files: readonly RestorePointFileRow[],
): Promise<RollbackPreview> {
  const installed = (await hub.records.nodes.packagesOf([node])).find((pkg) => pkg.app === app)
  return {
    from: installed?.cpv ?? null,
    to: point.cpv,
    takenAt: point.takenAt,
    dumps: files.filter(({ kind }) => kind === 'dump').map(({ name }) => name),
    schemaRefusal: installed ? await schemaRefusal(hub, installed.cpv, point) : null,
  }
}

/** The rule of the node too: the installed build says how far back its schema lets one go. */
export async function schemaRefusal(
  { records }: Pick<Hub, 'records'>,
  installed: string,
  point: RestorePointRow,
): Promise<string | null> {
  const build = await findBuildOfCpv(records, parseCpv(installed))
  const recipe = build?.recipe ?? null
  const schema = recipe === null ? undefined : recipeFromJson(recipe).schema
  if (schema === undefined) return null
  const oldest = schema.reversible_from ?? schema.version
  if (point.schemaVersion !== null && point.schemaVersion >= oldest) return null
  const then = point.schemaVersion === null ? 'no known schema' : `schema ${String(point.schemaVersion)}`
  return (
    `${installed} has schema ${String(schema.version)}, from which one may go back to ${String(oldest)} at the oldest, and ` +
    `${point.cpv} has ${then}: send a hotfix instead, a build with the next number and the older code, or force it`
  )
}

function impossible(why: string): HubError {
  return new HubError('rollback.impossible', why)
}

export function waiting({ id, node, app, requestedBy, requestedAt }: RollbackRow): HubError {
  return new HubError(
    'rollback.open',
    `${requestedBy} asked for a rollback of ${app} on ${node} at ${requestedAt} (${id}): wait for it, or cancel it first`,
  )
}
