/** Whether the hub is well: what to do first, then what is well, what waits, what runs by the clock, and the settings. */
import type { Health } from '../../http/openapi/health.ts'
import { empty, facts, heading, section, size, state, table, theirs, time } from '../components.ts'
import type { Tone } from '../components.ts'
import { html } from '../html.ts'
import type { Html, HtmlValue } from '../html.ts'

type Check = Health['checks'][number]
type Job = Health['jobs'][number]
type Setting = Health['settings'][number]

const STATES: Readonly<Record<Check['state'], readonly [tone: Tone, word: string]>> = {
  ok: ['good', 'well'],
  warn: ['waiting', 'look at it'],
  fail: ['bad', 'ill'],
}
const ORDER = ['fail', 'warn', 'ok'] as const

export function healthPage(health: Health, now: Date): Html {
  const { checks, checkedAt, jobs, settings } = health
  const worstFirst = checks.toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state))
  return html`${heading(html`Health ${stateOf(health.state)}`)} ${overview(health, now)}
  ${section(
    'Checks',
    table('Checks', CHECK_COLUMNS, worstFirst, empty('Nothing was checked.')),
    html`<p class="beside">host and addresses looked at ${time(checkedAt, now)}</p>`,
  )}
  ${section('Jobs', table('Jobs', jobColumns(now), jobs, empty('This hub does nothing by the clock.')))}
  ${section('Settings', table('Settings', SETTING_COLUMNS, settings, empty('There are no settings.')))}`
}

function stateOf(at: Check['state']): Html {
  const [tone, word] = STATES[at]
  return state(tone, word)
}

function overview({ version, node, startedAt, memoryBytes, disk, queues }: Health, now: Date): Html {
  const { deliveries, promotions, uploads } = queues
  const share = Math.round((disk.freeBytes / Math.max(1, disk.totalBytes)) * 100)
  return facts([
    ['Version', version],
    ['Node', node],
    ['Runs since', time(startedAt, now)],
    ['Memory', size(memoryBytes)],
    [
      'Disk',
      html`${size(disk.freeBytes)} free of ${size(disk.totalBytes)} <span class="beside">${share} %</span>`,
    ],
    ['Promotions that are open', html`<a href="/promotions?state=open">${promotions}</a>`],
    [
      'Deliveries to webhooks',
      html`<a href="/webhooks">${deliveries.waiting} waiting</a>, ${deliveries.dead} given up`,
    ],
    ['Uploads under way', uploads],
  ])
}

const CHECK_COLUMNS = [
  { title: 'Check', cell: ({ check }: Check) => check },
  { title: 'State', cell: (check: Check) => stateOf(check.state) },
  { title: 'Found', cell: ({ detail }: Check) => theirs(detail) },
  {
    title: 'What to do',
    cell: ({ toDo }: Check) => (toDo === null ? html`<span class="none">nothing</span>` : theirs(toDo)),
  },
]

function jobColumns(now: Date) {
  return [
    {
      title: 'Job',
      cell: ({ name, schedule }: Job) =>
        html`${name}
          <p class="beside">
            <code title="minute, hour, day, month and weekday, in UTC">${schedule}</code>
          </p>`,
    },
    { title: 'Last run', cell: (job: Job) => lastRun(job, now) },
    { title: 'Next', cell: ({ nextAt }: Job) => time(nextAt, now) },
    { title: 'Runs', cell: ({ runs }: Job) => runs, isNumber: true },
    { title: 'Failed', cell: ({ failures }: Job) => failures, isNumber: true },
  ]
}

function lastRun({ startedAt, endedAt, error }: Job, now: Date): Html {
  if (startedAt === null) return html`<span class="none">not since the start</span>`
  if (endedAt === null) return html`${state('waiting', 'runs')} since ${time(startedAt, now)}`
  if (error !== null)
    return html`${state('bad', 'failed')} ${time(endedAt, now)}
      <p class="beside">${theirs(error)}</p>`
  return html`${state('good', 'done')} ${time(endedAt, now)}`
}

const SETTING_COLUMNS = [
  {
    title: 'Setting',
    cell: ({ variable, meaning }: Setting) =>
      html`<code>${variable}</code>
        <p class="beside">${meaning}</p>`,
  },
  { title: 'Value', cell: ({ value }: Setting) => settingValue(value) },
]

function settingValue(value: unknown): HtmlValue {
  if (value === null || value === undefined) return html`<span class="none">not set</span>`
  if (Array.isArray(value) && value.length === 0) return html`<span class="none">none</span>`
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return theirs(value.join(' '))
  return theirs(typeof value === 'string' ? value : JSON.stringify(value))
}
