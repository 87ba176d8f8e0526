/** Nodes: the inventory, and one with what it runs, keeps and was asked for. */
import type { HubEvent } from '../../events/event.ts'
import type { NodeStatusAnswer, WholeNode } from '../../http/openapi/nodes.ts'
import type { Point } from '../../http/openapi/restore-points.ts'
import type { Rollback } from '../../http/openapi/rollbacks.ts'
import {
  action,
  choice,
  digest,
  empty,
  facts,
  field,
  filters,
  heading,
  live,
  pager,
  section,
  size,
  state,
  table,
  theirs,
  time,
} from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { timeline } from './timeline-part.ts'
import { buildAddress, environmentAddress, nodeAddress } from './words.ts'

type Package = NodeStatusAnswer['packages'][number]

/** So many apps of a node its row names. */
const NAMED_APPS = 4

const RELEASES = ['release.published', 'release.withdrawn', 'hold.set', 'hold.lifted'] as const
const NODES = ['node.enrolled', 'node.changed', 'node.left', ...RELEASES]
const OF_A_NODE = [
  ...NODES,
  ...['restore_point.announced', 'restore_point.completed', 'restore_point.refused'],
  ...['restore_point.removed', 'restore_point.kept', 'restore_point.rehearsed'],
  ...['rollback.requested', 'rollback.ended'],
]

export interface NodeList {
  readonly nodes: readonly NodeStatusAnswer[]
  readonly next: string | null
  /** As the query has them; empty: not narrowed. */
  readonly filter: Readonly<Record<'environment' | 'q' | 'drifted' | 'state', string>>
  readonly environments: readonly string[]
  readonly mayEnrol: boolean
  /** Of the page, with what narrows it. */
  readonly address: string
  readonly hubUrl: string
  readonly now: Date
}

export function nodesPage(list: NodeList): Html {
  const { filter, environments, nodes, now } = list
  const fields = html`${field('Name', { name: 'q', value: filter.q })}
  ${choice('Environment', 'environment', [['', 'all'], ...environments.map((name) => [name, name] as const)], filter.environment)}
  ${choice('Drift', 'drifted', DRIFT, filter.drifted)} ${choice('State', 'state', STATES, filter.state)}`
  const shown = html`${table('Nodes', columnsAt(now), nodes, nothing(list))} ${pager(list.next)}`
  const enrol = list.mayEnrol && html`<a href="/nodes/enrol">Enrol a node</a>`
  return html`${heading('Nodes', [], enrol)} ${filters('/nodes', fields)}
  ${live('nodes', list.address, NODES, shown)}`
}

const DRIFT = [
  ['', 'all'],
  ['true', 'drifted'],
  ['false', 'as wanted'],
] as const

const STATES = [
  ['', 'all'],
  ['enrolled', 'enrolled'],
  ['left', 'left'],
] as const

function columnsAt(now: Date) {
  return [
    {
      title: 'Node',
      cell: ({ name }: NodeStatusAnswer) => html`<a href="${nodeAddress(name)}">${theirs(name)}</a>`,
    },
    { title: 'Environment', cell: ({ environment }: NodeStatusAnswer) => theirs(environment) },
    { title: 'State', cell: nodeState },
    { title: 'Apps', cell: ({ packages }: NodeStatusAnswer) => apps(packages) },
    { title: 'Last seen', cell: ({ reportedAt }: NodeStatusAnswer) => time(reportedAt, now) },
  ]
}

/** What matters most of how it stands. */
function nodeState({ state: at, notSeenSince, reportedAt, drifted }: NodeStatusAnswer): Html {
  if (at === 'left') return state('quiet', 'left')
  if (notSeenSince !== null) return state('bad', 'not seen')
  if (reportedAt === null) return state('quiet', 'no report yet')
  return drifted ? state('waiting', 'drifted') : state('good', 'as wanted')
}

/** `shop 45 → 46, cart 7`: what drifted first. */
function apps(packages: readonly Package[]): Html | null {
  const ofApps = packages
    .filter(({ app }) => app !== null)
    .sort((one, other) => Number(other.drifted) - Number(one.drifted))
  if (ofApps.length === 0) return null
  const more = ofApps.length - NAMED_APPS
  const named = ofApps.slice(0, NAMED_APPS).map(({ app, reported, wanted }) => {
    const target = wanted !== null && wanted.build !== reported.build ? ` → ${String(wanted.build)}` : ''
    return `${app ?? ''} ${String(reported.build ?? reported.cpv)}${target}`
  })
  return html`${theirs(named.join(', '))}${more > 0 && ` and ${String(more)} more`}`
}

