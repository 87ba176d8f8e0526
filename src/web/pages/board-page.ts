/** The board: apps × environments, what is where and what waits, each one click from its reason. */
import type { App } from '../../http/openapi/apps.ts'
import type { Release } from '../../http/openapi/environments.ts'
import type { Hold } from '../../http/openapi/holds.ts'
import type { Promotion } from '../../http/openapi/promotions.ts'
import type { VerdictAnswer } from '../../http/openapi/verdict.ts'
import { empty, heading, live, pager, state, table, theirs, time } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { buildAddress, stateOfPromotion, uploadCommand, wordsOfHold } from './words.ts'

export interface Board {
  readonly environments: readonly BoardEnvironment[]
  readonly rows: readonly BoardRow[]
  /** Its own, by which it asks for itself again when something changes. */
  readonly address: string
  /** The address of the apps after these. */
  readonly next: string | null
  readonly hubUrl: string
  readonly now: Date
}

export interface BoardEnvironment {
  readonly name: string
  /** null: it is open. */
  readonly frozen: { readonly reason: string; readonly until: string | null } | null
}

export interface BoardRow {
  readonly app: App
  /** In the order of the environments; null: not to be seen by who looks. */
  readonly cells: readonly (BoardCell | null)[]
}

/** An app in an environment. */
export interface BoardCell {
  /** The newest version that nodes can have there. */
  readonly release: Release | null
  /** The one that released it. */
  readonly promotion: Promotion | null
  readonly waiting: readonly OpenPromotion[]
  readonly holds: readonly Hold[]
  /** How many have it, and how many have another build of the app; null: not to be seen. */
  readonly nodes: { readonly onIt: number; readonly elsewhere: number } | null
}

type OpenPromotion = Promotion & { readonly rules: VerdictAnswer['rules'] | null }

/** The changes that it shows. */
const FOLLOWED = [
  ...['build.archived', 'check.recorded', 'promotion.requested', 'promotion.moved', 'promotion.approved'],
  ...['promotion.insisted', 'release.published', 'release.withdrawn', 'hold.set', 'hold.lifted'],
  ...['yank.set', 'yank.lifted', 'policy.set', 'node.enrolled', 'node.changed', 'node.left'],
]

/** So many holds stand in a cell; the others are a link. */
const MOST_HOLDS = 3

export function boardPage(board: Board): Html {
  const { environments, rows, next, now, hubUrl } = board
  const columns = [
    { title: 'App', cell: ({ app }: BoardRow) => appCell(app) },
    ...environments.map(({ name }, at) => ({
      title: name,
      cell: ({ cells }: BoardRow) => cellOf(cells[at] ?? null, name, now),
    })),
  ]
  const nothing = empty(
    'There is no app that you may see. The first upload of one makes it.',
    uploadCommand(hubUrl, 'shop'),
  )
  const content = html`${rows.length > 0 && places(environments, now)}
  ${table('Apps and environments', columns, rows, nothing)} ${pager(next, 'More apps')}`
  return html`${heading('Board')} ${live('board', board.address, FOLLOWED, content)}`
}

/** The environments in their order, and whether they take anything now. */
function places(environments: readonly BoardEnvironment[], now: Date): Html {
  return html`<ul class="places" aria-label="Environments">
    ${environments.map(
      ({ name, frozen }) =>
        html`<li>
          <a href="/environments/${name}">${name}</a>
          ${
            frozen &&
            html`<a class="plain" href="/environments/${name}#policy">${state('held', 'frozen')}</a>
              <span class="beside"
                >${theirs(frozen.reason)}${frozen.until !== null && html`; opens ${time(frozen.until, now)}`}</span
              >`
          }
        </li>`,
    )}
  </ul>`
}

function appCell({ name, lastBuild, description }: App): Html {
  return html`<div class="cell">
    <p>
      <a href="/apps/${name}"><b>${name}</b></a>
    </p>
    ${description !== null && html`<p class="beside">${theirs(description)}</p>`}
    <p class="beside">newest: build ${lastBuild}</p>
  </div>`
}

function cellOf(cell: BoardCell | null, environment: string, now: Date): Html {
  if (cell === null) return html`<span class="none">not yours to see</span>`
  const { release, promotion, waiting, holds, nodes } = cell
  return html`<div class="cell">
    ${release === null ? html`<p class="none">nothing</p>` : standing(release, promotion, now)}
    ${nodes !== null && nodes.onIt + nodes.elsewhere > 0 && nodesOf(nodes, environment)}
    ${waiting.map((one) => waitingOf(one, now))} ${holds.slice(0, MOST_HOLDS).map((hold) => holdOf(hold))}
    ${
      holds.length > MOST_HOLDS &&
      html`<p class="beside">
        <a href="/apps/${holds[0]?.app}#holds">${holds.length - MOST_HOLDS} more holds</a>
      </p>`
    }
  </div>`
}

function standing(release: Release, promotion: Promotion | null, now: Date): Html {
  const since = time(release.releasedAt, now)
  return html`<p>
      <a href="${buildAddress(release)}"
        ><b>${theirs(release.version ?? release.cpv)}</b> build ${release.build}</a
      >
      ${promotion && emergencyOf(promotion)}
    </p>
    <p class="beside">
      ${promotion === null ? since : html`<a href="/promotions/${promotion.id}">${since}</a>`} by
      ${theirs(release.releasedBy)}
    </p>`
}

function emergencyOf({ id, overrideReason }: Promotion): Html | null {
  if (overrideReason === null) return null
  return html`<a class="plain" href="/promotions/${id}" title="${overrideReason}"
    >${state('urgent', 'emergency')}</a
  >`
}

function nodesOf({ onIt, elsewhere }: NonNullable<BoardCell['nodes']>, environment: string): Html {
  const address = `/nodes?environment=${environment}`
  const all = onIt + elsewhere
  const where = `${String(onIt)} of ${String(all)} node${all === 1 ? '' : 's'}`
  return html`<p class="beside">
    <a href="${address}">on ${where}</a>
    ${
      elsewhere > 0 &&
      html`<a class="plain" href="${`${address}&drifted=true`}"
        >${state('waiting', `${String(elsewhere)} elsewhere`)}</a
      >`
    }
  </p>`
}

/** What it waits for: the first rule that is not met. */
function waitingOf(promotion: OpenPromotion, now: Date): Html {
  const unmet = promotion.rules?.find((rule) => rule.state === 'unmet')
  return html`<div class="waits">
    <p><a href="/promotions/${promotion.id}">build ${promotion.build}</a> ${stateOfPromotion(promotion)}</p>
    ${unmet && html`<p class="beside">${theirs(unmet.detail)}</p>`}
    <p class="beside">asked ${time(promotion.requestedAt, now)} by ${theirs(promotion.requestedBy)}</p>
  </div>`
}

function holdOf(hold: Hold): Html {
  return html`<p>
    <a class="plain" href="/apps/${hold.app}#${hold.id}" title="${hold.reason}"
      >${state(hold.yank ? 'bad' : 'held', wordsOfHold(hold))}</a
    >
  </p>`
}
