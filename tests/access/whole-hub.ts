/** A hub with one of everything, and callers of every role: what the tests of rights go through. */
import { ROLES } from '../../src/access/rights.ts'
import type { Role } from '../../src/access/rights.ts'
import { queueDeliveries } from '../../src/events/deliver-event.ts'
import { announcementOf, enrolNode, POINT, pointsOf } from '../support/restore-points.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { finished } from '../support/tus.ts'

export const BYTES = tarball({ 'shop/run': 'hi' })
export const BUILD = 45

export interface WholeHub {
  readonly hub: TestHub
  /** What stands in a path for each parameter's name, so that the thing is there. */
  readonly parameters: Readonly<Record<string, string>>
  /** A resumable upload is for who began it: this one for the node, that of `parameters` for the developer. */
  readonly uploadOfNode: string
  /** Secrets of tokens by role, each as far-reaching as its role can be; the node is web1 of staging. */
  readonly tokens: ReadonlyMap<Role, string>
}

export async function createWholeHub(): Promise<WholeHub> {
  const hub = await createTestHub()
  const api = (path: string) => `/api/v1${path}`
  const made = async (path: string, body: object): Promise<string> => {
    const reply = await hub.as().post(api(path)).send(body)
    if (reply.status !== 201) throw new Error(reply.text)
    return (reply.body as { id: string }).id
  }
  const { body } = await hub.upload('shop', BYTES, { build: String(BUILD) })
  const build = `/apps/shop/builds/${String(BUILD)}`
  const check = await made(`${build}/checks`, { stage: 'commit', name: 'lint', status: 'passed' })
  const trust = await made('/apps/shop/trusted-publishers', { provider: 'github', repository: 'acme/shop' })
  await made('/people', { name: 'bob' })
  // It stands for an address that no webhook goes to.
  const webhook = await made('/webhooks', { url: 'http://localhost:9/' })
  await hub.as().put(api('/environments/staging/files/profiles/mine')).send('x')
  await queueDeliveries(hub.hub)
  const deliveries = await hub.as().get(api(`/webhooks/${webhook}/deliveries`))
  const hold = await made('/environments/staging/holds', { app: 'shop', reason: 'not yet' })
  const node = await enrolNode(hub, 'web1')
  const rollback = await keepPoint(hub, node)
  const keys = await hub.as().get(api('/keys'))
  const tokens = new Map<Role, string>()
  for (const role of ROLES)
    tokens.set(
      role,
      role === 'node' ? node : await hub.token(role, role === 'enrol' ? { environments: ['staging'] } : {}),
    )
  const upload = await finished(hub, BYTES, { token: tokens.get('developer') ?? '' })
  const uploadOfNode = await finished(hub, BYTES, { token: node })
  return {
    hub,
    tokens,
    uploadOfNode,
    parameters: {
      ...{ app: 'shop', build: String(BUILD), other: String(BUILD), check, trust, environment: 'staging' },
      ...{ promotion: body.promotions[0].id, release: body.releases[0].id, revision: '2', hold },
      ...{ webhook, delivery: deliveries.body.items[0].id, token: 'tok_none', hex: body.tarball.sha256 },
      ...{ fingerprint: keys.body.items[0].fingerprint, node: 'web1', point: POINT, rollback, upload },
      ...{ person: 'bob', session: 'ses_none' },
      ...{ place: 'dumps', name: 'shop.dump', path: 'profiles/mine' },
    },
  }
}

/** A point that is complete, and a rollback that ended, so that requests for them succeed whatever came before. */
async function keepPoint(hub: TestHub, token: string): Promise<string> {
  const dump = { kind: 'dump', name: 'shop.dump', bytes: BYTES } as const
  const points = pointsOf(hub, 'web1', token)
  await points.announce(announcementOf([dump], { encrypted: true }))
  await points.put(dump)
  await points.complete()
  const asked = await hub.as().post('/api/v1/rollbacks').send({ node: 'web1', app: 'shop' })
  const { id } = asked.body as { id: string }
  await hub.as(token).post(`/api/v1/nodes/web1/rollbacks/${id}/result`).send({ status: 0 })
  return id
}
