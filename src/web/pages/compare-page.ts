/** What a build has otherwise than another of its app. */
import type { Build } from '../../http/openapi/builds.ts'
import type { Check } from '../../http/openapi/checks.ts'
import type { BuildDiff, FileChange } from '../../http/openapi/diffs.ts'
import {
  choice,
  diff,
  digest,
  empty,
  facts,
  filters,
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
import type { Html, HtmlValue } from '../html.ts'
import { buildAddress, inAddress, stateOfCheck, wayToBuild } from './words.ts'

type OfBuild = Pick<Build, 'app' | 'build'>

/** A build to compare with, and what it is called in the list. */
export type Choice = readonly [build: number, name: string]

export interface CompareView {
  readonly diff: BuildDiff
  readonly choices: readonly Choice[]
  readonly changes: readonly FileChange[]
  readonly next: string | null
  readonly now: Date
}

export function comparePage(view: CompareView): Html {
  const { from, to, recipe, ebuild } = view.diff
  const title = html`Build ${to.build} compared with ${from.build}`
  return html`${heading(title, wayToBuild(to))} ${chooser(to, view.choices, from.build)} ${summary(view.diff)}
  ${section('Facts', factTable(view))} ${section('Dependencies', dependencies(view.diff))}
  ${section('Recipe', recipe === '' ? same('The recipe is the same.') : diff(recipe, 'portage-hub.yaml'))}
  ${section('Ebuild', ebuild === '' ? same('The ebuild is the same.') : diff(ebuild, `${to.pn}.ebuild`))}
  ${section('Files', html`${files(view)} ${pager(view.next, 'More')}`)}`
}

/** Where there is nothing to compare with, or nobody has said with what. */
export function chooseComparisonPage(build: OfBuild, choices: readonly Choice[]): Html {
  const nothing = empty(
    'There is no other build of this app yet.',
    `portage-hub push ${build.app} build/${build.app}.tar.gz`,
  )
  return html`${heading(html`Compare build ${build.build}`, wayToBuild(build))}
  ${choices.length === 0 ? nothing : chooser(build, choices, choices[0]?.[0] ?? 0)}`
}

function chooser(build: OfBuild, choices: readonly Choice[], chosen: number): Html {
  const options = choices.map(([number, name]) => [String(number), name] as const)
  return filters(compareAddress(build), choice('Compared with', 'with', options, String(chosen)))
}

function summary({ from, to, files, dependencies, recipe, ebuild }: BuildDiff): Html {
  const { runtime, build } = dependencies
  const depends = [runtime, build].flatMap(({ added, removed }) => [...added, ...removed]).length
  const grown = to.tarball.sizeBytes - from.tarball.sizeBytes
  const more = html`${grown < 0 ? '−' : '+'}${size(Math.abs(grown))}`
  return facts([
    ['Files added', files.added],
    ['Files removed', files.removed],
    ['Files changed', files.changed],
    ['Files unchanged', files.unchanged],
    ['Tarball', grown === 0 ? 'of the same size' : more],
    ['Dependencies', depends === 0 ? 'the same' : state('waiting', `${String(depends)} changed`)],
    ['Recipe', recipe === '' ? 'the same' : state('waiting', 'changed')],
    ['Ebuild', ebuild === '' ? 'the same' : state('waiting', 'changed')],
  ])
}

interface Fact {
  readonly name: string
  readonly from: HtmlValue
  readonly to: HtmlValue
}

function factTable({ diff: { from, to, checks }, now }: CompareView): Html {
  const of = (name: string, cell: (build: Build) => HtmlValue): Fact => ({
    name,
    from: cell(from),
    to: cell(to),
  })
  const rows = [
    of('Version', ({ version }) => version !== null && theirs(version)),
    of('Package', ({ cpv }) => html`<code>${cpv}</code>`),
    of('Commit', ({ commit }) => commit !== null && digest(commit)),
    of('Branch', ({ branch }) => branch !== null && theirs(branch)),
    of(
      'CI job',
      ({ ciUrl }) => ciUrl !== null && html`<a href="${ciUrl}" rel="noreferrer">${theirs(ciUrl)}</a>`,
    ),
    of('Archived', ({ receivedAt, uploadedBy }) => html`${time(receivedAt, now)} by ${theirs(uploadedBy)}`),
    of('Tarball', ({ tarball }) => size(tarball.sizeBytes)),
    of('Unpacked', ({ contents }) => size(contents.unpackedBytes)),
    of('SHA-512', ({ tarball }) => digest(tarball.sha512)),
    of('Stands in', ({ releases }) =>
      theirs(releases.flatMap((one) => (one.state === 'released' ? [one.environment] : [])).join(', ')),
    ),
    ...checks.map((check) => ({
      name: `${check.stage} check ${check.name}`,
      from: checkState(check.from),
      to: checkState(check.to),
    })),
  ]
  const columns = [
    { title: 'Fact', cell: ({ name }: Fact) => theirs(name) },
    { title: `Build ${String(from.build)}`, cell: (fact: Fact) => fact.from },
    { title: `Build ${String(to.build)}`, cell: (fact: Fact) => fact.to },
  ]
  return table('Facts of both builds', columns, rows, html``)
}

function checkState(status: Check['status'] | null): Html {
  return status === null ? html`<span class="none">not reported</span>` : stateOfCheck(status)
}

function dependencies({ dependencies: { runtime, build } }: BuildDiff): Html {
  const all = [
    ...runtime.removed.map((atom) => ['removed', 'runtime', atom] as const),
    ...runtime.added.map((atom) => ['added', 'runtime', atom] as const),
    ...build.removed.map((atom) => ['removed', 'build', atom] as const),
    ...build.added.map((atom) => ['added', 'build', atom] as const),
  ]
  if (all.length === 0) return same('The dependencies are the same.')
  return html`<ul class="changes">
    ${all.map(
      ([change, when, atom]) =>
        html`<li>${changeState(change)} <code>${atom}</code> <span class="beside">at ${when}</span></li>`,
    )}
  </ul>`
}

function same(text: string): Html {
  return html`<p class="none">${text}</p>`
}

const CHANGE_TONES = { added: 'good', removed: 'bad', changed: 'waiting' } as const

function changeState(change: FileChange['change']): Html {
  return state(CHANGE_TONES[change], change)
}

function files({ diff: { from, to }, changes }: CompareView): Html {
  if (changes.length === 0) return same('Every file is the same.')
  return html`<ul class="changes">
    ${changes.map((change) => html`<li>${fileChange(from, to, change)}</li>`)}
  </ul>`
}

/** A fold where there are lines to show; they are asked for when it opens. Without script a link leads to them. */
function fileChange(from: OfBuild, to: OfBuild, change: FileChange): Html {
  const line = html`${changeState(change.change)} ${theirs(change.path)}
    <span class="beside">${theirs(changeText(change))}</span>`
  if (!hasLines(change)) return line
  const address = fileDiffAddress(to, from, change.path)
  return html`<details class="change">
    <summary>${line}</summary>
    <div
      hx-get="${address}"
      hx-trigger='toggle from:"closest details" once'
      hx-select="#difference"
      hx-swap="outerHTML"
    >
      <a href="${address}">Show the difference</a>
    </div>
  </details>`
}

function hasLines({ from, to, differs, change }: FileChange): boolean {
  const isFile = [from, to].every(
    (entry) => entry === null || entry.type === 'file' || entry.type === 'hardlink',
  )
  return isFile && (change !== 'changed' || differs.includes('content'))
}

function changeText({ change, differs, from, to }: FileChange): string {
  const told = (what: (typeof differs)[number]): string => {
    if (what === 'content') return `content, ${sizesText(from?.sizeBytes ?? 0, to?.sizeBytes ?? 0)}`
    if (what === 'mode') return `mode ${from?.mode ?? ''} → ${to?.mode ?? ''}`
    if (what === 'type') return `${from?.type ?? ''} → ${to?.type ?? ''}`
    return `leads to ${to?.target ?? 'nothing'}, not ${from?.target ?? 'anything'}`
  }
  if (change === 'changed') return differs.map(told).join('; ')
  const entry = to ?? from
  return entry?.type === 'file' ? `${String(entry.sizeBytes)} bytes` : (entry?.type ?? '')
}

function sizesText(from: number, to: number): string {
  return from === to ? `${String(to)} bytes as before` : `${String(from)} → ${String(to)} bytes`
}

export interface FileDiffView {
  readonly from: OfBuild
  readonly to: OfBuild
  readonly path: string
  /** In the unified form, or why there is none. */
  readonly shown: { readonly diff: string } | { readonly refused: string }
}

/** One file of both; the page before takes its difference from here. */
export function fileDiffPage({ from, to, path, shown }: FileDiffView): Html {
  const way = [
    ...wayToBuild(to),
    [comparisonAddress(to, from), `compared with ${String(from.build)}`] as const,
  ]
  const content =
    'refused' in shown
      ? html`<p>${theirs(shown.refused)}</p>`
      : shown.diff === ''
        ? same('It is the same in both.')
        : diff(shown.diff, path)
  return html`${heading(theirs(path.split('/').at(-1) ?? ''), way)}
    <div id="difference">${content}</div>`
}

export function compareAddress(build: OfBuild): string {
  return `${buildAddress(build)}/compare`
}

export function comparisonAddress(to: OfBuild, from: Pick<OfBuild, 'build'>): string {
  return `${compareAddress(to)}/${String(from.build)}`
}

function fileDiffAddress(to: OfBuild, from: OfBuild, path: string): string {
  return `${comparisonAddress(to, from)}/files/${inAddress(path)}`
}
