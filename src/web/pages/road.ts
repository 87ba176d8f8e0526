/** The road of a build: commit → acceptance → each environment → withdrawn, as far as it has come. */
import type { Build } from '../../http/openapi/builds.ts'
import type { Check } from '../../http/openapi/checks.ts'
import { state } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'

type Judged = Pick<Check, 'stage' | 'status'>

const STAGES = ['commit', 'acceptance', 'manual'] as const

/** The worst of a stage is what is told of it. */
const STATUSES = [
  ['failed', 'bad'],
  ['running', 'waiting'],
  ['passed', 'good'],
  ['skipped', 'quiet'],
] as const

/** @param checks the newest of each stage and name. */
export function road(build: Build, checks: readonly Judged[]): Html {
  const newest = new Map(build.releases.map((release) => [release.environment, release]))
  const steps = [
    ...STAGES.map((stage) => stageOf(stage, checks)),
    ...[...newest.values()].map(({ environment, state: at }) =>
      at === 'released' ? state('good', `in ${environment}`) : state('bad', `withdrawn from ${environment}`),
    ),
    build.yanked && state('bad', 'yanked'),
    build.pinned && state('quiet', 'pinned'),
  ].filter((step) => step !== null)
  if (steps.length === 0) return html`<span class="none">archived</span>`
  return html`<ol class="road">
    ${steps.map((step) => html`<li>${step}</li>`)}
  </ol>`
}

function stageOf(stage: Judged['stage'], checks: readonly Judged[]): Html | null {
  const seen = checks.filter((check) => check.stage === stage).map(({ status }) => status)
  const worst = STATUSES.find(([status]) => seen.includes(status))
  return worst ? state(worst[1], `${stage} ${worst[0]}`) : null
}
