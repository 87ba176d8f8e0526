/** The server process: opens the hub, listens, runs the jobs, and ends cleanly on SIGTERM or SIGINT. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { EVERYTHING } from './access/rights.ts'
import { createToken, ensureAdministrator } from './access/tokens.ts'
import type { Config } from './config.ts'
import { HubError } from './errors.ts'
import { resumePromotions } from './environments/promote.ts'
import { createFrontDoor } from './http/front-door.ts'
import { createHub } from './hub.ts'
import { makeIdsAfter } from './ids.ts'
import type { Hub, HubOverrides } from './hub.ts'
import { reconcileMirrors } from './distfiles/reconcile-mirror.ts'
import { addPerson } from './people/person.ts'
import { linkAddress, makeSignInLink } from './people/sign-in-link.ts'
import { publishSettings } from './overlays/publish-settings.ts'
import { renewSignature } from './overlays/renew-signature.ts'
import { lockDataFolder } from './records/data-folder-lock.ts'
import { pathsOf } from './storage/paths.ts'
import { collectUploads } from './jobs/collect-uploads.ts'
import { startWebhooks } from './jobs/deliver-webhooks.ts'
import { startFileIndex } from './jobs/index-files.ts'
import { startJobs } from './jobs/schedule.ts'

/** A connection that moves no byte for so long is dropped; the length of an upload is not limited. */
const IDLE_TIMEOUT_MS = 120_000
/** What the system and SQLite say of a disk that is read-only, full or broken, or is somebody else's. */
const NO_WRITES = /^(?:EROFS|EACCES|EPERM|ENOSPC|EDQUOT|EIO|SQLITE_(?:READONLY|CANTOPEN|FULL|IOERR|PERM).*)$/

/** Who sets a hub up signs in as. */
const FIRST_PERSON = 'admin'
const FIRST_LINK_SEC = 86_400

export interface RunningHub extends AsyncDisposable {
  readonly hub: Hub
  readonly server: Server
  /** The administrator's token, when this start made it; it is not kept anywhere else. */
  readonly newAdminToken: string | null
  /** By which the first administrator signs in, once; made with the token. */
  readonly signInLink: string | null
}

/**
 * Starts a hub and resolves when it takes requests: what an earlier process left half-done is finished or swept before.
 */
export async function startHub(config: Config, overrides: HubOverrides = {}): Promise<RunningHub> {
  // Disposed backwards: jobs, connections, the hub, and last the lock.
  await using start = new AsyncDisposableStack()
  start.use(await onDataFolder(config, () => takeDataFolder(config)))
  overrides.steps?.reached('start.locked')
  let hub: Hub | null = null
  start.defer(async () => {
    await hub?.[Symbol.asyncDispose]()
  })
  const server = createHttpServer(config)
  start.defer(async () => {
    await close(server)
  })
  const openDoor = start.adopt(holdRequests(server), (waiting) => {
    waiting.turnAway()
  })
  const listening = await listen(server, config)
  const opened = await onDataFolder(config, async () => await createHub(listening, overrides))
  hub = opened
  hub.steps.reached('start.opened')
  const { newAdminToken, signInLink } = await onDataFolder(config, async () => await prepare(opened))
  if (overrides.jobs !== false) {
    start.defer(startJobs(hub))
    start.defer(startWebhooks(hub))
    start.defer(startFileIndex(hub))
  }
  // They would go on for ever: their connections could not be closed.
  start.defer(async () => {
    await opened.eventStreams.end()
  })
  openDoor.to(createFrontDoor(hub))
  const parts = start.move()
  return {
    hub,
    server,
    newAdminToken,
    signInLink,
    async [Symbol.asyncDispose]() {
      await parts.disposeAsync()
    },
  }
}

function takeDataFolder(config: Config): Disposable {
  return lockDataFolder(
    pathsOf(config).lock,
    `the hub of ${config.publicUrl}, process ${String(process.pid)},`,
  )
}

/** @throws {HubError} `config.invalid` when `work` found that the data folder takes no writes. */
async function onDataFolder<T>(config: Config, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (!NO_WRITES.test(code)) throw error
    throw new HubError(
      'config.invalid',
      `the data folder ${pathsOf(config).data} takes no writes (${message}): see to its disk and its owner, or set HUB_DATA_DIR to another`,
      {},
      { cause: error },
    )
  }
}

type FirstSteps = Pick<RunningHub, 'newAdminToken' | 'signInLink'>

