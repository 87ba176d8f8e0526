/** Nodes: which machines are enrolled, and how each stands. */
import { Option } from 'commander'
import type { Command } from 'commander'
import type { NodeAnswer, NodeDetailAnswer, RestorePointAnswer, StoredPointAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { countText, facts, onOneLine, sizeText, table, timeText } from './format.ts'
import { showPage, withLimit } from './lists.ts'
import type { ListOptions } from './lists.ts'
import { DRY_RUN, remote } from './session.ts'

interface Options extends ListOptions {
  readonly environment?: string
  readonly state: string
}

export function addNodes(program: Command): void {
  const nodes = program.command('nodes').description('list, show and remove nodes')
  addList(nodes)
  addShow(nodes)
  addPoints(nodes)

  addRemove(nodes)
  addPointRemoval(nodes)
  addPointKeeping(nodes)
}

function addList(nodes: Command): void {
  const command = nodes
    .command('list', { isDefault: true })
    .alias('ls')
    .description('list the nodes, and which of them run other versions than are released')
    .option('--environment <environment>', 'of this environment only')
    .addOption(
      new Option('--state <state>', 'which to list').choices(['enrolled', 'left', 'all']).default('enrolled'),
    )
  remote<Options>(
    withLimit(command),
    'portage-hub nodes list --environment production',
    async (session, options) => {
      const { environment, state, limit } = options
      const query = { environment, state: state === 'all' ? undefined : state }
      const page = await session.client.list<NodeAnswer>(apiPath('nodes'), query, limit)
      showPage(
        session,
        page,
        [
          { title: 'NODE', value: ({ name }) => name },
          { title: 'ENVIRONMENT', value: (node) => node.environment },
          { title: 'APPS', value: ({ packages }) => packages.filter(({ app }) => app !== null).length },
          { title: 'STATE', value: stateText },
          { title: 'REPORTED (UTC)', value: ({ reportedAt }) => timeText(reportedAt) },
        ],
        'No nodes.',
      )
    },
  )
}

/** `left`, `not seen since 2026-01-02 03:04`, `2 drifted`, `as released, files of 1 changed`. */
function stateText({ state, notSeenSince, packages }: NodeAnswer): string {
  if (state === 'left') return 'left'
  if (notSeenSince !== null) return `not seen since ${timeText(notSeenSince)}`
  const drifted = packages.filter((pkg) => pkg.drifted).length
  const changed = packages.filter(({ changedFiles }) => (changedFiles?.count ?? 0) > 0).length
  const files = changed === 0 ? '' : `, files of ${String(changed)} changed`
  return `${drifted === 0 ? 'as released' : `${String(drifted)} drifted`}${files}`
}

function addShow(nodes: Command): void {
  const command = nodes
    .command('show')
    .description('show one node: what it should run, what it runs, and why the two differ')
    .argument('<node>')
  remote(command, 'portage-hub nodes show web1', async ({ client, terminal, show }, _options, name = '') => {
    const node = await client.get<NodeDetailAnswer>(apiPath('nodes', name))
    const packages = table(
      [
        { title: 'REPORTED', value: ({ reported }) => reported.cpv },
        { title: 'WANTED', value: ({ app, wanted }) => wanted?.cpv ?? (app === null ? null : 'nothing') },
        { title: 'SINCE (UTC)', value: ({ reported }) => timeText(reported.since) },
        { title: 'DRIFT', value: ({ reasons }) => reasons.map(({ detail }) => detail).join('; '), cut: true },
      ],
      node.packages,
      terminal.columns,
    )
    const changed = node.packages.flatMap(changedLines)
    const text = [
      ...[name, nodeFacts(node), ...(node.packages.length === 0 ? [] : ['', packages])],
      ...(changed.length === 0 ? [] : ['', ...changed]),
    ]
    show(node, text.join('\n'))
  })
}

/** What was edited, deleted or replaced since the package was installed, as its newest restore point found it. */
function changedLines({ reported, changedFiles }: NodeAnswer['packages'][number]): readonly string[] {
  if (changedFiles === null || changedFiles.count === 0) return []
  const { count, names, restorePoint, at } = changedFiles
  const more = count - names.length
  return [
    `${countText(count, 'file')} of ${reported.cpv} not as installed, by ${restorePoint} of ${timeText(at)} UTC:`,
    ...names.map((path) => `  ${onOneLine(path)}`),
    ...(more === 0 ? [] : [`  and ${String(more)} more`]),
  ]
}

function nodeFacts(node: NodeDetailAnswer): string {
  const { report } = node
  return facts([
    ['environment', node.environment],
    ['state', stateText(node)],
    ['enrolled', `${timeText(node.enrolledAt)} UTC by ${node.enrolledBy}`],
    ['left', node.leftAt && `${timeText(node.leftAt)} UTC`],
    ['reported', node.reportedAt === null ? 'nothing yet' : `${timeText(node.reportedAt)} UTC`],
    ['synced', report && (report.sync.at === null ? 'never' : `${timeText(report.sync.at)} UTC`)],
    ['commit', node.syncedCommit],
    ['portage', report?.portage ?? null],
    ['hub-node', report?.hubNode ?? null],
    ['pending', report && countText(report.configPending.length, 'configuration file')],
    ['never rehearsed', node.neverRehearsed.length === 0 ? null : node.neverRehearsed.join(' ')],
    ...(report?.disk ?? []).map(
      ({ path, freeBytes, totalBytes }) =>
        [path, `${sizeText(freeBytes)} free of ${sizeText(totalBytes)}`] as const,
    ),
  ])
}

function addPoints(nodes: Command): void {
  const command = nodes
    .command('points')
    .description('list the restore points of a node, newest first')
    .argument('<node>')
    .option('--app <app>', 'of this app only')
    .addOption(
      new Option('--rehearsed <how>', 'those whose dump was tried out so').choices([
        'never',
        'passed',
        'failed',
      ]),
    )
  remote<ListOptions & { readonly app?: string; readonly rehearsed?: string }>(
    withLimit(command),
    'portage-hub nodes points web1 --app shop',
    async (session, { app, rehearsed, limit }, name = '') => {
      const path = apiPath('nodes', name, 'restore-points')
      const page = await session.client.list<StoredPointAnswer>(path, { app, rehearsed }, limit)
      showPage(
        session,
        page,
        [
          { title: 'RESTORE POINT', value: ({ id }) => id },
          { title: 'OF', value: ({ cpv }) => cpv },
          { title: 'BEFORE', value: ({ reason }) => reason },
          { title: 'TAKEN (UTC)', value: ({ takenAt }) => timeText(takenAt) },
          { title: 'STATE', value: pointState },
          { title: 'REHEARSED (UTC)', value: rehearsalText },
          { title: 'FILES CHANGED', value: ({ changedFiles }) => changedFiles?.count ?? null },
        ],
        'No restore points.',
      )
    },
  )
}

/** `never`, `2026-01-02 03:04`, `2026-01-02 03:04 failed`; nothing for a point that is not complete. */
function rehearsalText({ state, rehearsed }: RestorePointAnswer): string | null {
  if (rehearsed === null) return state === 'complete' ? 'never' : null
  return `${timeText(rehearsed.at)}${rehearsed.ok ? '' : ' failed'}`
}

/** `complete, encrypted, kept`. */
function pointState({ state, encrypted, keptAt }: RestorePointAnswer): string {
  return [state, ...(encrypted ? ['encrypted'] : []), ...(keptAt === null ? [] : ['kept'])].join(', ')
}

function addPointRemoval(nodes: Command): void {
  const command = nodes
    .command('remove-point')
    .description('remove a restore point of a node from the hub, and its packages from the binhost')
    .argument('<node>')
    .argument('<point>')
    .option('--newest', 'also the newest of its app')
    .option(...DRY_RUN)
  remote<{ readonly newest?: boolean; readonly dryRun?: boolean }>(
    command,
    'portage-hub nodes remove-point web1 rp_20261123T071500Z_k3j9x2',
    async ({ client, show }, { newest, dryRun }, name = '', point = '') => {
      const path = apiPath('nodes', name, 'restore-points', point)
      const { body } = await client.change<RestorePointAnswer>('DELETE', path, { newest, dryRun })
      show(
        body,
        dryRun === true ? `${point} of ${name} would be removed.` : `${point} of ${name} is removed.`,
      )
    },
  )
}

function addPointKeeping(nodes: Command): void {
  const command = nodes
    .command('keep-point')
    .description('keep a restore point of a node however many newer ones there are')
    .argument('<node>')
    .argument('<point>')
    .option('--undo', 'it may go like others')
    .option(...DRY_RUN)
  remote<{ readonly undo?: boolean; readonly dryRun?: boolean }>(
    command,
    'portage-hub nodes keep-point web1 rp_20261123T071500Z_k3j9x2',
    async ({ client, show }, { undo, dryRun }, name = '', point = '') => {
      const path = apiPath('nodes', name, 'restore-points', point, 'pin')
      const method = undo === true ? 'DELETE' : 'PUT'
      const { body } = await client.change<RestorePointAnswer>(method, path, { dryRun })
      const verb = dryRun === true ? 'would be' : 'is'
      show(body, `${point} of ${name} ${verb} ${undo === true ? 'no longer kept' : 'kept'}.`)
    },
  )
}

function addRemove(nodes: Command): void {
  const command = nodes
    .command('remove')
    .description('end a node: its token is dead at once, its records stay')
    .argument('<node>')
    .option(...DRY_RUN)
  remote<{ readonly dryRun?: boolean }>(
    command,
    'portage-hub nodes remove web1',
    async ({ client, show }, options, name = '') => {
      const query = { dryRun: options.dryRun }
      const { body } = await client.change<NodeAnswer>('DELETE', apiPath('nodes', name), query)
      show(
        body,
        options.dryRun === true ? `${name} would be removed.` : `${name} is removed; its token is dead.`,
      )
    },
  )
}
