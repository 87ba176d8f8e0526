/** A hub on which something of everything has happened, for browsers to look at. */
import { queueDeliveries } from '../../../src/events/deliver-event.ts'
import { addSomebody, ALL, CHEAP } from '../../support/browser.ts'
import { packageOf, reportOf } from '../../support/node-reports.ts'
import { announcementOf, enrolNode, POINT, pointsOf } from '../../support/restore-points.ts'
import { tarball } from '../../support/tarballs.ts'
import { createTestHub } from '../../support/test-hub.ts'
import type { TestHub } from '../../support/test-hub.ts'

/** Words that people and machines give, each by what it is about; a hostile hub says something else. */
export type Words = (plain: string) => string

export interface LivedInHub extends AsyncDisposable {
  readonly hub: TestHub
  /** What stands in an address for each parameter of its route, so that the thing is there. */
  readonly parameters: Readonly<Record<string, string>>
  /** How many of the words were refused, and so said plainly. */
  readonly refused: readonly string[]
}

type Body = Readonly<Record<string, unknown>>

/** A way to ask of the hub what it may refuse: first with other words, then plainly. */
class Asking {
  readonly refused: string[] = []
  readonly #hub: TestHub
  readonly #words: Words

  constructor(hub: TestHub, words: Words) {
    this.#hub = hub
    this.#words = words
  }

