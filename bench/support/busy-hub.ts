/**
 * A hub over a large archive with all that pages show: nodes that run something, promotions of production, people. What an
 * API call makes is made by one; promotions that have ended are written as rows, since publishing thousands takes long.
 */
import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { systemClock, timestamp } from '../../src/clock.ts'
import { loadConfig } from '../../src/config.ts'
import { newPromotion, policyFor } from '../../src/environments/promotion.ts'
import { reportOf } from '../../tests/support/node-reports.ts'
import { announcementOf } from '../../tests/support/restore-points.ts'
import { ArchiveRows } from './archive-rows.ts'
import type { GrownArchive } from './growth-folder.ts'
import { ask } from './http-client.ts'
import { startBenchHub } from './hub.ts'
import type { BenchHub } from './hub.ts'
import { appName } from './overlay-of-apps.ts'

const ADMIN_TOKEN = 'the-administrator-of-this-measurement'
const PRODUCTION = 'production'
const PACKAGES_OF_A_NODE = 6
const NODES_WITH_POINT = 20
/** Apps that something of is in production, and that something waits of. */
const PROMOTED = 300
const WAITING = 100
const HELD = 20
const DUMP = { kind: 'dump', name: 'app.dump', bytes: Buffer.alloc(2048, 'x') } as const
const ENDS = ['refused', 'cancelled', 'superseded'] as const

export interface Busy {
  readonly archive: GrownArchive
  /** A new data folder. */
  readonly folder: string
  readonly nodes: number
  readonly promotions: number
  readonly profile: string | null
}

/** Somebody who has signed in, and looks. */
export interface Looker extends AsyncDisposable {
  url(path: string): string
  /** @param bytes of the body as it came, compressed. @throws {Error} for anything but 200. */
  look(path: string): Promise<{ readonly ms: number; readonly bytes: number }>
  /** What stands in an address for each parameter of a route; another thing each time. */
  parameters(count: number): Readonly<Record<string, string>>
}

export async function busyHub(busy: Busy): Promise<Looker> {
  const { archive, folder, profile } = busy
  await linkFolder(archive.folder, folder)
  const start = { folder, env: archive.env, adminToken: ADMIN_TOKEN }
  {
    // It brings the tables to their newest form.
    await using _hub = await startBenchHub(start)
  }
  addEndedPromotions(busy)
  const found = await fillByApi(await startBenchHub(start), busy)
  const hub = await startBenchHub({ ...start, profile })
  const cookie = await signIn(hub)
  return {
    url: (path) => hub.url + path,
    async look(path) {
      // Those who have signed in are sent on from there.
      const mine = path.startsWith('/sign-in') ? {} : { Cookie: cookie }
      const headers = { ...mine, Accept: 'text/html', 'Accept-Encoding': 'gzip, br' }
      const started = performance.now()
      const first = await ask({ url: hub.url + path, headers })
      // Where it leads to another address, who looks goes there.
      const { status, body } =
        first.status === 303 ? await ask({ url: hub.url + String(first.headers.location), headers }) : first
      const ms = performance.now() - started
      if (status !== 200) throw new Error(`${path} answered ${status}`)
      return { ms, bytes: body.byteLength }
    },
    parameters: (count) => parametersOf(busy, found, count),
    [Symbol.asyncDispose]: async () => await hub[Symbol.asyncDispose](),
  }
}

/** Tarballs and packs never change, so that links to them will do; the records are the copy's own. */
async function linkFolder(from: string, to: string): Promise<void> {
  const run = promisify(execFile)
  await mkdir(to, { recursive: true })
  await run('cp', ['-al', `${from}/.`, to])
  await rm(join(to, 'var'), { recursive: true })
  await run('cp', ['-a', join(from, 'var'), join(to, 'var')])
}

function addEndedPromotions({ archive, folder, promotions }: Busy): void {
  const { config } = loadConfig({
    HUB_CONFIG: '',
    HUB_PORT: '0',
    ...archive.env,
    HUB_DATA_DIR: folder,
    HUB_ADMIN_TOKEN: 'x',
  })
  using rows = new ArchiveRows(config)
  rows.transaction(() => {
    for (let at = 0; at < promotions; at++) {
      const build = { app: appName(at % archive.apps), build: 1 }
      const row = newPromotion(
        { clock: systemClock },
        { build, environment: PRODUCTION, by: policyFor(null) },
      )
      const finishedAt = timestamp(systemClock.now())
      rows.add('promotions', {
        ...row,
        state: ENDS[at % ENDS.length] ?? 'refused',
        finishedAt,
        detail: 'not this one',
      })
    }
  })
}

interface Found {
  readonly promotions: readonly string[]
  readonly webhook: string
  readonly delivery: string
}

