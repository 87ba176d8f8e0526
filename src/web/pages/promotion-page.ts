/** Promotions: the list, and one with all that it waits for. */
import type { Approval, Promotion } from '../../http/openapi/promotions.ts'
import {
  action,
  choice,
  empty,
  facts,
  field,
  filters,
  fold,
  heading,
  live,
  pager,
  rules,
  section,
  state,
  table,
  theirs,
  time,
} from '../components.ts'
import type { ShownRule } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { buildAddress, stateOfPromotion } from './words.ts'

/** The kinds of event that change what is shown here. */
const EVENTS = ['promotion.requested', 'promotion.moved', 'promotion.approved', 'promotion.insisted']

/** What else the verdict on one hangs on. */
const VERDICT_EVENTS = [...EVENTS, 'check.recorded', 'hold.set', 'hold.lifted', 'policy.set']

export interface PromotionList {
  readonly promotions: readonly Promotion[]
  readonly next: string | null
  readonly filter: { readonly state: string; readonly app: string; readonly environment: string }
  readonly environments: readonly string[]
  /** Of the page, with what narrows it. */
  readonly address: string
  readonly hubUrl: string
  readonly now: Date
}

export function promotionsPage(list: PromotionList): Html {
  const { filter, environments, promotions, now } = list
  const fields = html`${choice('State', 'state', FILTER_STATES, filter.state)}
  ${field('App', { name: 'app', value: filter.app })}
  ${choice('Environment', 'environment', [['', 'all'], ...environments.map(named)], filter.environment)}`
  const shown = html`${table('Promotions', columnsAt(now), promotions, nothing(list), ({ id }) => id)}
  ${pager(list.next)}`
  return html`${heading('Promotions')} ${filters('/promotions', fields)}
  ${live('promotions', list.address, EVENTS, shown)}`
}

const FILTER_STATES = [
  ['all', 'all'],
  ['open', 'open: they wait'],
  ['ended', 'ended'],
] as const

const named = (name: string) => [name, name] as const

function columnsAt(now: Date) {
  return [
    {
      title: 'What',
      cell: (one: Promotion) =>
        html`<a href="/promotions/${one.id}">${theirs(`${one.app} ${String(one.build)}`)}</a>${
            one.set && html` <span class="beside">with ${one.set.length - 1} more</span>`
          }`,
    },
    { title: 'To', cell: ({ environment }: Promotion) => theirs(environment) },
    {
      title: 'State',
      cell: (one: Promotion) => stateOfPromotion(one),
    },
    { title: 'Why', cell: ({ detail }: Promotion) => detail !== null && theirs(detail) },
    { title: 'Asked by', cell: ({ requestedBy }: Promotion) => theirs(requestedBy) },
    { title: 'Asked', cell: ({ requestedAt }: Promotion) => time(requestedAt, now) },
    { title: 'Ended', cell: ({ finishedAt }: Promotion) => time(finishedAt, now) },
  ]
}

function nothing({ filter, hubUrl }: PromotionList): Html {
  if (filter.state !== 'all' || filter.app !== '' || filter.environment !== '')
    return empty('Nothing here is as the filters say.')
  return empty(
    'Nobody has asked for a build in an environment yet.',
    `portage-hub promote <app> <build> <environment> --url ${hubUrl}`,
  )
}

/** What somebody may say of a promotion now; who may approve may reject. */
export interface Decisions {
  readonly approve: boolean
  readonly cancel: boolean
}

export interface WholePromotion {
  readonly promotion: Promotion & {
    readonly approvals: readonly Approval[]
    /** null: it does not wait. */
    readonly rules: readonly (ShownRule & { readonly app?: string; readonly build?: number })[] | null
  }
  readonly may: Decisions
  readonly csrf: string
  readonly now: Date
}

export function promotionPage({ promotion, may, csrf, now }: WholePromotion): Html {
  const { app, build, environment, approvals } = promotion
  const address = `/promotions/${promotion.id}`
  const title = html`${theirs(app)} ${build} → ${theirs(environment)}`
  const forms = (may.approve || may.cancel) && decisions(address, promotion, may, csrf)
  const shown = html`${forms && html`<div class="actions part">${forms}</div>`} ${emergency(promotion)}
  ${promotionFacts(promotion, now)} ${members(promotion)}
  ${promotion.rules && section('What it waits for', verdict(promotion.rules, now))}
  ${section('Approvals', table('Approvals', approvalColumns(now), approvals, empty('Nobody has approved it.')))}`
  return html`${heading(title, [['/promotions', 'Promotions']])}
  ${live('promotion', address, VERDICT_EVENTS, shown, app)}`
}

