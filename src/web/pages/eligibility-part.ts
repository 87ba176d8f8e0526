/** Whether a build may be released in an environment, by which rules, and the buttons that this allows. */
import type { Build } from '../../http/openapi/builds.ts'
import type { Promotion } from '../../http/openapi/promotions.ts'
import type { VerdictAnswer } from '../../http/openapi/verdict.ts'
import { action, field, fold, rules, state } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { decisions } from './promotion-page.ts'
import type { Decisions } from './promotion-page.ts'
import { buildAddress, stateOfPromotion } from './words.ts'

export interface Eligibility {
  readonly environment: string
  readonly verdict: VerdictAnswer
  /** It is released there now. */
  readonly stands: boolean
  /** The promotion that is open. */
  readonly open: Promotion | null
  /** What asking for it now would do; null: it is refused, there already, or not for who looks to ask. */
  readonly asking: 'release' | 'wait' | 'lift withdrawal' | null
  /** Skipping the waiting would release it, and who looks may. */
  readonly mayOverride: boolean
  /** What they may say of the open promotion. */
  readonly decisions: Decisions
  /** The release by which it stands there, if they may take it back; null otherwise. */
  readonly mayWithdraw: string | null
}

export function eligibility(
  build: Build,
  one: Eligibility,
  { csrf, now }: { readonly csrf: string; readonly now: Date },
): Html {
  const { environment, verdict, open, stands } = one
  const unmet = verdict.rules.filter((rule) => rule.state === 'unmet').length
  const answer = stands
    ? state('good', 'released')
    : verdict.eligible
      ? state('good', 'yes')
      : state('bad', `not yet: ${String(unmet)} unmet`)
  return html`<article class="verdict" id="${`in-${environment}`}">
    <div class="heading">
      <h3><a href="/environments/${environment}">${environment}</a> ${answer}</h3>
      ${csrf !== '' && html`<div class="actions">${buttons(build, one, csrf)}</div>`}
    </div>
    ${open && html`<p><a href="/promotions/${open.id}">Its promotion</a> ${stateOfPromotion(open)}</p>`}
    ${verdict.rules.length === 0 ? html`<p class="none">No rule is asked of it.</p>` : rules(verdict.rules, now)}
  </article>`
}

const LABELS = {
  release: ['Promote', 'main'],
  wait: ['Ask to promote', 'plain'],
  'lift withdrawal': ['Publish again', 'danger'],
} as const

function buttons(build: Build, one: Eligibility, csrf: string): Html {
  const { environment, asking, mayOverride, mayWithdraw, open } = one
  const address = `${buildAddress(build)}/promote`
  const where = `${build.app} build ${String(build.build)} to ${environment}`
  const [verb, tone] = asking === null ? ['', 'plain' as const] : LABELS[asking]
  const fields: Readonly<Record<string, string>> =
    asking === 'lift withdrawal' ? { environment, liftWithdrawal: 'true' } : { environment }
  return html`${asking !== null && action({ address, label: `${verb} ${where}`, csrf, fields, tone })}
  ${open && decisions(`${buildAddress(build)}/promotions/${open.id}`, open, one.decisions, csrf)}
  ${mayWithdraw !== null && withdrawal(build, environment, mayWithdraw, csrf)}
  ${
    mayOverride &&
    fold(
      'Emergency…',
      action(
        { address, label: `Release ${where} without waiting`, csrf, fields: { environment }, tone: 'danger' },
        field('Why it cannot wait', { name: 'override', help: 'Everybody reads it.', isRequired: true }),
      ),
      `Emergency… ${where}`,
    )
  }`
}

/** It is masked there, and nodes go to the best version that remains. */
function withdrawal(build: Build, environment: string, release: string, csrf: string): Html {
  const what = `${build.app} build ${String(build.build)} from ${environment}`
  return fold(
    'Withdraw…',
    action(
      {
        address: `${buildAddress(build)}/withdraw`,
        label: `Withdraw ${what}`,
        ...{ csrf, fields: { environment, release }, tone: 'danger' },
      },
      field('Why', {
        name: 'reason',
        help: 'Everybody reads it. Nodes go to the best version that remains.',
        isRequired: true,
      }),
    ),
    `Withdraw… ${what}`,
  )
}