/** Releases in production, what waits there, holds, checks, nodes and their points, a webhook. */
async function fillByApi(hub: BenchHub, busy: Busy): Promise<Found> {
  await using _hub = hub
  const { apps } = busy.archive
  const promote = async (app: string, build: number) =>
    await hub.api<{ id: string }>('POST', '/api/v1/promotions', { app, build, environment: PRODUCTION })
  for (let at = 0; at < Math.min(PROMOTED, apps); at++) await promote(appName(at), 1)
  await hub.api('PUT', `/api/v1/environments/${PRODUCTION}/policy`, {
    ...{ promote: 'request', approvals: { count: 1, roles: ['approver'] } },
    checks: { commit: ['unit'], acceptance: [], manual: [] },
  })
  const waiting: string[] = []
  for (let at = 0; at < Math.min(WAITING, apps); at++) {
    const path = `/api/v1/apps/${appName(at)}/builds/2/checks`
    for (const name of ['unit', 'lint', 'docs'])
      await hub.api('POST', path, { stage: 'commit', name, status: 'passed', summary: '412 tests' })
    waiting.push((await promote(appName(at), 2)).id)
  }
  for (let at = 0; at < Math.min(HELD, apps); at++)
    await hub.api('POST', '/api/v1/holds', { app: appName(apps - 1 - at), reason: 'not before the sale' })
  for (let at = 0; at < busy.nodes; at++) await addNode(hub, busy, at)
  await hub.api('POST', '/api/v1/people', { name: 'bob' })
  const { id } = await hub.api<{ id: string }>('POST', '/api/v1/webhooks', { url: 'http://localhost:9/' })
  await hub.api('POST', '/api/v1/holds', { app: appName(0), build: 1, reason: 'not before the sale' })
  return { promotions: waiting, webhook: id, delivery: await deliveryOf(hub, id) }
}

/** The first that is waiting to be sent: it is made soon after the change. */
async function deliveryOf(hub: BenchHub, webhook: string): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    const path = `/api/v1/webhooks/${webhook}/deliveries`
    const [first] = (await hub.api<{ items: { id: string }[] }>('GET', path)).items
    if (first) return first.id
    await sleep(100)
  }
  throw new Error('nothing is delivered to the webhook')
}

async function addNode(hub: BenchHub, { archive }: Busy, at: number): Promise<void> {
  const environment = at % 2 === 0 ? PRODUCTION : 'staging'
  const node = { name: nodeName(at), environment }
  const { token } = await hub.api<{ token: string }>('POST', '/api/v1/nodes', node)
  const packages = Array.from({ length: PACKAGES_OF_A_NODE }, (_, index) => {
    const app = appOf(archive, at + index)
    return `app-hub/${app}-1.${index === 0 ? 2 : 1}.0_p${index === 0 ? 2 : 1}`
  })
  const headersOf = (body: object) => ({
    Authorization: `Bearer ${token}`,
    'Content-Type': Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json',
  })
  const send = async (path: string, body: object | Buffer, method = 'POST') => {
    const url = `${hub.url}/api/v1/nodes/${node.name}${path}`
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
    const reply = await ask({ url, method, headers: headersOf(body), body: bytes })
    if (reply.status >= 300)
      throw new Error(`${path} of ${node.name} answered ${reply.status}: ${reply.body.toString()}`)
  }
  await send('/report', reportOf(packages))
  if (at >= NODES_WITH_POINT) return
  await send(
    '/restore-points',
    announcementOf([DUMP], { id: pointOf(at), app: appOf(archive, at), cpv: packages[0], encrypted: true }),
  )
  await send(`/restore-points/${pointOf(at)}/dumps/${DUMP.name}`, DUMP.bytes, 'PUT')
  await send(`/restore-points/${pointOf(at)}/complete`, {})
}

/** Far from each other in every list. */
const appOf = ({ apps }: GrownArchive, at: number): string => appName((at * 37) % apps)
const nodeName = (at: number): string => `node-${String(at + 1).padStart(4, '0')}`
const pointOf = (at: number): string => `rp_20260102T030405Z_${String(at).padStart(6, '0')}`

async function signIn(hub: BenchHub): Promise<string> {
  await hub.api('POST', '/api/v1/people', {
    name: 'looker',
    grants: [{ role: 'administrator', apps: null, environments: null }],
  })
  const { link } = await hub.api<{ link: string }>('POST', '/api/v1/people/looker/link', {})
  const headers = { 'Content-Type': 'application/json', Origin: hub.url, 'Sec-Fetch-Site': 'same-origin' }
  const body = Buffer.from(JSON.stringify({ link }))
  const reply = await ask({ url: `${hub.url}/api/v1/sign-in/link`, method: 'POST', headers, body })
  const [cookie = ''] = reply.headers['set-cookie'] ?? []
  if (reply.status !== 200) throw new Error(`signing in answered ${reply.status}: ${reply.body.toString()}`)
  return cookie.split(';')[0] ?? ''
}

function parametersOf(
  { archive, nodes }: Busy,
  found: Found,
  count: number,
): Readonly<Record<string, string>> {
  // Those whose node keeps a restore point of the app.
  const at = count % Math.min(NODES_WITH_POINT, nodes)
  return {
    ...{ app: appOf(archive, at), build: '2', other: '1', path: 'release/bin/run', inside: 'bin/run' },
    ...{ environment: count % 2 === 0 ? 'staging' : PRODUCTION, person: 'bob', webhook: found.webhook },
    delivery: found.delivery,
    promotion: found.promotions[count % found.promotions.length] ?? '',
    revision: String(1 + ((count * 13) % Math.min(archive.apps, PROMOTED))),
    ...{ node: nodeName(at), point: pointOf(at) },
  }
}