/** What must be done before the first request; gives the administrator's token and link if they had to be made. */
async function prepare(hub: Hub): Promise<FirstSteps> {
  await continueIds(hub)
  await hub.blobs.sweep(async (sha512) => (await hub.records.builds.findByDigest(sha512)).length > 0)
  await hub.binpkgBlobs.sweep(async (sha512) => await hub.records.restorePoints.needsBlob(sha512))
  await collectUploads(hub)
  hub.steps.reached('start.swept')
  for (const { name } of hub.config.environments) {
    await publishSettings(hub, name)
    await renewSignature(hub, name)
  }
  hub.steps.reached('start.settings-published')
  await resumePromotions(hub)
  hub.steps.reached('start.resumed')
  await reconcileMirrors(hub)
  hub.steps.reached('start.mirrored')
  return await prepareAdministrator(hub)
}

/** Histories are ordered by id: what comes now comes last, also where the clock stands behind that of an earlier start. */
async function continueIds({ records, config }: Hub): Promise<void> {
  const newest = { limit: 1, cursor: null, app: null }
  const releases = config.environments.map(
    async ({ name }) => await records.releases.list(name, { ...newest, state: null, sight: EVERYTHING }),
  )
  const promotions = records.promotions.list(
    { app: null, environment: null, sight: EVERYTHING, open: null },
    newest,
  )
  for (const { items } of await Promise.all([...releases, promotions]))
    for (const { id } of items.map((item) => ('release' in item ? item.release : item))) makeIdsAfter(id)
}

function createHttpServer(config: Config): Server {
  const { tlsCert, tlsKey } = config
  const server =
    tlsCert !== null && tlsKey !== null
      ? createTlsServer({ cert: readFileSync(tlsCert), key: readFileSync(tlsKey) })
      : createServer()
  // Node would end any request after five minutes: a large upload over a slow line takes longer.
  server.requestTimeout = 0
  server.headersTimeout = 60_000
  server.keepAliveTimeout = 65_000
  server.setTimeout(IDLE_TIMEOUT_MS)
  return server
}

interface Waiting {
  /** Lets in who waits and whoever comes. */
  to(listener: RequestListener): void
  /** Ends the connections of those who still wait. */
  turnAway(): void
}

/** Requests that come while the hub gets ready wait for it: nodes poll all the time, and a start may take its time. */
function holdRequests(server: Server): Waiting {
  const waiting: Parameters<RequestListener>[] = []
  const hold: RequestListener = (...exchange) => {
    waiting.push(exchange)
  }
  server.on('request', hold)
  return {
    to(listener) {
      server.off('request', hold)
      server.on('request', listener)
      for (const exchange of waiting.splice(0)) listener(...exchange)
    },
    turnAway() {
      for (const [request] of waiting.splice(0)) request.destroy()
    },
  }
}

/** Binds first: with port 0 the address that ebuilds name is known only then. */
async function listen(server: Server, config: Config): Promise<Config> {
  server.listen(config.port, config.host)
  await once(server, 'listening')
  if (config.port !== 0) return config
  const { port } = server.address() as AddressInfo
  const publicUrl = config.publicUrl.replace(/:0$/, `:${String(port)}`)
  return Object.freeze({ ...config, port, publicUrl })
}

async function prepareAdministrator(hub: Hub): Promise<FirstSteps> {
  const { adminToken } = hub.config
  if (adminToken !== null) {
    if (!(await ensureAdministrator(hub, adminToken))) {
      hub.log.warn('the token in HUB_ADMIN_TOKEN was revoked and stays so: set another one')
    }
    return { newAdminToken: null, signInLink: null }
  }
  if (await hub.records.tokens.hasAdministrator()) return { newAdminToken: null, signInLink: null }
  const all = { apps: null, environments: null }
  const grants = [{ role: 'administrator', ...all } as const]
  const by = 'first start'
  const person =
    (await hub.records.people.findByName(FIRST_PERSON)) ??
    (await addPerson(hub, { name: FIRST_PERSON, fullName: null, grants, identity: null, by, dryRun: false }))
  const wanted = { person, expiresInSec: FIRST_LINK_SEC, by, dryRun: false }
  const link = await makeSignInLink(hub, wanted)
  const token = { name: 'first administrator', role: 'administrator', ...all, maySendCommands: true } as const
  // Last: a start that was cut short before makes all of it again.
  const { secret } = await createToken(hub, { ...token, expiresInSec: null, by, owner: person.id })
  return { newAdminToken: secret, signInLink: linkAddress(hub, link.secret) }
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  server.closeIdleConnections()
  // Whoever is in the middle of something may finish it, but not for ever.
  const hurry = setTimeout(() => {
    server.closeAllConnections()
  }, 10_000)
  await closed
  clearTimeout(hurry)
}
