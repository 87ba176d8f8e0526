/** The recipe of an app as its newest build has it, and which builds changed it. */
import { stringify } from 'yaml'
import type { Build } from '../../http/openapi/builds.ts'
import { unifiedDiff } from '../../overlays/unified-diff.ts'
import { block, diff, theirs, time } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { comparisonAddress } from './compare-page.ts'
import { buildAddress } from './words.ts'

export interface RecipeHistory {
  /** Newest first. */
  readonly builds: readonly Build[]
  /** The one before the oldest of them; null: that was the first. */
  readonly before: Build | null
  readonly now: Date
}

/** null: there is no build. */
export function recipeHistory({ builds, before, now }: RecipeHistory): Html | null {
  const [newest] = builds
  if (!newest) return null
  const all = before === null ? builds : [...builds, before]
  const changes = all.flatMap((build, at) => {
    const former = all[at + 1]
    return former && valuesOf(former) !== valuesOf(build) ? [changeOf(former, build, now)] : []
  })
  const unchanged = html`<p>No build from ${all.at(-1)?.build} to ${newest.build} changed it.</p>`
  return html`${block(textOf(newest), `Of build ${String(newest.build)}, ${SOURCES[newest.recipeSource] ?? ''}`)}
  ${
    changes.length === 0
      ? all.length > 1 && unchanged
      : html`<ul class="changes">
          ${changes}
        </ul>`
  }`
}

const SOURCES: Readonly<Record<string, string>> = {
  tarball: 'from its tarball',
  upload: 'sent with the upload',
  app: 'the one that the app keeps',
  default: 'the general one',
  template: 'which brought its own ebuild',
}

/** Differences of longer ones, two dozen of them on a page, take the hub seconds. */
const MOST_CHARACTERS = 20_000

function changeOf(former: Build, build: Build, now: Date): Html {
  const label = `portage-hub.yaml, build ${String(former.build)} to ${String(build.build)}`
  const isShort = [former, build].every((one) => valuesOf(one).length <= MOST_CHARACTERS)
  return html`<li>
    <details>
      <summary>
        <a href="${buildAddress(build)}">Build ${build.build}</a> changed it
        <span class="beside">${time(build.receivedAt, now)} by ${theirs(build.uploadedBy)}</span>
      </summary>
      ${
        isShort
          ? diff(unifiedDiff('portage-hub.yaml', textOf(former), textOf(build)), label)
          : html`<p><a href="${comparisonAddress(build, former)}">Compare the two builds</a>: it is long.</p>`
      }
    </details>
  </li>`
}

/** To tell whether they are the same: writing them as YAML takes longer. */
function valuesOf({ recipe }: Build): string {
  return JSON.stringify(recipe)
}

/** As somebody would write it; what was sent is kept as values, without its comments. */
function textOf({ recipe }: Build): string {
  if (recipe === null) return '# none: the build brought a complete ebuild\n'
  return Object.keys(recipe).length === 0 ? '# nothing: the general recipe\n' : stringify(recipe)
}
