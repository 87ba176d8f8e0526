/** The policy of an environment: what it says, and the forms that change it and its freezes. */
import type { PolicyAnswer } from '../../http/openapi/environments.ts'
import { action, choice, field, fold, state, theirs, time } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { policySentences } from './policy-sentences.ts'

export interface PolicyView {
  readonly policy: PolicyAnswer
  /** The freeze that holds now; null: it is open. */
  readonly frozen: { readonly reason: string; readonly until: string | null } | null
  readonly mayChange: boolean
  /** What was sent and refused, to be mended; null: nothing was. */
  readonly sent: PolicyFields | null
  readonly csrf: string
  readonly now: Date
}

/** The fields of the form, as a browser sends them. */
export type PolicyFields = Readonly<Record<string, string | undefined>>

export function policyPart(view: PolicyView): Html {
  const { policy, frozen, mayChange, now } = view
  const { version, setBy, setAt } = policy
  const origin =
    setBy === null || setAt === null
      ? 'Nobody has set one: this is what the settings of the hub say.'
      : html`Version ${version}, set by ${theirs(setBy)} ${time(setAt, now)}.`
  return html`${
      frozen &&
      html`<p>
        ${state('held', 'frozen')}
        ${theirs(frozen.reason)}${frozen.until !== null && html`; opens ${time(frozen.until, now)}`}
      </p>`
    }
    <ul>
      ${policySentences(policy).map((sentence) => html`<li>${theirs(sentence)}</li>`)}
    </ul>
    <p class="beside">${origin}</p>
    ${mayChange && html`<div class="actions">${changeForm(view)} ${freezeForm(view)} ${thaws(view)}</div>`}`
}

const CHECKS = [
  ['commit', 'Commit checks'],
  ['acceptance', 'Acceptance checks'],
  ['manual', 'Manual checks'],
] as const
/** Those that may be asked to approve, and those that may skip the waiting. */
const APPROVERS = ['approver', 'release-manager', 'administrator'] as const
const OVERRIDERS = ['release-manager', 'administrator'] as const

function changeForm(view: PolicyView): Html {
  const { policy, sent, csrf } = view
  const said = sent?.['freeze'] === undefined ? sent : null
  const fields = said ?? fieldsOf(policy)
  const value = (name: string): string => fields[name] ?? ''
  return fold(
    'Change the policy…',
    action(
      {
        address: `/environments/${policy.environment}/policy`,
        label: 'Set the policy',
        csrf,
        fields: { version: String(policy.version) },
        tone: 'main',
      },
      html`${choice(
        'Builds come',
        'promote',
        [
          ['automatic', 'by themselves'],
          ['request', 'when somebody asks for them'],
        ],
        value('promote'),
      )}
      ${CHECKS.map(([stage, label]) => field(label, { name: stage, value: value(stage), help: 'Names that must have passed, with commas between.' }))}
      ${field('Approvals', { name: 'approvals', type: 'number', value: value('approvals'), help: 'How many must agree; never whoever asked.' })}
      ${boxes('Given by', 'approve', APPROVERS, value)}
      ${field('Soak', { name: 'soak', value: value('soak'), help: 'How long in the environment before: 30m, 24h, 7d; empty: not at all.' })}
      ${choice(
        'Schema',
        'schema',
        [
          ['none', 'any'],
          ['reversible', 'one must be able to go back from it'],
        ],
        value('schema'),
      )}
      ${boxes('In an emergency the waiting is skipped by', 'override', OVERRIDERS, value)}`,
    ),
    'Change the policy…',
    said !== null,
  )
}

function boxes(
  legend: string,
  prefix: string,
  roles: readonly string[],
  value: (name: string) => string,
): Html {
  const items = roles.map((role) => {
    const name = `${prefix}-${role}`
    return html`<label
      ><input type="checkbox" name="${name}" value="yes" ${value(name) === 'yes' && CHECKED} />
      ${role.replace('-', ' ')}</label
    >`
  })
  return html`<fieldset>
    <legend>${legend}</legend>
    ${items}
  </fieldset>`
}

const CHECKED = html`checked`

function fieldsOf({ promote, checks, approvals, soak, schema, override }: PolicyAnswer): PolicyFields {
  const ticked = (prefix: string, roles: readonly string[]) =>
    Object.fromEntries(roles.map((role) => [`${prefix}-${role}`, 'yes']))
  return {
    ...{ promote, schema, soak: soak ?? '', approvals: String(approvals.count) },
    ...Object.fromEntries(CHECKS.map(([stage]) => [stage, checks[stage].join(', ')])),
    ...ticked('approve', approvals.roles),
    ...ticked('override', override.roles),
  }
}

function freezeForm({ policy, sent, csrf }: PolicyView): Html {
  const said = sent?.['freeze'] === undefined ? null : sent
  const value = (name: string, usual: string): string => said?.[name] ?? usual
  return fold(
    'Set a freeze…',
    action(
      {
        address: `/environments/${policy.environment}/policy`,
        label: 'Freeze it each week',
        csrf,
        fields: { version: String(policy.version), freeze: 'add' },
        tone: 'main',
      },
      html`<p>Nothing is published in it while it lasts. What is asked for waits for its end.</p>
        ${field('From', { name: 'from', value: value('from', 'Fri 16:00'), isRequired: true })}
        ${field('To', { name: 'to', value: value('to', 'Mon 08:00'), isRequired: true })}
        ${field('Time zone', { name: 'timeZone', value: value('timeZone', 'UTC'), help: 'Such as Europe/Berlin.', isRequired: true })}
        ${field('Reason', { name: 'reason', value: value('reason', ''), help: 'Everybody reads it.', isRequired: true })}`,
    ),
    'Set a freeze…',
    said !== null,
  )
}

/** One button for each freeze, to end it. */
function thaws({ policy, csrf }: PolicyView): readonly Html[] {
  return policy.freezes.map(({ from, to }, at) =>
    action({
      address: `/environments/${policy.environment}/policy`,
      label: `End the freeze from ${from} to ${to}`,
      csrf,
      fields: { version: String(policy.version), freeze: String(at) },
    }),
  )
}
