/** A build: what it is, whether it may go on and what can be done, and where it came from and went. */
import { stringify } from 'yaml'
import { renderManifest } from '../../gentoo/manifest.ts'
import type { Build } from '../../http/openapi/builds.ts'
import type { Check } from '../../http/openapi/checks.ts'
import { code } from '../code.ts'
import {
  action,
  choice,
  digest,
  empty,
  facts,
  field,
  fold,
  heading,
  live,
  section,
  size,
  state,
  table,
  theirs,
  time,
} from '../components.ts'
import type { Tone } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { lineage } from './build-lineage.ts'
import type { Lineage } from './build-lineage.ts'
import { eligibility } from './eligibility-part.ts'
import type { Eligibility } from './eligibility-part.ts'
import { compareAddress } from './compare-page.ts'
import { filesAddress } from './files-page.ts'
import { road } from './road.ts'
import { buildAddress, stateOfCheck } from './words.ts'

export interface BuildView extends Omit<Lineage, 'build' | 'now'> {
  readonly build: Build
  /** Every run, newest first. */
  readonly checks: readonly Check[]
  /** In the order of the environments. */
  readonly environments: readonly Eligibility[]
  readonly ebuild: string
  /** Whether who looks may yank and pin it, which concerns every environment. */
  readonly mayMark: boolean
  /** Where they may hold it: environments, and `''` for all of them. */
  readonly mayHoldIn: readonly string[]
  /** Empty for who has no forms. */
  readonly csrf: string
  readonly now: Date
}

/** What changes what is shown of it. Nodes report too often to be followed here. */
const EVENTS = [
  ...['promotion.requested', 'promotion.moved', 'promotion.approved', 'promotion.insisted'],
  ...['release.published', 'release.withdrawn', 'check.recorded', 'hold.set', 'hold.lifted', 'policy.set'],
  ...['yank.set', 'yank.lifted', 'pin.set', 'pin.lifted'],
]

export function buildPage(view: BuildView): Html {
  const { build, checks, environments, ebuild, csrf, now } = view
  const way = [
    ['/apps', 'Apps'],
    [`/apps/${build.app}`, build.app],
  ] as const
  const shown = html`${heading(`${build.app} build ${String(build.build)}`, way, csrf !== '' && marks(view))}
  ${road(
    build,
    checks.filter((check) => check.counts),
  )}
  ${build.yanked && told('bad', 'yanked', build.yanked, now)}
  ${build.pinned && told('quiet', 'pinned', build.pinned, now)} ${factsOf(build, now)}
  ${section(
    'May it go on?',
    environments.map((one) => eligibility(build, one, { csrf, now })),
  )}
  ${section('Checks', checksOf(build, checks, now))} ${section('Where it came from and went', lineage(view))}`
  return html`${live('build', buildAddress(build), EVENTS, shown, build.app)}
    <div id="ebuild">${section('What is published', published(build, ebuild))}</div>`
}

/** The same in every environment. */
function published(build: Build, ebuild: string): Html {
  const { recipe, recipeSource, tarball } = build
  return html`${code(ebuild, 'bash', `${build.pn}-${build.pv}.ebuild`)}
  ${code(renderManifest([tarball]), 'manifest', 'Its line of the Manifest')}
  ${
    recipe !== null &&
    Object.keys(recipe).length > 0 &&
    code(stringify(recipe), 'yaml', `The recipe, from: ${recipeSource}`)
  }`
}

function told(
  tone: Tone,
  word: string,
  { reason, by, at }: { readonly reason: string; readonly by: string; readonly at: string },
  now: Date,
): Html {
  return html`<p>
    ${state(tone, word)} ${theirs(reason)} <span class="beside">by ${theirs(by)} ${time(at, now)}</span>
  </p>`
}

