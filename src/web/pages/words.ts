/** The words that several pages have for the same thing, and where it has its page. */
import type { Grant } from '../../access/rights.ts'
import type { Build } from '../../http/openapi/builds.ts'
import type { Check } from '../../http/openapi/checks.ts'
import type { Hold } from '../../http/openapi/holds.ts'
import type { Promotion } from '../../http/openapi/promotions.ts'
import { state } from '../components.ts'
import type { Tone } from '../components.ts'
import type { Html } from '../html.ts'

export function buildAddress({ app, build }: Pick<Build, 'app' | 'build'>): string {
  return `/apps/${encodeURIComponent(app)}/builds/${String(build)}`
}

/** The way to a page below that of a build. */
export function wayToBuild(build: Pick<Build, 'app' | 'build'>): readonly (readonly [string, string])[] {
  return [
    ['/apps', 'Apps'],
    [`/apps/${encodeURIComponent(build.app)}`, build.app],
    [buildAddress(build), `build ${String(build.build)}`],
  ]
}

export function environmentAddress(name: string): string {
  return `/environments/${encodeURIComponent(name)}`
}

export function nodeAddress(name: string): string {
  return `/nodes/${encodeURIComponent(name)}`
}

/** The path of a file as part of an address. */
export function inAddress(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

/** What somebody types to upload to this very hub. */
export function uploadCommand(hubUrl: string, app: string): string {
  return `HUB_URL=${hubUrl} portage-hub push ${app} build/${app}.tar.gz --version 1.0.0`
}

const TONES: Readonly<Record<Promotion['state'], Tone>> = {
  ...{ requested: 'waiting', checking: 'waiting', awaiting_approval: 'waiting', scheduled: 'waiting' },
  ...{ publishing: 'waiting', released: 'good', refused: 'bad', failed: 'bad' },
  ...{ cancelled: 'quiet', superseded: 'quiet' },
}

/** One that skipped the waiting says so before all else. */
export function stateOfPromotion({ state: at, overrideReason }: Promotion): Html {
  const word = at.replace('_', ' ')
  return overrideReason === null ? state(TONES[at], word) : state('urgent', `emergency: ${word}`)
}

const CHECK_TONES: Readonly<Record<Check['status'], Tone>> = {
  ...{ passed: 'good', failed: 'bad', running: 'waiting', skipped: 'quiet' },
}

export function stateOfCheck(status: Check['status']): Html {
  return state(CHECK_TONES[status], status)
}

/** What is held: `build 45 yanked`, `build 45 and newer held`, `all builds held`. */
export function wordsOfHold({ build, newer, yank }: Hold): string {
  if (build === null) return 'all builds held'
  const which = `build ${String(build)}${newer ? ' and newer' : ''}`
  return yank ? `${which} yanked` : `${which} held`
}

/** `release-manager of shop in staging`. */
export function wordsOfGrant({ role, apps, environments }: Grant): string {
  const of = apps === null ? '' : ` of ${apps.join(', ')}`
  return `${role}${of}${environments === null ? '' : ` in ${environments.join(', ')}`}`
}
