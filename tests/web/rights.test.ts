/** Pages show nobody more than the API does: what is of another app or environment is on none of them, nor found. */
import { beforeAll, afterAll, expect, test } from 'vitest'
import { indexFiles } from '../../src/builds/index-files.ts'
import { send } from '../support/raw-http.ts'
import { enrolNode } from '../support/restore-points.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { addressOf, PAGES } from './browser/pages.ts'
import { AS_BROWSER } from './support.ts'

const COMMIT = 'c0ffee5c0ffee5'

let hub: TestHub
let parameters: Readonly<Record<string, string>>
let nodeOfProduction: string

/** All that is called quokka-… is in staging alone, and so is an app of that name. */
beforeAll(async () => {
  hub = await createTestHub()
  const post = async (path: string, body: object) => {
    const reply = await hub.as().post(`/api/v1${path}`).send(body)
    expect(reply.status, reply.text).toBeLessThan(300)
    return reply.body as { id: string }
  }
  const fields = { version: '1.0.0', branch: 'quokka-branch', commit: COMMIT }
  for (const build of ['1', '2'])
    await hub.upload('quokka', tarball({ 'top/quokka-file': build }), { build, ...fields })
  const { body } = await hub.as().get('/api/v1/promotions?state=all')
  const [promotion] = (body as { items: { id: string }[] }).items
  await post('/environments/staging/holds', { app: 'quokka', reason: 'quokka-reason' })
  await post('/apps/quokka/builds/1/pin', { reason: 'quokka-reason' })
  await enrolNode(hub, 'quokka-node')
  nodeOfProduction = await enrolNode(hub, 'web9', 'production')
  const { id: person } = await post('/people', { name: 'quokka-person' })
  const { id: webhook } = await post('/webhooks', { url: 'http://localhost:9/quokka-hook' })
  await hub.token('reader', { name: 'quokka-token' })
  await indexFiles(hub.hub)
  parameters = {
    ...{
      app: 'quokka',
      build: '2',
      other: '1',
      path: 'top/quokka-file',
      inside: 'quokka-file',
      environment: 'staging',
      revision: '2',
    },
    ...{
      node: 'quokka-node',
      promotion: promotion?.id ?? '',
      person,
      webhook,
      delivery: 'dlv_1',
      point: 'rp_1',
    },
  }
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

const look = async (path: string, token: string) => await send(hub.url, { path, headers: AS_BROWSER, token })

/** What they asked for stands in the box of a search, and in the address by which more is asked for. */
const ECHO = /(?:q|app)=(?:quokka|c0ffee5c)|value="(?:quokka|c0ffee5c)"|Search: (?:quokka|c0ffee5c)/g
const unmarked = (text: string) => text.replaceAll(/<\/?mark>/g, '')
const placesOf = (text: string) =>
  [...text.matchAll(/.{0,60}(?:quokka|c0ffee5c).{0,60}/g)].map(([place]) => place)

const ADDRESSES = [
  ...Object.values(PAGES).flat(),
  ...['/search?q=quo', '/search?q=quo&part=options', `/search?q=${COMMIT.slice(0, 8)}`, '/search?q=1'],
  ...[
    '/search?q=:promotion',
    '/environments/production',
    '/environments/production/revisions',
    '/nodes?q=quo',
  ],
  ...['/apps?q=quo', '/promotions?app=quokka', '/environments/staging/tree'],
]

test.each<readonly [who: string, token: () => Promise<string>]>([
  ['a reader of production', async () => await hub.token('reader', { environments: ['production'] })],
  ['a developer of another app', async () => await hub.token('developer', { apps: ['cart'] })],
  ['an approver of another app', async () => await hub.token('approver', { apps: ['cart'] })],
  [
    'a release manager of another app in production',
    async () => await hub.token('release-manager', { apps: ['cart'], environments: ['production'] }),
  ],
  ['a node of production', async () => await Promise.resolve(nodeOfProduction)],
  ['who may only enrol', async () => await hub.token('enrol', { environments: ['production'] })],
])('%s sees nothing of it', async (_who, token) => {
  const secret = await token()
  for (const address of ADDRESSES) {
    const path = addressOf(address, parameters)
    const { status, text } = await look(path, secret)
    if (status === 200) expect(placesOf(unmarked(text).replaceAll(ECHO, '')), path).toEqual([])
    else expect([303, 400, 403, 404], path).toContain(status)
  }
})

test('who may see it finds it there', async () => {
  const reader = await hub.token('reader', { environments: ['staging'] })
  const text = unmarked((await look('/search?q=quo', reader)).text)
  for (const name of ['app-hub/quokka', 'quokka build 2', 'quokka-node', 'quokka-file'])
    expect(text).toContain(name)
  expect(text).not.toContain('quokka-person')
})
