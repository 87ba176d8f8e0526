/**
 * The line of a build on one page: commit → CI job → tarball → ebuild → overlay revision → promotion and approvals → nodes →
 * restore points.
 */
import type { Build } from '../../http/openapi/builds.ts'
import type { Release } from '../../http/openapi/environments.ts'
import type { Approval, Promotion } from '../../http/openapi/promotions.ts'
import type { Point } from '../../http/openapi/restore-points.ts'
import type { NodeWithBuild } from '../../records/nodes.ts'
import { digest, state, theirs, time } from '../components.ts'
import { html } from '../html.ts'
import type { Html, HtmlValue } from '../html.ts'
import { filesAddress } from './files-page.ts'
import { historyAddress } from './revision-page.ts'
import { buildAddress, stateOfPromotion } from './words.ts'

export interface Lineage {
  readonly build: Build
  /** Oldest first. */
  readonly promotions: readonly (Promotion & { readonly approvals: readonly Approval[] })[]
  /** Oldest first. */
  readonly releases: readonly Release[]
  /** Those that have it, as far as who looks may know; the first of them. */
  readonly nodes: readonly NodeWithBuild[]
  /** Those by which a node goes back to it, newest first; of the nodes whose points who looks may see; the first of them. */
  readonly points: readonly Point[]
  /** How many nodes and points are shown at most: there may be more. */
  readonly shown: number
  /** The environments whose overlay they may read. */
  readonly reading: readonly string[]
  readonly now: Date
}

export function lineage({ build, promotions, releases, now, ...where }: Lineage): Html {
  const address = buildAddress(build)
  const { nodes, points, shown, reading } = where
  const steps: readonly (readonly [name: string, value: HtmlValue])[] = [
    [
      'Commit',
      build.commit !== null && html`${digest(build.commit)} ${build.branch !== null && theirs(build.branch)}`,
    ],
    [
      'CI job',
      build.ciUrl !== null && html`<a href="${build.ciUrl}" rel="noreferrer">${theirs(build.ciUrl)}</a>`,
    ],
    [
      'Tarball',
      html`<a href="/api/v1${address}/tarball" download>${build.tarball.name}</a>
        ${digest(build.tarball.sha512)}
        <a href="${filesAddress(build)}">its files</a>
        <p class="beside">archived ${time(build.receivedAt, now)} by ${theirs(build.uploadedBy)}</p>`,
    ],
    ['Ebuild', html`<a href="#ebuild">${build.cpv}</a> from the recipe of: ${build.recipeSource}`],
    ...promotions.map((promotion) => ['Promotion', promotionOf(promotion, now)] as const),
    ...releases.map((release) => ['Release', releaseOf(release, reading, now)] as const),
    ['Nodes', nodes.length > 0 && html`${nodesOf(nodes, now)} ${andMore(nodes, shown)}`],
    ['Restore points', points.length > 0 && html`${pointsOf(points, now)} ${andMore(points, shown)}`],
  ]
  return html`<ol class="lineage">
    ${steps
      .filter(([, value]) => value !== false)
      .map(
        ([name, value]) =>
          html`<li>
            <b>${name}</b>
            <div>${value}</div>
          </li>`,
      )}
  </ol>`
}

function promotionOf(promotion: Lineage['promotions'][number], now: Date): Html {
  const { id, environment, requestedBy, requestedAt, approvals, detail, overrideReason } = promotion
  return html`<a href="/promotions/${id}">to ${environment}</a> ${stateOfPromotion(promotion)}
    <p class="beside">asked ${time(requestedAt, now)} by ${theirs(requestedBy)}</p>
    ${overrideReason !== null && html`<p>Without waiting: ${theirs(overrideReason)}</p>`}
    ${detail !== null && html`<p class="beside">${theirs(detail)}</p>`}
    ${approvals.map(
      ({ by, at, comment }) =>
        html`<p class="beside">
          approved ${time(at, now)} by ${theirs(by)}${comment !== null && html`: ${theirs(comment)}`}
        </p>`,
    )}`
}

function releaseOf(release: Release, reading: readonly string[], now: Date): Html {
  const { environment, revision, releasedAt, releasedBy, withdrawnAt, withdrawnBy, reason } = release
  const revisionOf = (number: number): Html =>
    reading.includes(environment)
      ? html`<a href="${historyAddress(environment)}/${number}">revision ${number}</a>`
      : html`revision ${number}`
  return html`<a href="/environments/${environment}">${environment}</a> ${revisionOf(revision)}
    ${release.state === 'released' ? state('good', 'released') : state('bad', 'withdrawn')}
    <p class="beside">${time(releasedAt, now)} by ${theirs(releasedBy)}</p>
    ${
      withdrawnAt !== null &&
      html`<p class="beside">
        withdrawn ${time(withdrawnAt, now)} by
        ${theirs(withdrawnBy ?? '')}${
          release.withdrawnRevision !== null && html` by ${revisionOf(release.withdrawnRevision)}`
        }:
        ${theirs(reason ?? '')}
      </p>`
    }`
}

function nodesOf(nodes: readonly NodeWithBuild[], now: Date): Html {
  return html`<ul class="places">
    ${nodes.map(
      ({ node, environment, since }) =>
        html`<li>
          <a href="/nodes/${node}">${node}</a>
          <span class="beside">in ${environment}, ${time(since, now)}</span>
        </li>`,
    )}
  </ul>`
}

function pointsOf(points: readonly Point[], now: Date): Html {
  return html`<ul class="places">
    ${points.map(
      ({ node, id, takenAt, encrypted }) =>
        html`<li>
          <a href="/nodes/${node}">${node}</a> <code>${id}</code>
          <span class="beside">taken ${time(takenAt, now)}${encrypted && ', encrypted'}</span>
        </li>`,
    )}
  </ul>`
}

function andMore({ length }: readonly unknown[], shown: number): Html | null {
  return length < shown ? null : html`<p class="beside">The first ${shown} are shown.</p>`
}