  /** `said` is made twice at most. @throws if it is refused plainly too */
  async say(method: 'post' | 'put' | 'patch', path: string, said: (words: Words) => object, token?: string) {
    const send = async (words: Words) => await this.#hub.as(token)[method](`/api/v1${path}`).send(said(words))
    const reply = await send(this.#words)
    if (reply.status < 300) return reply.body as Body
    this.refused.push(`${path}: ${(reply.body as { code?: string }).code ?? ''}`)
    const plain = await send((word) => word)
    if (plain.status >= 300) throw new Error(`${path}: ${plain.text}`)
    return plain.body as Body
  }

  async upload(app: string, build: number, files: Readonly<Record<string, string>>): Promise<Body> {
    const fields = (words: Words) => ({
      ...{ build: String(build), version: `1.${String(build)}.0` },
      ...{ commit: 'c0ffee0123456789abcdef0123456789abcdef01', branch: words('main') },
      ...{ ciUrl: `https://ci.example/job/${String(build)}?a=1&b=2` },
      recipe: JSON.stringify({ description: words(`The ${app}`), homepage: 'https://shop.example/' }),
    })
    const named = (words: Words) =>
      Object.fromEntries(Object.entries(files).map(([name, text]) => [words(name), words(text)]))
    for (const [words, names] of [
      [this.#words, this.#words],
      [plainly, this.#words],
      [plainly, plainly],
    ] as const) {
      const reply = await this.#hub.upload(app, tarball(named(names)), fields(words))
      if (reply.status === 201) return reply.body as Body
      this.refused.push(`build ${String(build)}: ${(reply.body as { code?: string }).code ?? ''}`)
    }
    throw new Error(`build ${String(build)} of ${app} is refused`)
  }
}

const plainly: Words = (word) => word

const DUMP = { kind: 'dump', name: 'shop.dump', bytes: Buffer.alloc(2048, 'x') } as const
const POLICY = {
  ...{ promote: 'request', approvals: { count: 1, roles: ['approver'] } },
  checks: { commit: ['unit'], acceptance: ['functional'], manual: [] },
}

const CONFIG = (build: number): string => `[shop]\nname = "the shop"\nworkers = ${String(build)}\n`
const PIXEL = Buffer.from(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><path d="M0 0h4v4z"/></svg>',
)

/**
 * Two apps with builds in every state, people, tokens, a webhook, nodes with restore points. `ada` administers and `eve`
 * approves, both with `PASSWORD`.
 */
export async function createLivedInHub(words: Words = plainly): Promise<LivedInHub> {
  const hub = await createTestHub({}, CHEAP)
  hub.clock.set(new Date().toISOString())
  const asking = new Asking(hub, words)
  await addSomebody(hub, 'ada')
  await addSomebody(hub, 'eve', [{ role: 'approver', ...ALL }])
  const builds = await uploadBuilds(asking)
  const promotions = await promoteSome(hub, asking)
  const fleet = await makeNodes(hub, asking)
  const more = await administer(hub, asking)
  return {
    hub,
    refused: asking.refused,
    parameters: { ...builds, ...promotions, ...fleet, ...more },
    [Symbol.asyncDispose]: async () => await hub[Symbol.asyncDispose](),
  }
}

async function uploadBuilds(asking: Asking) {
  for (const build of [1, 2, 3, 4]) {
    await asking.upload('shop', build, {
      ...{ 'shop/etc/shop.toml': CONFIG(build), 'shop/run': '#!/bin/sh\nexec shop\n' },
      ...{ 'shop/share/mark.svg': PIXEL.toString(), [`shop/share/notes-${String(build)}.txt`]: 'a note\n' },
    })
    for (const name of ['unit', 'lint'])
      await asking.say('post', `/apps/shop/builds/${String(build)}/checks`, (said) => ({
        ...{ stage: 'commit', name, status: 'passed', summary: said('412 tests') },
        url: 'https://ci.example/job/7?a=1&b=2',
      }))
  }
  await asking.upload('cart', 1, { 'cart/run': 'a cart\n' })
  await asking.say('patch', '/apps/shop', (said) => ({
    ...{ description: said('What people buy in'), defaultRecipe: 'description: a shop\n' },
  }))
  return { app: 'shop', build: '4', other: '3', path: 'shop/etc/shop.toml', inside: 'etc/shop.toml' }
}

/** Build 1 was in production, 2 is, 3 waits for its acceptance, 4 is to be asked for; production is frozen at times. */
async function promoteSome(hub: TestHub, asking: Asking) {
  const eve = await hub.tokenOf('eve', 'approver')
  const acceptance = (build: number) =>
    asking.say('post', `/apps/shop/builds/${String(build)}/checks`, (said) => ({
      ...{ stage: 'acceptance', name: 'functional', status: 'passed', summary: said('all well') },
    }))
  const promote = async (build: number) =>
    String((await asking.say('post', '/promotions', () => promotionOf(build)))['id'])
  await asking.say('put', '/environments/production/policy', (said) => ({
    ...POLICY,
    freezes: [{ from: 'Sun 03:00', to: 'Sun 03:01', timeZone: 'UTC', reason: said('an hour for backups') }],
  }))
  for (const build of [1, 2]) {
    await acceptance(build)
    const id = await promote(build)
    await asking.say('post', `/promotions/${id}/approve`, (said) => ({ comment: said('seen') }), eve)
  }
  const releases = await hub.as().get('/api/v1/environments/production/releases')
  const [, first] = (releases.body as { items: { id: string }[] }).items
  await asking.say('post', `/environments/production/releases/${first?.id ?? ''}/withdraw`, (said) => ({
    reason: said('it lost orders'),
  }))
  await acceptance(4)
  const rejected = await promote(4)
  await asking.say('post', `/promotions/${rejected}/reject`, (said) => ({ reason: said('not today') }), eve)
  const promotion = await promote(3)
  const pinned = await asking.say('post', '/apps/shop/builds/2/pin', (said) => ({ reason: said('audit') }))
  if (pinned['pinned'] === null) throw new Error('build 2 is not pinned')
  await asking.say('post', '/apps/shop/builds/1/yank', (said) => ({ reason: said('it loses orders') }))
  await asking.say('post', '/environments/production/holds', (said) => ({
    ...{ app: 'cart', reason: said('not before the sale') },
  }))
  return { promotion, environment: 'production', revision: '2' }
}

const promotionOf = (build: number) => ({ app: 'shop', build, environment: 'production' })

/** One that runs what is wanted and keeps a point, one that drifted, one that was never heard of. */
async function makeNodes(hub: TestHub, asking: Asking) {
  const web1 = await enrolNode(hub, 'web1', 'production')
  const { cpv } = (await hub.as().get('/api/v1/apps/shop/builds/2')).body as { cpv: string }
  const points = pointsOf(hub, 'web1', web1)
  await points.announce(announcementOf([DUMP], { cpv, encrypted: true }))
  await points.put(DUMP)
  await points.complete()
  const packages = [packageOf(cpv, { repo: 'hub-production' })]
  await asking.say('post', '/nodes/web1/report', () => reportOf([], { packages }), web1)
  const db1 = await enrolNode(hub, 'db1')
  await asking.say('post', '/nodes/db1/report', () => reportOf([cpv]), db1)
  await enrolNode(hub, 'idle')
  const rollback = await asking.say('post', '/rollbacks', () => ({ node: 'web1', app: 'shop' }))
  const result = `/nodes/web1/rollbacks/${String(rollback['id'])}/result`
  await asking.say('post', result, (said) => ({ status: 1, detail: said('no space left') }), web1)
  return { node: 'web1', point: POINT }
}

async function administer(hub: TestHub, asking: Asking) {
  await asking.say('post', '/tokens', (said) => ({ name: said('the CI of the shop'), role: 'developer' }))
  await asking.say('post', '/people', (said) => ({ name: 'bob', fullName: said('Bob Roberts') }))
  await asking.say('post', '/apps/shop/trusted-publishers', () => ({
    ...{ provider: 'github', repository: 'acme/shop' },
  }))
  // Nobody answers there: its deliveries wait.
  const { id: webhook } = await asking.say('post', '/webhooks', () => ({ url: 'http://localhost:9/' }))
  await asking.say('post', '/apps/shop/builds/4/checks', (said) => ({
    ...{ stage: 'manual', name: 'look', status: 'failed', summary: said('the logo is upside down') },
  }))
  await queueDeliveries(hub.hub)
  const deliveries = await hub.as().get(`/api/v1/webhooks/${String(webhook)}/deliveries`)
  const delivery = (deliveries.body as { items: { id: string }[] }).items[0]?.id ?? ''
  return { webhook: String(webhook), delivery, person: 'bob' }
}
