/** What takes how much space, and what the rules of retention would let go of. */
import { KEEP_REASONS } from '../../environments/retention.ts'
import type {
  PlannedRetention,
  RetentionPlanAnswer,
  RetentionRulesAnswer,
  Storage,
} from '../../http/openapi/storage.ts'
import {
  action,
  choice,
  empty,
  facts,
  field,
  filters,
  fold,
  heading,
  pager,
  section,
  size,
  state,
  table,
  theirs,
  time,
} from '../components.ts'
import { shares } from '../chart.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { buildAddress, nodeAddress } from './words.ts'

type Rules = Pick<RetentionRulesAnswer, 'keepNewest' | 'keepDays' | 'keepRevisions'>
type OwnRules = Rules & { readonly app: string; readonly setBy: string; readonly setAt: string }

export interface StorageView {
  readonly storage: Storage
  readonly rules: RetentionRulesAnswer
  /** Of apps that have rules of their own. */
  readonly own: readonly OwnRules[]
  readonly plan: RetentionPlanAnswer
  /** `goes`, `stays`, or nothing for both. */
  readonly what: string
  readonly next: string | null
  readonly csrf: string
  readonly now: Date
}

/** So many apps and nodes are shown; the API has them all, or more. */
const SHOWN = 15

export function storagePage(view: StorageView): Html {
  const { storage, now } = view
  return html`${heading('Storage', [], html`<p class="beside">measured ${time(storage.measuredAt, now)}</p>`)}
  ${overview(storage)} ${section('Archive by app', appTable(storage))}
  ${section('What nodes keep here', nodeTables(storage))} ${retention(view)}`
}

function overview({
  disk,
  archive,
  nodes,
  overlays,
  databaseBytes,
  listingBytes,
  uploadBytes,
}: Storage): Html {
  const overlayBytes = overlays.reduce((sum, { bytes }) => sum + bytes, 0)
  const part = (name: string, value: number) => ({ name, value, shown: size(value) })
  return html`${facts([
    ['Free on the disk', html`${size(disk.freeBytes)} of ${size(disk.totalBytes)}`],
    ['Archive', size(archive.bytes)],
    ['Restore points', size(nodes.bytes)],
    [
      'Database',
      html`${size(databaseBytes)} <span class="beside">listings about ${size(listingBytes)}</span>`,
    ],
    ...overlays.map(({ environment, bytes }) => [`Overlay ${environment}`, size(bytes)] as const),
    ['Uploads under way', size(uploadBytes)],
  ])}
  ${shares('What the data is made of', [
    part('archive', archive.bytes),
    part('restore points', nodes.bytes),
    part('database', databaseBytes),
    part('overlays', overlayBytes),
    part('uploads', uploadBytes),
  ])}`
}

type AppUsage = Storage['archive']['apps'][number]

function appTable({ archive }: Storage): Html {
  const columns = [
    {
      title: 'App',
      cell: ({ app }: AppUsage) => html`<a href="/apps/${encodeURIComponent(app)}">${theirs(app)}</a>`,
    },
    { title: 'Builds', cell: ({ builds }: AppUsage) => builds, isNumber: true },
    { title: 'Size', cell: ({ bytes }: AppUsage) => size(bytes), isNumber: true },
    {
      title: 'Share',
      cell: ({ bytes }: AppUsage) => `${String(Math.round((bytes / Math.max(1, archive.bytes)) * 100))} %`,
      isNumber: true,
    },
  ]
  const more = archive.apps.length - SHOWN
  return html`${table('Archive by app', columns, archive.apps.slice(0, SHOWN), empty('The archive is empty.'))}
  ${more > 0 && html`<p class="beside">and ${more} smaller ones (<code>GET /api/v1/storage</code>)</p>`}`
}

type NodeUsage = Storage['nodes']['largest'][number]

function nodeTables({ nodes }: Storage): Html {
  const columns = [
    {
      title: 'Node',
      cell: ({ node }: NodeUsage) => html`<a href="${nodeAddress(node)}">${theirs(node)}</a>`,
    },
    { title: 'Environment', cell: ({ environment }: NodeUsage) => theirs(environment) },
    { title: 'Packages', cell: ({ packageBytes }: NodeUsage) => size(packageBytes), isNumber: true },
    { title: 'Dumps', cell: ({ dumpBytes }: NodeUsage) => size(dumpBytes), isNumber: true },
  ]
  const nothing = empty('No node has sent a restore point.')
  return html`${
    nodes.environments.length > 0 &&
    facts(nodes.environments.map(({ environment, bytes }) => [environment, size(bytes)]))
  }
  ${table('The nodes that keep the most', columns, nodes.largest.slice(0, SHOWN), nothing)}`
}

// ------------------------------------------------------------------------------------------------ retention

