/** Wiring: makes every part and hands them to each other. The one file that knows every class. */
import { pathsOf } from './storage/paths.ts'
import type { Paths } from './storage/paths.ts'
import { BlobStore } from './storage/blob-store.ts'
import { GitRepository } from './storage/git-repository.ts'
import { PartialUploads } from './storage/partial-uploads.ts'
import { HubKeys } from './storage/hub-keys.ts'
import type { KeyRing } from './storage/key-ring.ts'
import { TreeStore } from './storage/tree-store.ts'
import { openWebhookKey } from './storage/webhook-key.ts'
import { openSqlite } from './records/database.ts'
import { migrate } from './records/migrate.ts'
import { Records } from './records/records.ts'
import { DEFAULT_ARCHIVE_LIMITS } from './builds/archive-limits.ts'
import type { ArchiveLimits } from './builds/archive-limits.ts'
import { HealthWatch } from './jobs/health-watch.ts'
import { JobRuns } from './jobs/job-runs.ts'
import { StorageWatch } from './jobs/storage-watch.ts'
import { Binhosts } from './binpkgs/binhosts.ts'
import { OpenIdProvider } from './people/openid-provider.ts'
import { Passwords } from './people/password-hash.ts'
import { SignInAttempts } from './people/sign-in-attempts.ts'
import { Overlay } from './overlays/overlay.ts'
import { StandingBuilds } from './environments/standing-builds.ts'
import { OverlayZips } from './overlays/overlay-zips.ts'
import { followWithTree } from './overlays/write-tree.ts'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { readHubNodeProgram } from './hub-node-program.ts'
import { createLog } from './log.ts'
import type { Logger } from './log.ts'
import { REAL_DISK } from './storage/disk.ts'
import type { Disk } from './storage/disk.ts'
import { UNWATCHED } from './steps.ts'
import type { Steps } from './steps.ts'
import { EventStreams } from './events/event-streams.ts'
import { ChainWatch } from './audit/chain-watch.ts'
import { IssuerKeys } from './access/issuer-keys.ts'
import { providerFetch } from './access/provider-fetch.ts'
import { Arrivals } from './nodes/arrivals.ts'
import { Turns } from './turns.ts'

/** Everything a room may ask for; each function takes only what it needs of it. */
export interface Hub extends AsyncDisposable {
  readonly config: Config
  readonly clock: Clock
  readonly log: Logger
  /** Takes no notice, but in tests. */
  readonly steps: Steps
  readonly paths: Paths
  readonly records: Records
  readonly blobs: BlobStore
  readonly partialUploads: PartialUploads
  readonly trees: TreeStore
  /** What restore points brought. */
  readonly binpkgBlobs: BlobStore
  readonly keys: HubKeys
  /** Sign commits of overlays. */
  readonly overlayKeys: KeyRing
  /** Sign binary packages. */
  readonly binhostKeys: KeyRing
  /** Of which the secrets of webhooks are made. */
  readonly webhookKey: Buffer
  /** Of those whose identities apps trust. */
  readonly issuerKeys: IssuerKeys
  /** That people sign in with. */
  readonly openIdProvider: OpenIdProvider
  readonly binhosts: Binhosts
  readonly limits: ArchiveLimits
  /** The program of nodes, to be published in each overlay; null: none came with this hub. */
  readonly hubNode: Buffer | null
  /** When the chain of the audit was followed last, and what was found. */
  readonly chainWatch: ChainWatch
  readonly startedAt: Date
  /** What was done by the clock since then. */
  readonly jobRuns: JobRuns
  /** Whether all is well. */
  readonly healthWatch: HealthWatch
  /** What takes how much space. */
  readonly storageWatch: StorageWatch
  /** Serialises work in this process by what it is about. */
  readonly turns: Turns
  readonly passwords: Passwords
  /** To sign in, that failed. */
  readonly signInAttempts: SignInAttempts
  /** Of files of restore points. */
  readonly arrivals: Arrivals
  /** Who follows the events. */
  readonly eventStreams: EventStreams
  /** By environment, in the order of promotion. */
  readonly overlays: ReadonlyMap<string, Overlay>
  readonly zips: OverlayZips
  /** What stands in each environment. */
  readonly standing: StandingBuilds
  /** Resolves when the folders of published trees show what is published. */
  settled(): Promise<void>
}

