/** The server process: opens the hub, listens, runs the jobs, and ends cleanly on SIGTERM or SIGINT. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createToken, ensureAdministrator } from './access/tokens.ts'
import type { Config } from './config.ts'
import { resumePromotions } from './environments/promote.ts'
import { createApp } from './http/app.ts'
import { createHub } from './hub.ts'
import type { Hub, HubOverrides } from './hub.ts'
import { reconcileMirrors } from './distfiles/reconcile-mirror.ts'
import { publishSettings } from './overlays/publish-settings.ts'
import { lockDataFolder } from './records/data-folder-lock.ts'
import { pathsOf } from './storage/paths.ts'
import { startJobs } from './jobs/schedule.ts'

/** A connection that moves no byte for so long is dropped; the length of an upload is not limited. */
const IDLE_TIMEOUT_MS = 120_000

export interface RunningHub extends AsyncDisposable {
  readonly hub: Hub
  readonly server: Server
  /** The administrator's token, when this start made it; it is not kept anywhere else. */
  readonly newAdminToken: string | null
}

/**
 * Starts a hub and resolves when it takes requests: what an earlier process left half-done is finished or swept before.
 */
export async function startHub(config: Config, overrides: HubOverrides = {}): Promise<RunningHub> {
  // Disposed backwards: jobs, connections, the hub, and last the lock.
  await using start = new AsyncDisposableStack()
  start.use(
    lockDataFolder(pathsOf(config).lock, `the hub of ${config.publicUrl}, process ${String(process.pid)},`),
  )
  let hub: Hub | null = null
  start.defer(async () => {
    await hub?.[Symbol.asyncDispose]()
  })
  const server = createHttpServer(config)
  start.defer(async () => {
    await close(server)
  })
  hub = await createHub(await listen(server, config), overrides)
  const newAdminToken = await prepare(hub)
  start.defer(startJobs(hub))
  server.on('request', createApp(hub))
  const parts = start.move()
  return {
    hub,
    server,
    newAdminToken,
    async [Symbol.asyncDispose]() {
      await parts.disposeAsync()
    },
  }
}

/** What must be done before the first request; gives the administrator's token if it had to be made. */
async function prepare(hub: Hub): Promise<string | null> {
  await hub.blobs.sweep(async (sha512) => (await hub.records.builds.findByDigest(sha512)).length > 0)
  for (const { name } of hub.config.environments) await publishSettings(hub, name)
  await resumePromotions(hub)
  await reconcileMirrors(hub)
  return await prepareAdministrator(hub)
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

/** Binds first: with port 0 the address that ebuilds name is known only then. */
async function listen(server: Server, config: Config): Promise<Config> {
  server.listen(config.port, config.host)
  await once(server, 'listening')
  if (config.port !== 0) return config
  const { port } = server.address() as AddressInfo
  const publicUrl = config.publicUrl.replace(/:0$/, `:${String(port)}`)
  return Object.freeze({ ...config, port, publicUrl })
}

async function prepareAdministrator(hub: Hub): Promise<string | null> {
  const { adminToken } = hub.config
  if (adminToken !== null) {
    if (!(await ensureAdministrator(hub, adminToken))) {
      hub.log.warn('the token in HUB_ADMIN_TOKEN was revoked and stays so: set another one')
    }
    return null
  }
  if (await hub.records.tokens.hasAdministrator()) return null
  const token = {
    name: 'first administrator',
    role: 'administrator',
    apps: null,
    environments: null,
  } as const
  return (await createToken(hub, { ...token, maySendCommands: true, expiresInSec: null, by: 'first start' }))
    .secret
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