function factsOf(build: Build, now: Date): Html {
  const { tarball, contents } = build
  const api = `/api/v1${buildAddress(build)}`
  return facts([
    ['Version', build.version !== null && theirs(build.version)],
    ['Package', html`<code>${build.cpv}</code>`],
    ['Archived', html`${time(build.receivedAt, now)} by ${theirs(build.uploadedBy)}`],
    ['Tarball', html`<a href="${api}/tarball" download>${tarball.name}</a>`],
    ['Size', html`${size(tarball.sizeBytes)}, unpacked ${size(contents.unpackedBytes)}`],
    ['Compare', html`<a href="${compareAddress(build)}">with the build before, or another</a>`],
    ['Contents', html`<a href="${filesAddress(build)}">${contents.entryCount} entries</a>`],
    ['Commit', build.commit !== null && digest(build.commit)],
    ['Branch', build.branch !== null && theirs(build.branch)],
    ['SHA-256', digest(tarball.sha256)],
    ['SHA-512', digest(tarball.sha512)],
    ['BLAKE2b', digest(tarball.blake2b)],
  ])
}

function checksOf({ app, build }: Build, checks: readonly Check[], now: Date): Html {
  const columns = [
    { title: 'Stage', cell: ({ stage }: Check) => stage },
    {
      title: 'Check',
      cell: ({ name, url }: Check) =>
        url === null ? theirs(name) : html`<a href="${url}" rel="noreferrer">${theirs(name)}</a>`,
    },
    {
      title: 'Result',
      cell: ({ status, counts }: Check) =>
        html`${stateOfCheck(status)} ${!counts && html`<span class="beside">run again since</span>`}`,
    },
    { title: 'Tests', cell: ({ reports }: Check) => reports.map(reportOf) },
    { title: 'Summary', cell: ({ summary }: Check) => summary !== null && theirs(summary) },
    {
      title: 'At',
      cell: ({ reportedAt, reportedBy }: Check) => html`${time(reportedAt, now)} by ${theirs(reportedBy)}`,
    },
  ]
  const command = `portage-hub check ${app} ${String(build)} commit unit --junit build/junit.xml`
  return table('Checks', columns, checks, empty('No check of it was reported.', command))
}

function reportOf({ name, counts }: Check['reports'][number]): Html {
  const told = Object.entries(counts).map(([what, count]) => `${String(count)} ${what}`)
  return html`<div>${theirs(name)}: ${told.join(', ')}</div>`
}

/** What people say of it for good, or until they take it back. */
function marks({ build, mayMark, mayHoldIn, csrf }: BuildView): Html {
  const name = `${build.app} build ${String(build.build)}`
  const address = buildAddress(build)
  return html`<div class="actions">
    ${mayHoldIn.length > 0 && holdForm(build, mayHoldIn, csrf)}
    ${mayMark && (build.pinned ? reasoned('Unpin', 'unpin') : reasoned('Pin', 'pin'))}
    ${mayMark && (build.yanked ? reasoned('Unyank', 'unyank') : reasoned('Yank', 'yank', 'danger'))}
  </div>`

  function reasoned(label: string, verb: string, tone: 'plain' | 'danger' = 'plain'): Html {
    const sent = { address: `${address}/${verb}`, label: `${label} ${name}`, csrf, tone }
    return fold(`${label}…`, action(sent, reasonField))
  }
}

function holdForm(build: Build, places: readonly string[], csrf: string): Html {
  const where = places.map((name) => [name, name === '' ? 'everywhere' : name] as const)
  const name = `${build.app} build ${String(build.build)}`
  const masks = [
    ['', 'Nodes that have it keep it'],
    ['true', 'Take it from nodes too, in one environment'],
  ] as const
  const sent = {
    address: `${buildAddress(build)}/hold`,
    label: `Hold ${name}`,
    csrf,
    tone: 'danger',
  } as const
  return fold(
    'Hold…',
    action(
      sent,
      html`${choice('Where', 'environment', where, places[0] ?? '')} ${choice('Nodes', 'mask', masks, '')}
      ${reasonField}`,
    ),
  )
}

const reasonField = field('Why', { name: 'reason', help: 'Everybody reads it.', isRequired: true })