function retention({ rules, own, plan, what, next, csrf, now }: StorageView): Html {
  const { wouldGo, keptByRules, keptAgainstRules } = plan
  const fields = choice('Builds', 'what', PLAN_PARTS, what)
  const nothing = empty(
    rules.keepNewest === null && rules.keepDays === null && own.length === 0
      ? 'There are no rules, and so every build stays.'
      : 'No build is as the filter says.',
  )
  const content = html`<p>
      ${state('quiet', 'for looking')} Nothing is removed yet, by no rule: this is what would be.
    </p>
    ${ruleList(rules, own, csrf, now)}
    ${facts([
      ['Would go', html`${wouldGo.builds} builds, ${size(wouldGo.bytes)}`],
      ['Stay by the rules', keptByRules],
      ['Stay against them', keptAgainstRules],
      ['Planned', time(plan.at, now)],
    ])}
    ${filters('/storage', fields)} ${table('The plan', planColumns(now), plan.items, nothing)}
    ${pager(next, 'More')}`
  return section('Retention', content)
}

const PLAN_PARTS = [
  ['', 'all that the rules let go'],
  ['goes', 'would go'],
  ['stays', 'stay against the rules'],
] as const

/** `the newest 50 of each app, and what is younger than 90 days`. */
function wordsOfRules({ keepNewest, keepDays, keepRevisions }: Rules): string {
  const kept = [
    ...(keepNewest === null ? [] : [`the newest ${String(keepNewest)} of each app`]),
    ...(keepDays === null ? [] : [`what is younger than ${String(keepDays)} days`]),
  ]
  const which = kept.length === 0 ? 'every build' : kept.join(', and ')
  return `${which}; and what was listed within ${String(keepRevisions)} revisions`
}

interface RuleRow {
  readonly app: string | null
  readonly rules: Rules
  readonly setBy: string | null
  readonly setAt: string | null
}

function ruleList(rules: RetentionRulesAnswer, own: readonly OwnRules[], csrf: string, now: Date): Html {
  const rows: readonly RuleRow[] = [
    { app: null, rules, setBy: rules.setBy, setAt: rules.setAt },
    ...own.map((one) => ({ app: one.app, rules: one, setBy: one.setBy, setAt: one.setAt })),
  ]
  const columns = [
    { title: 'Of', cell: ({ app }: RuleRow) => (app === null ? 'the hub' : theirs(app)) },
    { title: 'Stays', cell: (row: RuleRow) => wordsOfRules(row.rules) },
    {
      title: 'Set',
      cell: ({ setBy, setAt }: RuleRow) =>
        setBy === null
          ? html`<span class="none">by nobody</span>`
          : html`${time(setAt, now)} by ${theirs(setBy)}`,
    },
    ...(csrf === '' ? [] : [{ title: 'Do', cell: (row: RuleRow) => ruleForms(row, csrf) }]),
  ]
  const ofApp = action(
    { address: '/storage/retention', label: 'Set the rules', csrf, tone: 'main' },
    html`${field('App', { name: 'app', isRequired: true })} ${ruleFields(rules)}`,
  )
  return html`${table('Rules', columns, rows, empty('There are no rules.'))}
  ${csrf !== '' && html`<div class="actions part">${fold('Rules of an app…', ofApp)}</div>`}`
}

function ruleForms({ app, rules }: RuleRow, csrf: string): Html {
  const fields: Readonly<Record<string, string>> = app === null ? {} : { app }
  const change = action(
    { address: '/storage/retention', label: 'Set the rules', csrf, fields, tone: 'main' },
    ruleFields(rules),
  )
  return html`<div class="actions">
    ${fold('Change…', change, `Change the rules of ${app ?? 'the hub'}`)}
    ${
      app !== null &&
      action({ address: '/storage/retention/remove', label: 'Take away', csrf, fields, tone: 'danger' })
    }
  </div>`
}

function ruleFields({ keepNewest, keepDays, keepRevisions }: Rules): Html {
  const number = (label: string, name: string, value: number | null, help: string) =>
    field(label, { name, value: value === null ? '' : String(value), type: 'number', help })
  return html`${number('The newest builds of an app', 'keepNewest', keepNewest, 'Empty: no build stays for that.')}
  ${number('Days', 'keepDays', keepDays, 'Younger builds stay. Empty: none for that; both empty: all.')}
  ${number('Revisions', 'keepRevisions', keepRevisions, 'What an environment listed within so many, for rollbacks.')}`
}

function planColumns(now: Date) {
  return [
    {
      title: 'Build',
      cell: (planned: PlannedRetention) =>
        html`<a href="${buildAddress(planned)}">${theirs(planned.app)} ${planned.build}</a>
          <p class="beside">${theirs(planned.cpv)}</p>`,
    },
    { title: 'Size', cell: ({ sizeBytes }: PlannedRetention) => size(sizeBytes), isNumber: true },
    { title: 'Came', cell: ({ receivedAt }: PlannedRetention) => time(receivedAt, now) },
    {
      title: 'What',
      cell: ({ reasons }: PlannedRetention) =>
        reasons.length === 0 ? state('waiting', 'would go') : state('held', 'stays'),
    },
    {
      title: 'Why',
      cell: ({ reasons }: PlannedRetention) =>
        reasons.length === 0
          ? 'neither among the newest nor young'
          : reasons.map((reason) => KEEP_REASONS[reason]).join('; '),
    },
  ]
}
