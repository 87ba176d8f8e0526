import { BOUNDS } from '../access/rights.ts'
import type { Grant } from '../access/rights.ts'
import { HubError } from '../errors.ts'
import { parseAppName } from '../gentoo/cpv.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'

/**
 * That a grant names environments that there are, apps that there could be, and only bounds that its role keeps: any other
 * would promise a limit that is none.
 * @throws {HubError} `environment.unknown`; `app.invalid_name`; `request.invalid`.
 */
export function checkGrant(hub: Pick<Hub, 'overlays'>, grant: Grant): void {
  for (const environment of grant.environments ?? []) overlayOf(hub, environment)
  for (const app of grant.apps ?? []) parseAppName(app)
  const bounds = BOUNDS[grant.role]
  for (const bound of ['apps', 'environments'] as const) {
    if (bounds.includes(bound) || grant[bound] === null) continue
    const instead = bounds.length === 0 ? '' : `; use ${bounds.join(' and ')}`
    throw new HubError('request.invalid', `the role ${grant.role} is not limited by ${bound}${instead}`)
  }
}