/** What a test puts in place of the hub's own. */
export type HubOverrides = Partial<Pick<Hub, 'clock' | 'log' | 'steps' | 'hubNode' | 'passwords'>> & {
  readonly disk?: Disk
  /** false: nothing is done by the clock, but what the test calls itself. */
  readonly jobs?: boolean
}

/** Opens the hub on its data folder: brings the database up to date and each overlay up to its records. */
export async function createHub(config: Config, overrides: HubOverrides = {}): Promise<Hub> {
  const clock = overrides.clock ?? systemClock
  const log = overrides.log ?? createLog(config.logLevel)
  const steps = overrides.steps ?? UNWATCHED
  const onDisk = { disk: overrides.disk ?? REAL_DISK, steps }
  const paths = pathsOf(config)
  const database = openSqlite(paths.inData(config.databaseUrl.slice('sqlite:'.length)))
  await migrate(database)
  const records = new Records(database)
  const blobs = await BlobStore.open(paths, onDisk)
  const partialUploads = await PartialUploads.open(paths, onDisk)
  const binpkgBlobs = await BlobStore.open({ ...paths, ...paths.binpkgs }, { ...onDisk, isPrivate: true })
  const name = `Portage Hub (${config.overlayPrefix})`
  const keyNames = { overlay: name, binhost: `${name} binary packages` }
  const keys = await HubKeys.open(paths.keys, keyNames, clock)
  const rings = { overlayKeys: keys.overlay, binhostKeys: keys.binhost }
  const trees = new TreeStore(paths, onDisk)
  const webhookKey = await openWebhookKey(paths.webhookKey)
  const kept = { records, blobs, binpkgBlobs, partialUploads, keys, webhookKey, ...rings, trees }
  const parts = { config, clock, log, steps, paths, ...kept }
  const overlays = new Map<string, Overlay>()
  for (const { name } of config.environments) {
    const repository = await GitRepository.open(paths.overlayRepository(name), onDisk)
    await repository.sweep()
    overlays.set(name, await Overlay.open(parts, name, repository))
  }
  const caughtUp = [...overlays.values()].map((overlay) => followWithTree(parts, overlay))
  const settled = async (): Promise<void> => {
    await Promise.all(caughtUp.map(async (wait) => await wait()))
  }
  const askProvider = providerFetch(config.identityAllow)
  const watches = { chainWatch: new ChainWatch(parts), jobRuns: new JobRuns(clock) }
  const limits = {
    ...DEFAULT_ARCHIVE_LIMITS,
    maxEntries: config.maxEntries,
    maxUnpackedBytes: config.maxUnpackedBytes,
  }
  return {
    ...parts,
    limits,
    hubNode: overrides.hubNode === undefined ? readHubNodeProgram() : overrides.hubNode,
    ...watches,
    startedAt: clock.now(),
    healthWatch: new HealthWatch({ ...parts, ...watches }),
    storageWatch: new StorageWatch(parts),
    turns: new Turns(),
    issuerKeys: new IssuerKeys(clock, askProvider),
    openIdProvider: new OpenIdProvider({ clock, config }, askProvider),
    passwords: overrides.passwords ?? new Passwords(),
    signInAttempts: new SignInAttempts(clock),
    arrivals: new Arrivals(),
    eventStreams: new EventStreams(),
    overlays,
    zips: new OverlayZips(parts),
    standing: new StandingBuilds(records),
    binhosts: new Binhosts(parts),
    settled,
    async [Symbol.asyncDispose]() {
      await partialUploads[Symbol.asyncDispose]()
      await settled()
      await records[Symbol.asyncDispose]()
    },
  }
}
