/**
 * `/distfiles/<environment>/`: the mirror, in all three layouts at once. A plain `thirdpartymirrors` entry asks for
 * the name alone; GENTOO_MIRRORS appends `distfiles/` and follows `layout.conf` (GLEP 75).
 */
import { HubError } from '../errors.ts'
import { contentHashPath, filenameHashPath, renderDistfilesLayoutConf } from '../gentoo/layout-conf.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { Overlay } from '../overlays/overlay.ts'
import type { BuildRow } from '../records/builds.ts'
import { authorizeReading } from './auth.ts'
import type { Door } from './node-door.ts'
import type { BlobSender } from './send-blob.ts'

export function distfileDoor(hub: Hub, blobs: BlobSender): Door {
  const distfiles = new KnownDistfiles(hub)
  const layoutConf = renderDistfilesLayoutConf()
  return async (visit) => {
    const { method } = visit.request
    if (visit.segments.length < 3 || (method !== 'GET' && method !== 'HEAD')) return false
    const environment = visit.segments[1] ?? ''
    authorizeReading(hub, visit.principal, environment)
    const overlay = overlayOf(hub, environment)
    const path = visit.segments.slice(visit.segments[2] === 'distfiles' ? 3 : 2).join('/')
    if (path === 'layout.conf') {
      visit.answer(
        200,
        { 'Cache-Control': 'no-cache', 'Content-Type': 'text/plain; charset=utf-8' },
        layoutConf,
      )
      return true
    }
    await blobs.send(visit, await distfiles.find(overlay, path))
    return true
  }
}

/**
 * What was found in the records for a path. What an environment has released stays in its mirror, and other names come
 * with a revision: so a path is looked up once per revision.
 */
class KnownDistfiles {
  readonly #hub: Pick<Hub, 'records'>
  readonly #known = new WeakMap<object, Map<string, BuildRow>>()

  constructor(hub: Pick<Hub, 'records'>) {
    this.#hub = hub
  }

  /** @throws {HubError} `distfile.unknown`. */
  async find({ environment, state }: Overlay, path: string): Promise<BuildRow> {
    const known = this.#of(state)
    const build = known?.get(path) ?? (await this.#look(environment, path))
    if (!build) {
      throw new HubError(
        'distfile.unknown',
        `the mirror of ${environment} has no ${JSON.stringify(path.slice(0, 200))}`,
      )
    }
    known?.set(path, build)
    return build
  }

  #of(state: object | null): Map<string, BuildRow> | undefined {
    if (state === null) return undefined
    const known = this.#known.get(state) ?? new Map<string, BuildRow>()
    this.#known.set(state, known)
    return known
  }

  async #look(environment: string, path: string): Promise<BuildRow | undefined> {
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (/^[0-9a-f]{128}$/.test(name)) {
      return path === contentHashPath(name)
        ? await this.#hub.records.releases.findDistfileBySha512(environment, name)
        : undefined
    }
    const build = await this.#hub.records.releases.findDistfile(environment, name)
    return build && (path === name || path === filenameHashPath(name)) ? build : undefined
  }
}
