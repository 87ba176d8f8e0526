/** Environments: the list, and one with all that is published there and why. */
import type { Environment, Release, Revision } from '../../http/openapi/environments.ts'
import type { Hold } from '../../http/openapi/holds.ts'
import {
  action,
  block,
  digest,
  empty,
  facts,
  field,
  fold,
  heading,
  live,
  pager,
  section,
  state,
  table,
  theirs,
  time,
} from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { buildAddress, environmentAddress } from './words.ts'
import { policyPart } from './policy-part.ts'
import type { PolicyView } from './policy-part.ts'
import { historyAddress, revisionTable } from './revision-page.ts'
import { asOf } from './tree-page.ts'

/** The kinds of event that change what stands in an environment. */
const EVENTS = [
  ...['release.published', 'release.withdrawn', 'hold.set', 'hold.lifted', 'yank.set', 'yank.lifted'],
  ...['overlay.file_put', 'overlay.file_removed', 'overlay.settings_published', 'overlay.signed_again'],
]

export function environmentsPage(environments: readonly Environment[]): Html {
  const columns = [
    {
      title: 'Environment',
      cell: ({ name }: Environment) => html`<a href="${environmentAddress(name)}">${theirs(name)}</a>`,
    },
    {
      title: 'Builds come',
      cell: ({ policy }: Environment) =>
        policy.promote === 'automatic' ? 'by themselves' : 'when somebody asks for them',
    },
    { title: 'Overlay', cell: ({ overlay }: Environment) => theirs(overlay.name) },
    { title: 'Revision', cell: ({ overlay }: Environment) => overlay.revision, isNumber: true },
    {
      title: 'Read by',
      cell: ({ anonymousRead }: Environment) =>
        anonymousRead ? state('waiting', 'everybody') : 'whoever has a token for it',
    },
  ]
  const nothing = empty('You see nothing of any environment. An administrator gives you the right to.')
  return html`${heading('Environments')} ${table('Environments', columns, environments, nothing)}`
}

export interface WholeEnvironment extends PolicyView {
  readonly environment: Environment
  readonly releases: readonly Release[]
  readonly next: string | null
  /** The newest; null: the overlay is not theirs to read. */
  readonly revisions: readonly Revision[] | null
  readonly holds: readonly (Hold & { readonly mayLift: boolean })[]
  readonly hubUrl: string
}

export function environmentPage(whole: WholeEnvironment): Html {
  const { environment, releases, next, revisions, hubUrl, now } = whole
  const { name } = environment
  const command = `portage-hub promote <app> <build> ${name} --url ${hubUrl}`
  const nothing = empty('Nothing was released here yet.', command)
  const content = html`${environmentFacts(environment, revisions !== null)}
  ${section('Releases', html`${table('Releases', releaseColumns(now), releases, nothing)} ${pager(next)}`)}
  ${
    revisions &&
    section(
      'History of the overlay',
      html`${revisions.length > 0 && asOf(name)} ${revisionTable(revisions, now)}`,
      html`<a href="${historyAddress(name)}">All revisions</a>`,
    )
  }`
  return html`${heading(theirs(name), [['/environments', 'Environments']])}
    ${live('environment', environmentAddress(name), EVENTS, content)}
    ${section('Holds', table('Holds', holdColumns(whole), whole.holds, empty('Nothing is held here.')))}
    <div id="policy">${section('Policy', policyPart(whole))}</div>
    ${section('Make a machine a node of it', pointing(whole))}`
}

function environmentFacts({ name, overlay, signingKey, anonymousRead }: Environment, mayRead: boolean): Html {
  const { revision, commit } = overlay
  const number =
    revision > 0 && mayRead ? html`<a href="${historyAddress(name)}/${revision}">${revision}</a>` : revision
  return facts([
    ['Overlay', theirs(overlay.name)],
    ['Revision', number],
    ['Commit', commit !== null && digest(commit)],
    ['Signed by', digest(signingKey.fingerprint, 16)],
    ['Read by', anonymousRead ? state('waiting', 'everybody') : 'whoever has a token for it'],
    ['Git', html`<code>${overlay.gitUrl}</code>`],
  ])
}

function releaseColumns(now: Date) {
  return [
    {
      title: 'Build',
      cell: (one: Release) => html`<a href="${buildAddress(one)}">${theirs(one.app)} ${one.build}</a>`,
    },
    { title: 'Package', cell: ({ cpv }: Release) => theirs(cpv) },
    {
      title: 'State',
      cell: ({ state: at, reason, withdrawnBy }: Release) =>
        at === 'released'
          ? state('good', 'released')
          : html`${state('bad', 'withdrawn')} ${withdrawnBy !== null && html`by ${theirs(withdrawnBy)}`}
            ${reason !== null && html`: ${theirs(reason)}`}`,
    },
    { title: 'Released by', cell: ({ releasedBy }: Release) => theirs(releasedBy) },
    { title: 'Released', cell: ({ releasedAt }: Release) => time(releasedAt, now) },
    { title: 'Revision', cell: ({ revision }: Release) => revision, isNumber: true },
  ]
}

function holdColumns({ environment, csrf, now }: WholeEnvironment) {
  return [
    { title: 'What', cell: (hold: Hold) => theirs(heldText(hold)) },
    {
      title: 'How',
      cell: ({ yank, mask, environment: where }: Hold) =>
        html`${yank ? state('bad', 'yanked') : state('held', mask ? 'held and masked' : 'held')}
        ${where === null && 'everywhere'}`,
    },
    { title: 'Reason', cell: ({ reason }: Hold) => theirs(reason) },
    { title: 'By', cell: ({ heldBy }: Hold) => theirs(heldBy) },
    { title: 'Since', cell: ({ heldAt }: Hold) => time(heldAt, now) },
    {
      title: 'Lift',
      cell: (hold: WholeEnvironment['holds'][number]) =>
        hold.mayLift &&
        fold(
          'Lift…',
          action(
            {
              address: `${environmentAddress(environment.name)}/holds/${hold.id}/lift`,
              label: `Lift the hold on ${heldText(hold)}`,
              csrf,
              tone: 'danger',
            },
            field('Reason', { name: 'reason', help: 'Why it may go on.', isRequired: true }),
          ),
          `Lift… ${heldText(hold)}`,
        ),
    },
  ]
}

/** `shop 45 and newer`; `shop` is every build of it. */
function heldText({ app, build, newer }: Hold): string {
  if (build === null) return app
  return `${app} ${String(build)}${newer ? ' and newer' : ''}`
}

/** For this very hub: what a machine must be told to become a node. */
function pointing({ environment: { name, signingKey }, hubUrl }: WholeEnvironment): Html {
  const token = `portage-hub token create --role enrol --environment ${name} --expires-in 1h --url ${hubUrl}`
  const script = `curl -fsS ${hubUrl}/enroll.sh | HUB_ENROL_TOKEN=<token> sh -s -- --environment ${name}`
  const image = `hub-node enroll ${hubUrl} --environment ${name} --key ${signingKey.fingerprint}`
  return html`${block(token, 'An administrator makes a token, good for one machine')}
  ${block(script, 'On the machine, as root: it shows what it will do, and asks')}
  ${block(image, 'Or, where hub-node is installed already: it asks for the token, and takes nothing that this key has not signed')}`
}
