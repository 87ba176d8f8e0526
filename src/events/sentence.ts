/** What people read of an event: one sentence for each kind, and where there is more about it. */
import type { ChangeType } from '../audit/changes.ts'
import type { HubEvent } from './event.ts'
import { pageOf } from './page-of.ts'

type Sentence = (event: HubEvent) => string

/** What nobody is to overlook of a promotion that skips the waiting. */
const EMERGENCY = ': EMERGENCY, the waiting is skipped'

/** Without who did it, and without the full stop. */
const SENTENCES: Readonly<Record<ChangeType, Sentence>> = {
  'app.changed': (event) => `the settings of ${what(event)} are changed`,
  'build.archived': (event) => `${what(event)}${inBrackets(fact(event, 'version'))} is archived`,
  'check.recorded': (event) =>
    `${what(event)}: the ${fact(event, 'stage')} check "${fact(event, 'name')}" ${CHECKS[fact(event, 'status')] ?? 'ended'}`,
  'promotion.requested': (event) =>
    `${what(event)} is asked for${where(event)}${event.after?.['override'] === true ? EMERGENCY : ''}`,
  'promotion.moved': (event) =>
    `${what(event)} ${verb(event, PROMOTIONS)}${where(event)}${because(fact(event, 'detail'))}`,
  'promotion.insisted': (event) => `${what(event)} is insisted on${where(event)}${EMERGENCY}`,
  'promotion.approved': (event) => `${what(event)} is approved${where(event)}`,
  'release.published': (event) =>
    `${what(event)} is released${where(event)}${fact(event, 'overriddenBy') === '' ? '' : EMERGENCY}`,
  'release.withdrawn': (event) => `${what(event)} is withdrawn${where(event)}`,
  'hold.set': (event) => `${what(event)} is held${where(event) || ' everywhere'}`,
  'hold.lifted': (event) => `${what(event)} is held no more${where(event)}`,
  'yank.set': (event) => `${what(event)} is yanked everywhere`,
  'yank.lifted': (event) => `${what(event)} is yanked no more`,
  'pin.set': (event) => `${what(event)} is pinned`,
  'pin.lifted': (event) => `${what(event)} is pinned no more`,
  'retention.set': (event) =>
    `the rules of retention of ${event.app ?? 'the hub'} are ${event.after === null ? 'taken away' : 'set'}`,
  'policy.set': (event) =>
    `the policy of ${event.subject} is set${inBrackets(fact(event, 'version'), 'version ')}`,
  'overlay.file_put': (event) => `the hand-kept file ${event.subject} is put`,
  'overlay.file_removed': (event) => `the hand-kept file ${event.subject} is taken away`,
  'overlay.settings_published': (event) => `the overlay follows the settings of the hub${where(event)}`,
  'overlay.signed_again': (event) => `the overlay is signed by another key${where(event)}`,
  'token.created': (event) => `the token ${named(event)} is made`,
  'token.revoked': (event) => `the token ${named(event)} is revoked`,
  'token.exchanged': (event) => `a CI got a token of ${what(event)} for its identity`,
  'trust.added': (event) => `${what(event)} trusts an identity of a CI`,
  'trust.removed': (event) => `${what(event)} trusts an identity of a CI no more`,
  'person.added': (event) => `${person(event)} got an account`,
  'person.changed': (event) => `the account of ${person(event)} is changed`,
  'person.link_made': (event) => `a link to sign in once is made for ${person(event)}`,
  'person.password_set': (event) => `the password of ${person(event)} is set`,
  'person.signed_in': (event) => `${person(event)} signed in`,
  'person.signed_out': (event) => `sessions of ${person(event)} are ended`,
  'person.sign_in_failed': (event) => `${person(event)} failed to sign in`,
  'webhook.created': (event) => `the webhook ${event.subject} is made`,
  'webhook.changed': (event) =>
    `the webhook ${event.subject} is ${ENABLED[String(event.after?.['enabled'])] ?? 'changed'}`,
  'webhook.removed': (event) => `the webhook ${event.subject} is removed`,
  'webhook.replayed': (event) => `a delivery of the webhook ${event.subject} is sent again`,
  'key.created': (event) => `the signing key ${event.subject} is made`,
  'key.revoked': (event) => `the signing key ${event.subject} is revoked`,
  'key.retired': (event) => `the signing key ${event.subject} is retired`,
  'node.enrolled': (event) => `${event.subject} is a node${where(event)}`,
  'node.changed': (event) =>
    `${event.subject} runs ${listed(event, 'packages') || 'nothing of the hub'}${where(event)}${event.after?.['drifted'] === true ? ', and not what is wanted' : ''}`,
  'node.left': (event) => `${event.subject} is a node no more${where(event)}`,
  'restore_point.announced': (event) => `${point(event)} is announced`,
  'restore_point.completed': (event) => `${point(event)} is complete`,
  'restore_point.refused': (event) => `${point(event)} is refused${because(fact(event, 'refusal'))}`,
  'restore_point.removed': (event) => `${point(event)} is removed`,
  'restore_point.kept': (event) =>
    `${point(event)} is ${event.after?.['keptAt'] === null ? 'let go again' : 'kept from removal'}`,
  'restore_point.rehearsed': (event) => `${point(event)} was rehearsed`,
  'rollback.requested': (event) => `a rollback of ${what(event)} is asked for${on(event)}`,
  'rollback.ended': (event) =>
    `the rollback of ${what(event)}${on(event)} ${verb(event, ROLLBACKS)}${because(fact(event, 'detail'))}`,
  'environment_rollback.requested': (event) =>
    `a rollback of ${what(event)} on all nodes is asked for${where(event)}`,
}