/** What stands in the way of everything else: somebody skips the waiting. */
function emergency({ overrideBy, overrideReason }: Promotion): Html | null {
  if (overrideReason === null) return null
  return html`<p>
    ${state('urgent', 'emergency')} ${theirs(overrideBy ?? 'somebody')} skips the waiting:
    ${theirs(overrideReason)}
  </p>`
}

function promotionFacts(promotion: Promotion, now: Date): Html {
  const { app, build, environment, detail, supersededBy, revision, policyVersion } = promotion
  const place = encodeURIComponent(environment)
  return facts([
    ['State', stateOfPromotion(promotion)],
    ['Build', html`<a href="${buildAddress(promotion)}">${theirs(app)} ${build}</a>`],
    ['Environment', html`<a href="/environments/${place}">${theirs(environment)}</a>`],
    ['Asked by', theirs(promotion.requestedBy)],
    ['Asked', time(promotion.requestedAt, now)],
    ['Ended', promotion.finishedAt !== null && time(promotion.finishedAt, now)],
    ['Why', detail !== null && theirs(detail)],
    ['Published again', promotion.liftWithdrawal && 'what was withdrawn from there'],
    [
      'Superseded by',
      supersededBy !== null && html`<a href="/promotions/${supersededBy}">${supersededBy}</a>`,
    ],
    [
      'Revision',
      revision !== null && html`<a href="/environments/${place}/revisions/${revision}">${revision}</a>`,
    ],
    ['Judged by', policyVersion !== null && `version ${String(policyVersion)} of the policy`],
    ['Id', html`<code>${promotion.id}</code>`],
  ])
}

/** Those that go together with it, or not at all. */
function members({ id, set }: Promotion): Html | null {
  if (set === null) return null
  const items = set.map((member) => {
    const name = theirs(`${member.app} ${String(member.build)}`)
    return html`<li>
      ${member.id === id ? html`<strong>${name}</strong>` : html`<a href="/promotions/${member.id}">${name}</a>`}
    </li>`
  })
  return section(
    'Release set',
    html`<p class="beside">All of them go together, or none.</p>
      <ul>
        ${items}
      </ul>`,
  )
}

/** Of a release set each rule says whose it is. */
function verdict(list: NonNullable<WholePromotion['promotion']['rules']>, now: Date): Html {
  const whose = list.map(({ app, build, detail, ...rule }) => ({
    ...rule,
    detail: app === undefined ? detail : `${app} ${String(build)}: ${detail}`,
  }))
  return rules(whose, now)
}

function approvalColumns(now: Date) {
  return [
    { title: 'By', cell: ({ by }: Approval) => theirs(by) },
    { title: 'As', cell: ({ role }: Approval) => role },
    { title: 'Comment', cell: ({ comment }: Approval) => comment !== null && theirs(comment) },
    {
      title: 'Under',
      cell: ({ policyVersion }: Approval) => `version ${String(policyVersion)} of the policy`,
    },
    { title: 'At', cell: ({ at }: Approval) => time(at, now) },
  ]
}

/** The forms of a promotion; each is sent below `address`. */
export function decisions(
  address: string,
  { app, build, environment }: Pick<Promotion, 'app' | 'build' | 'environment'>,
  may: Decisions,
  csrf: string,
): Html {
  const what = `${app} ${String(build)}`
  const whose = `${what} in ${environment}`
  const reason = (help: string) => field('Reason', { name: 'reason', help, isRequired: true })
  return html`${
    may.approve &&
    html`${fold(
      'Approve…',
      action(
        { address: `${address}/approve`, label: `Approve ${what}`, csrf, tone: 'main' },
        field('Comment', { name: 'comment', help: 'What you have looked at, if you want to say it.' }),
      ),
      `Approve… ${whose}`,
    )}
    ${fold(
      'Reject…',
      action(
        { address: `${address}/reject`, label: `Reject ${what}`, csrf, tone: 'danger' },
        reason('Whoever asked for it reads it.'),
      ),
      `Reject… ${whose}`,
    )}`
  }
  ${
    may.cancel &&
    fold(
      'Cancel…',
      action(
        { address: `${address}/cancel`, label: `Cancel ${what}`, csrf, tone: 'danger' },
        reason('Why it is no longer wanted.'),
      ),
      `Cancel… ${whose}`,
    )
  }`
}
