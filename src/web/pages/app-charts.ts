/** The builds of an app as pictures: how large they are, and how long each took to be where nodes find it. */
import type { Build } from '../../http/openapi/builds.ts'
import { chart } from '../chart.ts'
import { sizeText } from '../../size-text.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'

/**
 * @param builds newest first.
 * @param environments in the order of promotion.
 */
export function appCharts(builds: readonly Build[], environments: readonly string[]): Html {
  const inTime = builds.toReversed()
  return html`<div class="charts">
    ${sizes(inTime)} ${environments.map((environment) => wayTo(environment, inTime))}
  </div>`
}

function sizes(builds: readonly Build[]): Html {
  const bars = builds.map(({ build, tarball: { sizeBytes } }) => ({
    ...{ name: `build ${String(build)}`, value: sizeBytes },
    title: `build ${String(build)}: ${sizeText(sizeBytes)} (${String(sizeBytes)} bytes)`,
  }))
  return chart('Size of the tarball', bars, sizeText)
}

/** From the upload to the overlay's revision that first had it. */
function wayTo(environment: string, builds: readonly Build[]): Html | null {
  const bars = builds.map((build) => {
    const seconds = secondsTo(environment, build)
    const name = `build ${String(build.build)}`
    const told = seconds === null ? 'not there' : duration(seconds)
    return { name, value: seconds, title: `${name}: ${told}` }
  })
  if (bars.every(({ value }) => value === null)) return null
  return chart(`From upload to ${environment}`, bars, duration)
}

function secondsTo(environment: string, { receivedAt, releases }: Build): number | null {
  const times = releases
    .filter((release) => release.environment === environment)
    .map(({ releasedAt }) => Date.parse(releasedAt))
  return times.length === 0 ? null : Math.max(0, (Math.min(...times) - Date.parse(receivedAt)) / 1000)
}

const UNITS = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
] as const

/** `0.5 s`, `20 s`, `1.5 h`. */
function duration(seconds: number): string {
  const [size, unit] = UNITS.find(([least]) => seconds >= least) ?? [1, 's']
  return `${String(Number((seconds / size).toFixed(1)))} ${unit}`
}
