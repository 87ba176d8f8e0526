import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { Overlay } from './overlay.ts'

/** The overlay of an environment by a name from outside. @throws {HubError} `environment.unknown`. */
export function overlayOf(hub: Pick<Hub, 'overlays'>, environment: string): Overlay {
  const overlay = hub.overlays.get(environment)
  if (!overlay) {
    const known = [...hub.overlays.keys()].join(', ')
    throw new HubError(
      'environment.unknown',
      `there is no environment ${JSON.stringify(environment.slice(0, 100))}; there are: ${known}`,
    )
  }
  return overlay
}
