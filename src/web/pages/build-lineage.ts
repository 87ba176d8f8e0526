/** The line of a build on one page: commit → CI job → tarball → ebuild → revision → promotion and approvals → nodes. */
import type { Build } from '../../http/openapi/builds.ts'
import type { Release } from '../../http/openapi/environments.ts'
import type { Approval, Promotion } from '../../http/openapi/promotions.ts'
import type { NodeWithBuild } from '../../records/nodes.ts'
import { digest, state, theirs, time } from '../components.ts'
import { html } from '../html.ts'
import type { Html, HtmlValue } from '../html.ts'
import { stateOfPromotion } from './words.ts'

export interface Lineage {
  readonly build: Build
  /** Oldest first. */
  readonly promotions: readonly (Promotion & { readonly approvals: readonly Approval[] })[]
  /** Oldest first. */
  readonly releases: readonly Release[]
  /** Those that have it, as far as who looks may know; the first of them. */
  readonly nodes: readonly NodeWithBuild[]
  readonly now: Date
}

export function lineage({ build, promotions, releases, nodes, now }: Lineage): Html {
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
      html`${digest(build.tarball.sha512)} archived ${time(build.receivedAt, now)} by
      ${theirs(build.uploadedBy)}`,
    ],
    ['Ebuild', html`<code>${build.cpv}</code> from the recipe of: ${build.recipeSource}`],
    ...promotions.map((promotion) => ['Promotion', promotionOf(promotion, now)] as const),
    ...releases.map((release) => ['Release', releaseOf(release, now)] as const),
    ['Nodes', nodes.length > 0 && nodesOf(nodes, now)],
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

function releaseOf(release: Release, now: Date): Html {
  const { environment, revision, releasedAt, releasedBy, withdrawnAt, withdrawnBy, reason } = release
  return html`<a href="/environments/${environment}">${environment}</a> revision ${revision}
    ${release.state === 'released' ? state('good', 'released') : state('bad', 'withdrawn')}
    <p class="beside">${time(releasedAt, now)} by ${theirs(releasedBy)}</p>
    ${
      withdrawnAt !== null &&
      html`<p class="beside">
        withdrawn ${time(withdrawnAt, now)} by ${theirs(withdrawnBy ?? '')}: ${theirs(reason ?? '')}
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