function nothing({ filter, environments, hubUrl }: NodeList): Html {
  if (Object.values(filter).some((value) => value !== '')) return empty('No node is as the filters say.')
  return empty(
    'No node is enrolled yet. Make a token for one machine, and give it to the script there.',
    `portage-hub token create --role enrol --environment ${environments[0] ?? '<environment>'} --expires-in 1h --url ${hubUrl}`,
  )
}

/** A restore point with what its files are together. */
export type ShownPoint = Point & { readonly sizeBytes: number; readonly dumps: number }

export interface ShownNode {
  readonly node: WholeNode
  /** null: they are not theirs to see. */
  readonly points: { readonly points: readonly ShownPoint[]; readonly next: string | null } | null
  readonly rollbacks: readonly Rollback[] | null
  /** The newest, as far as they may know of them. */
  readonly events: readonly HubEvent[]
  readonly mayRollBack: boolean
  readonly csrf: string
  readonly now: Date
}

export function nodePage(shown: ShownNode): Html {
  const { node, points, rollbacks, now } = shown
  const installed = table('Installed packages', packageColumns(now), node.packages, noReport())
  const content = html`${nodeFacts(node, now)} ${section('Installed', installed)}
  ${rollbacks && section('Rollbacks', table('Rollbacks', rollbackColumns(shown), rollbacks, empty('None was asked for.')))}
  ${
    points &&
    section(
      'Restore points',
      html`${table('Restore points', pointColumns(shown), points.points, empty('It has sent none yet.'))}
      ${pager(points.next)}`,
    )
  }
  ${section('Timeline', shown.events.length === 0 ? empty('Nothing has happened to it yet.') : timeline(shown.events, now))}`
  return html`${heading(theirs(node.name), [['/nodes', 'Nodes']])}
  ${live('node', nodeAddress(node.name), OF_A_NODE, content)}`
}

function noReport(): Html {
  return empty('It has reported nothing yet. On the node:', 'hub-node report')
}

function nodeFacts(node: WholeNode, now: Date): Html {
  const { environment, report, syncedCommit, notSeenSince, neverRehearsed } = node
  return html`${facts([
    ['State', nodeState(node)],
    ['Environment', html`<a href="${environmentAddress(environment)}">${theirs(environment)}</a>`],
    ['Last report', time(node.reportedAt, now)],
    ['Not seen since', notSeenSince !== null && time(notSeenSince, now)],
    ['Synced', syncedCommit !== null && digest(syncedCommit)],
    ['Enrolled', html`${time(node.enrolledAt, now)} by ${theirs(node.enrolledBy)}`],
    ['Left', node.leftAt !== null && time(node.leftAt, now)],
    ['Portage', report && theirs(report.portage)],
    ['hub-node', report && theirs(report.hubNode)],
    ['Configuration to merge', report && report.configPending.length > 0 && report.configPending.length],
    ['Never rehearsed', neverRehearsed.length > 0 && `${String(neverRehearsed.length)} restore points`],
    ['Free', report && report.disk.length > 0 && disks(report.disk)],
  ])}`
}

function disks(all: NonNullable<WholeNode['report']>['disk']): Html {
  const each = all.map(
    ({ path, freeBytes, totalBytes }) =>
      html`<div>${size(freeBytes)} of ${size(totalBytes)} at ${theirs(path)}</div>`,
  )
  return html`${each}`
}

function packageColumns(now: Date) {
  return [
    { title: 'App', cell: ({ app }: Package) => app !== null && appLink(app) },
    { title: 'Reported', cell: ({ app, reported }: Package) => buildLink(app, reported) },
    { title: 'Wanted', cell: ({ app, wanted }: Package) => wanted && buildLink(app, wanted) },
    { title: 'State', cell: (one: Package) => packageState(one) },
    { title: 'Edited files', cell: ({ changedFiles }: Package) => edited(changedFiles) },
    { title: 'Since', cell: ({ reported }: Package) => time(reported.since, now) },
  ]
}

function appLink(app: string): Html {
  return html`<a href="/apps/${encodeURIComponent(app)}">${theirs(app)}</a>`
}

