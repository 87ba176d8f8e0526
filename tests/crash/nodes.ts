/** Clients that are nodes: each enrols, keeps restore points at the hub, fetches from its binhost, reports and goes back. */
import { createHash } from 'node:crypto'
import type { RawReply, RawRequest } from '../support/raw-http.ts'
import { announcementOf } from '../support/restore-points.ts'
import { reportOf } from '../support/node-reports.ts'
import { change, jsonRequest } from './change.ts'
import type { SentNode, SentPoint } from './fleet-ledger.ts'
import { Uncertain } from './fleet-ledger.ts'
import { packBuild } from './pack-build.ts'
import { ask, found } from './requests.ts'
import type { Client, World } from './requests.ts'
import { byPut, uploader } from './uploaders.ts'

export const NODES = ['web1', 'web2'] as const
const PLACES = { binpkg: 'binpkgs', dump: 'dumps', info: 'infos' } as const
/** A node has at most so many complete ones; the oldest goes then. */
const MOST_POINTS = 3

/** One request, or two, of a node: the next step of the point that is under way, or anything else that nodes do. */
export function nodeClient(name: (typeof NODES)[number]): Client {
  return async (world) => {
    const node = world.ledger.fleet.node(name)
    const token = node.token
    if (token === null) {
      await enrol(world, node)
      return
    }
    const own = { node, token }
    const open = node.points.find(({ state, isGoing }) => !isGoing && !state.is('complete'))
    const complete = node.points.filter(({ state }) => state.is('complete'))
    if (open) await goOn(world, own, open)
    else if (complete.length > MOST_POINTS) await remove(world, node, complete[0] as SentPoint)
    else if (complete.length === 0 || world.random.chance(0.4)) await begin(world, node)
    else await (world.random.pick(OTHERS) as Other)(world, own, world.random.pick(complete) as SentPoint)
  }
}

interface Own {
  readonly node: SentNode
  readonly token: string
}

type Other = (world: World, own: Own, complete: SentPoint) => Promise<void>

const OTHERS: readonly Other[] = [
  fetchBack,
  fetchBack,
  pry,
  report,
  report,
  wish,
  goBack,
  goBack,
  leaveSeldom,
]

/** A name whose token was never told is taken away first: nobody else can have it. */
async function enrol(world: World, node: SentNode): Promise<void> {
  const { state, name, report: reported } = node
  if (state.possible.has('enrolled')) {
    const request = { method: 'DELETE', path: `/api/v1/nodes/${name}` }
    await change(world, { of: state, to: 'left', request, unless: ['node.unknown'] })
    if (state.possible.has('enrolled')) state.settle('absent')
    return
  }
  const before = reported.possible
  // It has not reported since.
  reported.expectAlso(null)
  const request = jsonRequest('POST', '/api/v1/nodes', { name, environment: 'staging' })
  const reply = await change(world, { of: state, to: 'enrolled', request })
  if (reply) reported.settle(null)
  else reported.possible = before
  node.token = (reply?.json['token'] as string | undefined) ?? null
}

/** A point of a build that is there; what it is of is asked for each time, as a node reads its own disk. */
async function begin(world: World, node: SentNode): Promise<void> {
  const { ledger, random, folder } = world
  const build = random.pick(ledger.acknowledgedBuilds())
  if (!build) {
    // Without one there is nothing to keep: an act that does nothing would only use up the acts.
    await uploader('by-node', byPut)(world)
    return
  }
  const number = ledger.fleet.next()
  const packed = await packBuild(world, build, folder)
  if (!packed) return
  const dump = { kind: 'dump', name: 'app.dump', bytes: random.bytes(50) } as const
  const files = random.chance(0.5) ? [packed.file, dump] : [packed.file]
  const id = `rp_20260102T${String(100000 + number)}Z_${random.bytes(3).toString('hex')}`
  const announcement = announcementOf(files, { id, app: build.app, cpv: packed.cpv })
  const [first, ...rest] = announcement.files
  const byReference = random.chance(0.5)
  node.points.push({
    ...{ id, app: build.app, files, state: new Uncertain('absent' as const), received: new Set() },
    ...{ metadata: byReference ? packed.metadata : null, binpkg: null, isGoing: false },
    announcement: byReference
      ? { ...announcement, files: [{ ...first, image: packed.image }, ...rest] }
      : announcement,
  })
}

/** The next step: announced, then a file after the other, then complete. */
async function goOn(world: World, { node, token }: Own, point: SentPoint): Promise<void> {
  const points = `/api/v1/nodes/${node.name}/restore-points`
  if (!point.state.is('announced')) {
    const request = jsonRequest('POST', points, point.announcement, token)
    await change(world, { of: point.state, to: 'announced', request })
    return
  }
  const missing = point.files.find((file) => !point.received.has(file))
  if (!missing) {
    await complete(world, { node, token }, point)
    return
  }
  const isPart = missing.kind === 'binpkg' && point.metadata !== null
  const place = isPart ? 'metadata' : PLACES[missing.kind]
  const request: RawRequest = {
    ...{ method: 'PUT', path: `${points}/${point.id}/${place}/${missing.name}`, token },
    ...{ headers: { 'Content-Type': 'application/octet-stream' } },
    body: (isPart ? point.metadata : null) ?? missing.bytes,
  }
  const reply = await ask(world, request)
  if (reply.status === 200 || reply.status === 201) {
    point.received.add(missing)
    world.ledger.heard()
    return
  }
  if (!isPart || reply.json['code'] !== 'restore_point.image_missing') found(world, request, reply)
  // The whole file is wanted.
  point.metadata = null
}