/** `shop build 45 is held in production, by ada.` */
export function headlineOf(event: HubEvent): string {
  return `${happeningOf(event)}, by ${event.actor}.`
}

/** The same without who did it, for where that stands beside it. */
export function happeningOf(event: HubEvent): string {
  return SENTENCES[event.type](event)
}

export interface Link {
  readonly url: string
  readonly label: string
}

/** Where more about it is to be seen: the job that a check names, or the hub's own page. Null: nowhere. */
export function linkOf(publicUrl: string, event: HubEvent): Link | null {
  const { type } = event
  const job = fact(event, type === 'build.archived' ? 'ciUrl' : 'url')
  if ((type === 'check.recorded' || type === 'build.archived') && job !== '')
    return { url: job, label: 'job' }
  const page = pageOf(event)
  return page === null ? null : { url: publicUrl + page, label: page.slice(1) }
}

/** `shop build 45`, `shop`, or the subject of what is about no app. */
function what({ app, build, subject }: HubEvent): string {
  if (app === null) return subject
  return build === null ? app : `${app} build ${String(build)}`
}

const where = ({ environment }: HubEvent): string => (environment === null ? '' : ` in ${environment}`)
const on = ({ node }: HubEvent): string => (node === null ? '' : ` on ${node}`)
const point = ({ subject, app, node }: HubEvent): string =>
  `the restore point ${subject}${app === null ? '' : ` of ${app}`}${node === null ? '' : ` on ${node}`}`
const named = (event: HubEvent): string => {
  const name = fact(event, 'name')
  return name === '' ? event.subject : `"${name}"`
}
/** By their name where it is told, else by their id. */
const person = (event: HubEvent): string => fact(event, 'name') || event.subject
const because = (detail: string): string => (detail === '' ? '' : `: ${detail.replace(/\.$/, '')}`)
const inBrackets = (text: string, before = ''): string => (text === '' ? '' : ` (${before}${text})`)

/** A fact as text; one that is not there, or is no text and no number, is empty. */
function fact({ before, after }: HubEvent, name: string): string {
  const value: unknown = after?.[name] ?? before?.[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** A fact that is a list of texts. */
function listed({ after }: HubEvent, name: string): string {
  const value: unknown = after?.[name]
  return Array.isArray(value) ? value.map(String).join(', ') : ''
}

type Verbs = Readonly<Record<string, string>>

const ENABLED: Verbs = { true: 'enabled', false: 'disabled' }
const CHECKS: Verbs = {
  ...{ running: 'is running', passed: 'passed', failed: 'failed', skipped: 'was skipped' },
}

/** What is said of a state in other words than its name. */
const PROMOTIONS: Verbs = {
  checking: 'waits for checks',
  awaiting_approval: 'waits for approval',
  scheduled: 'waits for its time',
  publishing: 'is being published',
  failed: 'could not be published',
}
const ROLLBACKS: Verbs = { failed: 'failed' }

function verb(event: HubEvent, verbs: Verbs): string {
  const state = fact(event, 'state')
  return verbs[state] ?? `is ${state}`
}