/** A package that is of a build leads to it. */
function buildLink(
  app: string | null,
  { cpv, build }: { readonly cpv: string; readonly build: number | null },
): Html {
  if (app === null || build === null) return theirs(cpv)
  return html`<a href="${buildAddress({ app, build })}">${theirs(cpv)}</a>`
}

function packageState({ app, drifted, reasons, wanted }: Package): Html {
  if (drifted)
    return html`${state('waiting', 'drifted')} ${theirs(reasons.map(({ detail }) => detail).join('; '))}`
  if (app === null) return state('quiet', 'by hand')
  return wanted === null ? state('quiet', 'nothing wanted') : state('good', 'as wanted')
}

function edited(changed: Package['changedFiles']): Html | null {
  if (changed === null || changed.count === 0) return null
  const { count, names } = changed
  return html`<span title="${names.join('\n')}">${count}</span>`
}

function rollbackColumns({ csrf, mayRollBack, now }: ShownNode) {
  return [
    { title: 'App', cell: ({ app }: Rollback) => appLink(app) },
    {
      title: 'State',
      cell: ({ state: at }: Rollback) => {
        const [tone, word] = ROLLBACKS[at]
        return state(tone, word)
      },
    },
    {
      title: 'How',
      cell: ({ withDump, force }: Rollback) =>
        [withDump ? 'with its dump' : '', force ? 'forced' : ''].filter((text) => text !== '').join(', '),
    },
    { title: 'Restore point', cell: ({ restorePoint }: Rollback) => html`<code>${restorePoint}</code>` },
    { title: 'Asked by', cell: ({ requestedBy }: Rollback) => theirs(requestedBy) },
    { title: 'Asked', cell: ({ requestedAt }: Rollback) => time(requestedAt, now) },
    { title: 'Ended', cell: ({ finishedAt }: Rollback) => time(finishedAt, now) },
    {
      title: 'What it says',
      cell: ({ id, node, app, state: at, detail }: Rollback) =>
        at === 'requested' && mayRollBack
          ? action({
              ...{ address: `${nodeAddress(node)}/rollbacks/${id}/cancel`, csrf },
              label: `Cancel the rollback of ${app}`,
            })
          : detail !== null && theirs(detail),
    },
  ]
}

const ROLLBACKS = {
  requested: ['waiting', 'waits for the node'],
  done: ['good', 'done'],
  failed: ['bad', 'failed'],
  cancelled: ['quiet', 'cancelled'],
} as const

function pointColumns({ mayRollBack, now }: ShownNode) {
  return [
    { title: 'Package', cell: ({ cpv }: ShownPoint) => theirs(cpv) },
    { title: 'Taken', cell: ({ takenAt }: ShownPoint) => time(takenAt, now) },
    { title: 'For', cell: ({ reason }: ShownPoint) => reason },
    { title: 'Size', cell: ({ sizeBytes }: ShownPoint) => size(sizeBytes), isNumber: true },
    { title: 'State', cell: (point: ShownPoint) => pointState(point) },
    { title: 'Encrypted', cell: ({ encrypted }: ShownPoint) => (encrypted ? 'yes' : 'no') },
    { title: 'Rehearsed', cell: (point: ShownPoint) => rehearsed(point, now) },
    {
      title: 'Id',
      cell: ({ id, node, app, state: at }: ShownPoint) => {
        const wish = new URLSearchParams({ app, restorePoint: id }).toString()
        return html`<code>${id}</code> ${
            mayRollBack &&
            at === 'complete' &&
            html`<a href="${nodeAddress(node)}/rollback?${wish}" aria-label="Roll back… to ${id}"
              >Roll back…</a
            >`
          }`
      },
    },
  ]
}

function pointState({ state: at, refusal, keptAt }: ShownPoint): Html {
  const kept = keptAt !== null && state('held', 'kept')
  if (at === 'complete') return html`${state('good', 'complete')} ${kept}`
  if (at === 'announced') return html`${state('waiting', 'on its way')} ${kept}`
  return html`${state('bad', 'refused')} ${kept} ${refusal !== null && theirs(refusal)}`
}

/** Only a dump can be tried out. */
function rehearsed({ rehearsed: trial, dumps, state: at }: ShownPoint, now: Date): Html | null {
  if (trial !== null)
    return html`<span title="${trial.detail}"
        >${trial.ok ? state('good', 'passed') : state('bad', 'failed')}</span
      >
      ${time(trial.at, now)}`
  return at === 'complete' && dumps > 0 ? state('waiting', 'never') : null
}