async function complete(world: World, { node, token }: Own, point: SentPoint): Promise<void> {
  const path = `/api/v1/nodes/${node.name}/restore-points/${point.id}/complete`
  const reply = await change(world, {
    of: point.state,
    to: 'complete',
    request: { method: 'POST', path, token },
  })
  if (reply) [point.binpkg = null] = reply.json['binpkgs'] as SentPoint['binpkg'][]
}

/** The index, and the package and the dump of a point that was told to be complete. */
async function fetchBack(world: World, own: Own, point: SentPoint): Promise<void> {
  const { node, token } = own
  if (!point.binpkg) {
    await complete(world, own, point)
    return
  }
  const { path, sizeBytes, sha512 } = point.binpkg
  const binhost = `/binhost/nodes/${node.name}`
  const index = await ask(world, { path: `${binhost}/Packages`, token })
  const entry = index.text.split('\n\n').find((block) => block.includes(`\nPATH: ${path}\n`))
  if (!entry?.includes(`\nSIZE: ${String(sizeBytes)}\n`))
    found(world, { path: `${binhost}/Packages, ${path}` }, index)
  const fetched = await ask(world, { path: `${binhost}/${path}`, token })
  if (sha512Of(fetched.body) !== sha512) found(world, { path: `${binhost}/${path}` }, fetched)
  const dump = point.files.find(({ kind }) => kind === 'dump')
  if (!dump) return
  const request = { path: `/api/v1/nodes/${node.name}/restore-points/${point.id}/dumps/${dump.name}`, token }
  const reply = await ask(world, request)
  if (!reply.body.equals(dump.bytes)) found(world, request, reply)
}

/** What another node has is not for this one. */
async function pry(world: World, { node, token }: Own): Promise<void> {
  const other = NODES.find((name) => name !== node.name) ?? ''
  for (const path of [`/binhost/nodes/${other}/Packages`, `/api/v1/nodes/${other}/restore-points`]) {
    const reply = await ask(world, { path, token })
    if (reply.status !== 403) found(world, { path }, reply)
  }
}

async function report(world: World, { node, token }: Own): Promise<void> {
  const revision = world.ledger.fleet.next()
  const body = reportOf([], { sync: { at: null, revision, commit: null } })
  const request = jsonRequest('POST', `/api/v1/nodes/${node.name}/report`, body, token)
  await change(world, { of: node.report, to: revision, request })
}

/** An administrator asks for a rollback. One that waits already is another answer's. */
async function wish(world: World, { node }: Own, { app }: SentPoint): Promise<void> {
  const request = jsonRequest('POST', '/api/v1/rollbacks', { node: node.name, app })
  const reply = await ask(world, request)
  if (reply.status === 201) {
    world.ledger.fleet.rollbacks.set(reply.json['id'] as string, new Uncertain('requested'))
    world.ledger.heard()
  } else if (reply.json['code'] !== 'rollback.open') found(world, request, reply)
}

/** What waits for the node, which says that it went back. */
async function goBack(world: World, { node, token }: Own): Promise<void> {
  const reply = await ask(world, { path: `/api/v1/nodes/${node.name}/rollbacks?state=requested`, token })
  const [first] = reply.json['items'] as { readonly id: string }[]
  if (!first) return
  const { rollbacks } = world.ledger.fleet
  const state = rollbacks.get(first.id) ?? new Uncertain('requested')
  rollbacks.set(first.id, state)
  const path = `/api/v1/nodes/${node.name}/rollbacks/${first.id}/result`
  await change(world, { of: state, to: 'done', request: jsonRequest('POST', path, { status: 0 }, token) })
}

/** Its token is dead from then on, and its restore points stay. */
async function leaveSeldom(world: World, { node, token }: Own): Promise<void> {
  if (!world.random.chance(0.6)) return
  const request = { method: 'DELETE', path: `/api/v1/nodes/${node.name}`, token }
  if (await change(world, { of: node.state, to: 'left', request })) node.token = null
}

/** By an administrator. One that a rollback waits for stays. */
async function remove(world: World, node: SentNode, point: SentPoint): Promise<void> {
  point.isGoing = true
  const path = `/api/v1/nodes/${node.name}/restore-points/${point.id}`
  const request = { method: 'DELETE', path: `${path}?newest=true` }
  const reply: RawReply | null = await change(world, {
    ...{ of: point.state, to: 'absent', request, unless: ['restore_point.needed'] },
  })
  if (!reply) {
    point.isGoing = false
    // So that it does not stand in the way of the next.
    await goBack(world, { node, token: node.token ?? '' })
  }
}

function sha512Of(bytes: Buffer): string {
  return createHash('sha512').update(bytes).digest('hex')
}
