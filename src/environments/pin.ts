/** Pins: a build that is pinned stays, in the overlays that have released it as in the archive, however old it becomes. */
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { Published } from '../overlays/overlay.ts'
import { publishTogether } from '../overlays/publish-together.ts'
import type { BuildRow } from '../records/builds.ts'
import type { PinRow } from '../records/pins.ts'
import type { Records } from '../records/records.ts'
import { planListing } from './plan-listing.ts'

type Needs = Pick<Hub, 'overlays' | 'records' | 'config' | 'clock'>

export interface PinRequest {
  readonly build: BuildRow
  /** Why; of an end it may be unsaid. */
  readonly reason: string | null
  readonly by: string
  readonly dryRun: boolean
}

export interface Pinned {
  /** The pin, or the one that there was. */
  readonly pin: PinRow
  /** By environment, what became of its overlay: one that had left its list comes back, or leaves it again. */
  readonly published: ReadonlyMap<string, Published>
}

/** @throws {HubError} `pin.exists`. */
export async function pinBuild(
  hub: Needs,
  request: PinRequest & { readonly reason: string },
): Promise<Pinned> {
  const { build, reason, by } = request
  await refusePinned(hub.records, build)
  const pin = {
    ...{ app: build.app, build: build.build, reason, pinnedBy: by },
    pinnedAt: timestamp(hub.clock.now()),
  }
  const published = await publishPin(hub, request, {
    isSet: true,
    record: async (records) => {
      await refusePinned(records, build)
      await records.pins.add(pin)
      await recordChange(records, hub.clock, { type: 'pin.set', ...subjectOf(build), reason })
    },
  })
  return { pin, published }
}

/** Lets retention have the build again. @throws {HubError} `pin.unknown`. */
export async function unpinBuild(hub: Needs, request: PinRequest): Promise<Pinned> {
  const { build, reason } = request
  const pin = await findPin(hub.records, build)
  const published = await publishPin(hub, request, {
    isSet: false,
    record: async (records) => {
      await findPin(records, build)
      await records.pins.remove(build.app, build.build)
      const before = { reason: pin.reason }
      await recordChange(records, hub.clock, { type: 'pin.lifted', ...subjectOf(build), reason, before })
    },
  })
  return { pin, published }
}

async function publishPin(
  hub: Needs,
  { build, by, dryRun }: PinRequest,
  { isSet, record }: { readonly isSet: boolean; readonly record: (records: Records) => Promise<void> },
): Promise<ReadonlyMap<string, Published>> {
  const { app, category, pn, pv } = build
  return await publishTogether(hub, {
    environments: [...hub.overlays.keys()],
    requestFor: (environment) => ({
      author: by,
      message: `${category}/${pn}: ${isSet ? 'keep' : 'no longer keep'} ${pv}\n`,
      plan: async (tree) => await planListing(hub, tree, { environment, apps: [app], pin: { build, isSet } }),
    }),
    record,
    dryRun,
  })
}

function subjectOf({ app, build }: BuildRow) {
  return { subject: `${app}/${String(build)}`, app, build }
}

async function findPin(records: Pick<Records, 'pins'>, { app, build }: BuildRow): Promise<PinRow> {
  const pin = await records.pins.find(app, build)
  if (pin) return pin
  throw new HubError('pin.unknown', `${app} build ${String(build)} is not pinned`)
}

async function refusePinned(records: Pick<Records, 'pins'>, { app, build }: BuildRow): Promise<void> {
  const pin = await records.pins.find(app, build)
  if (pin)
    throw new HubError(
      'pin.exists',
      `${app} build ${String(build)} is pinned since ${pin.pinnedAt} by ${pin.pinnedBy}: ${pin.reason}`,
    )
}
