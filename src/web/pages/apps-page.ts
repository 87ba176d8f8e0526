/** All apps; and one, with its builds in time, what holds them, and whom it trusts. */
import type { App } from '../../http/openapi/apps.ts'
import type { Build } from '../../http/openapi/builds.ts'
import type { Check } from '../../http/openapi/checks.ts'
import type { PolicyAnswer } from '../../http/openapi/environments.ts'
import type { RetentionRules } from '../../environments/retention.ts'
import type { Hold } from '../../http/openapi/holds.ts'
import type { TrustedPublisher } from '../../http/openapi/trust.ts'
import {
  action,
  block,
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
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { appCharts } from './app-charts.ts'
import { policySentences } from './policy-sentences.ts'
import { recipeHistory } from './recipe-changes.ts'
import { road } from './road.ts'
import { uploadForm } from './upload-page.ts'
import type { UploadView } from './upload-page.ts'
import { buildAddress, uploadCommand, wordsOfHold } from './words.ts'

export interface AppList {
  readonly apps: readonly App[]
  readonly search: string
  readonly next: string | null
  readonly mayUpload: boolean
  readonly hubUrl: string
  readonly now: Date
}

export function appsPage({ apps, search, next, mayUpload, hubUrl, now }: AppList): Html {
  const columns = [
    { title: 'App', cell: ({ name }: App) => html`<a href="/apps/${name}">${name}</a>` },
    { title: 'Package', cell: (app: App) => html`<code>${app.package}</code>` },
    { title: 'Description', cell: ({ description }: App) => description !== null && theirs(description) },
    { title: 'Newest build', cell: ({ lastBuild }: App) => lastBuild, isNumber: true },
    { title: 'Since', cell: ({ createdAt }: App) => time(createdAt, now) },
  ]
  const nothing =
    search === ''
      ? empty(
          'There is no app that you may see. The first upload of one makes it.',
          uploadCommand(hubUrl, 'shop'),
        )
      : empty('No app that you may see has this in its name.')
  const upload = mayUpload && html`<a href="/upload">Upload a build</a>`
  return html`${heading('Apps', [], upload)}
  ${filters('/apps', field('Name', { name: 'q', value: search, type: 'search' }))}
  ${table('Apps', columns, apps, nothing)} ${pager(next, 'More apps')}`
}

export interface AppView {
  readonly app: App
  /** Newest first. */
  readonly builds: readonly ShownBuild[]
  /** What was looked for among them. */
  readonly search: string
  readonly next: string | null
  /** The build before the oldest of these; null: there is none, or only some were looked for. */
  readonly before: Build | null
  readonly holds: readonly ShownHold[]
  /** The newest of them. */
  readonly pins: readonly Pin[]
  /** The rules of retention that hold for it, and whether they are its own; null: not to be seen by who looks. */
  readonly retention: { readonly rules: RetentionRules; readonly isOwn: boolean } | null
  /** Of each environment in which who looks sees the app, in the order of promotion. */
  readonly policies: readonly PolicyAnswer[]
  /** Where who looks may hold it: environments, and `''` for all of them. */
  readonly mayHoldIn: readonly string[]
  /** The form that uploads; null: it is not theirs to. */
  readonly upload: UploadView | null
  /** null: not to be seen by who looks. */
  readonly trust: readonly TrustedPublisher[] | null
  /** Empty for who has no forms. */
  readonly csrf: string
  readonly hubUrl: string
  readonly now: Date
}

export interface ShownBuild {
  readonly build: Build
  /** The newest of each stage and name. */
  readonly checks: readonly Pick<Check, 'stage' | 'status'>[]
}

export interface Pin {
  readonly build: number
  readonly reason: string
  readonly by: string
  readonly at: string
}

export interface ShownHold {
  readonly hold: Hold
  readonly mayLift: boolean
}

export function appPage(view: AppView): Html {
  const { app } = view
  return html`${heading(app.name, [['/apps', 'Apps']], view.csrf !== '' && holdForm(view))}
  ${app.description !== null && html`<p>${theirs(app.description)}</p>`}
  ${facts([
    ['Package', html`<code>${app.package}</code>`],
    ['Newest build', app.lastBuild],
    ['Since', time(app.createdAt, view.now)],
    ['Recipe for uploads that bring none', app.defaultRecipe === null ? 'the general one' : 'its own'],
    ['Other words in versions', app.versionPolicy.otherWords === 'refuse' ? 'refused' : 'taken as alpha'],
  ])}
  ${buildsOf(view)} ${view.upload && section('Upload a build', uploadForm(view.upload, true))}
  ${holdsOf(view)} ${recipesOf(view)} ${policiesOf(view)} ${retentionOf(view)}
  ${view.trust !== null && trustOf(view, view.trust)}`
}

function buildsOf(view: AppView): Html {
  const { app, builds, search, next, hubUrl, now } = view
  const columns = [
    {
      title: 'Build',
      cell: ({ build }: ShownBuild) => html`<a href="${buildAddress(build)}">${build.build}</a>`,
      isNumber: true,
    },
    { title: 'Version', cell: ({ build }: ShownBuild) => theirs(build.version ?? build.pv) },
    { title: 'Road', cell: ({ build, checks }: ShownBuild) => road(build, checks) },
    {
      title: 'Commit',
      cell: ({ build: { commit, branch } }: ShownBuild) =>
        html`${commit !== null && html`<code title="${commit}">${commit.slice(0, 10)}</code>`}
        ${branch !== null && theirs(branch)}`,
    },
    { title: 'Size', cell: ({ build }: ShownBuild) => size(build.tarball.sizeBytes), isNumber: true },
    { title: 'Archived', cell: ({ build }: ShownBuild) => time(build.receivedAt, now) },
  ]
  const nothing =
    search === ''
      ? empty('No build of it is yours to see.', uploadCommand(hubUrl, app.name))
      : empty('No build has this in its version, commit or branch.')
  return section(
    'Builds',
    html`${filters(
      `/apps/${app.name}`,
      field('Version, commit or branch', { name: 'q', value: search, type: 'search' }),
    )}
    ${
      builds.length > 1 &&
      appCharts(
        builds.map(({ build }) => build),
        view.policies.map(({ environment }) => environment),
      )
    }
    ${table('Builds, newest first', columns, builds, nothing)} ${pager(next, 'Older builds')}`,
  )
}

/** What of a list that was narrowed follows each other is no history. */
function recipesOf({ app, builds, before, search, now }: AppView): Html {
  const history =
    search === '' ? recipeHistory({ builds: builds.map(({ build }) => build), before, now }) : null
  const own =
    app.defaultRecipe !== null &&
    block(JSON.stringify(app.defaultRecipe, null, 2), 'For uploads that bring none')
  if (history === null && own === false) return html``
  return html`<div id="recipe">${section('Recipe', html`${history} ${own}`)}</div>`
}

/** The policies of the environments, as far as they concern a build of it that is to go there. */
function policiesOf({ policies }: AppView): Html {
  const parts = policies.map(
    (policy) =>
      html`<h3><a href="/environments/${policy.environment}">${policy.environment}</a></h3>
        <ul>
          ${policySentences(policy).map((sentence) => html`<li>${theirs(sentence)}</li>`)}
        </ul>`,
  )
  return html`<div id="policies">
    ${section('What its builds need', html`<div class="columns">${parts.map((part) => html`<div>${part}</div>`)}</div>`)}
  </div>`
}

function rulesOfRetention({
  rules: { keepNewest, keepDays },
  isOwn,
}: NonNullable<AppView['retention']>): Html {
  const kept = [
    keepNewest !== null && `the ${String(keepNewest)} newest`,
    keepDays !== null && `those younger than ${String(keepDays)} days`,
  ].filter((one) => one !== false)
  const sentence =
    kept.length === 0 ? 'Every build is kept' : `Kept are ${kept.join(' and ')}, and what is in use`
  return html`<p>
    ${sentence}, by ${isOwn ? 'rules of its own' : 'the rules of the hub'}.
    <a href="/storage">Rules and plan of retention</a>
  </p>`
}

function retentionOf({ app, pins, retention, now }: AppView): Html {
  const columns = [
    {
      title: 'Build',
      cell: ({ build }: Pin) => html`<a href="${buildAddress({ app: app.name, build })}">${build}</a>`,
      isNumber: true,
    },
    { title: 'Why', cell: ({ reason }: Pin) => theirs(reason) },
    { title: 'Since', cell: ({ at, by }: Pin) => html`${time(at, now)} by ${theirs(by)}` },
  ]
  const command = `portage-hub pin ${app.name} <build> --reason 'what customers were shown'`
  return html`<div id="retention">
    ${section(
      'Retention',
      html`${retention && rulesOfRetention(retention)}
      ${table('Pinned builds', columns, pins, empty('No build of it is pinned.', command))}`,
    )}
  </div>`
}

function holdsOf(view: AppView): Html {
  const { holds, now } = view
  const columns = [
    {
      title: 'What',
      cell: ({ hold }: ShownHold) =>
        html`<span id="${hold.id}">${state(hold.yank ? 'bad' : 'held', wordsOfHold(hold))}</span>`,
    },
    { title: 'Where', cell: ({ hold }: ShownHold) => hold.environment ?? 'everywhere' },
    { title: 'Why', cell: ({ hold }: ShownHold) => theirs(hold.reason) },
    {
      title: 'Since',
      cell: ({ hold }: ShownHold) => html`${time(hold.heldAt, now)} by ${theirs(hold.heldBy)}`,
    },
    {
      title: 'Action',
      cell: ({ hold, mayLift }: ShownHold) => mayLift && view.csrf !== '' && lift(hold, view),
    },
  ]
  return html`<div id="holds">
    ${section('Holds', table('Holds', columns, holds, empty('Nothing of it is held.')))}
  </div>`
}

function lift({ id, app, build, yank }: Hold, { csrf }: Pick<AppView, 'csrf'>): Html {
  const what = build === null ? app : `${app} build ${String(build)}`
  const label = yank ? `Unyank ${what}` : `Lift the hold of ${what}`
  const address = `/apps/${app}/holds/${id}/lift`
  return fold(yank ? 'Unyank…' : 'Lift…', action({ address, label, csrf }, reasonField('Why it may go on')))
}

function holdForm({ app, mayHoldIn, csrf }: AppView): Html | null {
  const [first] = mayHoldIn
  if (first === undefined) return null
  const places = mayHoldIn.map((name) => [name, name === '' ? 'everywhere' : name] as const)
  return fold(
    'Hold…',
    action(
      { address: `/apps/${app.name}/hold`, label: `Hold all builds of ${app.name}`, csrf, tone: 'danger' },
      html`<p>No build of it is promoted until the hold is lifted; what is released stays.</p>
        ${choice('Where', 'environment', places, first)} ${reasonField('Why')}`,
    ),
  )
}

function reasonField(label: string): Html {
  return field(label, { name: 'reason', help: 'Everybody reads it.', isRequired: true })
}

function trustOf({ app, now }: AppView, trust: readonly TrustedPublisher[]): Html {
  const columns = [
    { title: 'Provider', cell: ({ provider }: TrustedPublisher) => provider },
    {
      title: 'Whose',
      cell: ({ claims }: TrustedPublisher) =>
        Object.entries(claims).map(([name, value]) => html`<div>${theirs(name)}: ${theirs(value)}</div>`),
    },
    { title: 'Commands', cell: ({ commands }: TrustedPublisher) => (commands ? 'may bring them' : 'none') },
    {
      title: 'Since',
      cell: ({ createdAt, createdBy }: TrustedPublisher) =>
        html`${time(createdAt, now)} by ${theirs(createdBy)}`,
    },
  ]
  const command = `portage-hub trust add ${app.name} --github acme/${app.name} --workflow release.yml`
  const nothing = empty('It trusts no CI: uploads bring a token.', command)
  return section('Trusted CIs', table('Trusted CIs', columns, trust, nothing))
}
