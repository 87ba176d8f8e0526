/** The demo: what is there when it says that it is, that it goes on, and that nothing of it stays. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DEMO_APPS, treeOf } from '../../src/demo/apps.ts'
import { startDemo } from '../../src/demo/demo.ts'
import type { Demo } from '../../src/demo/demo.ts'
import { Random } from '../../src/demo/random.ts'
import { filesOf, tarGzOf } from '../../src/demo/tarball.ts'
import { openEvents } from '../support/event-client.ts'

type Item = Readonly<Record<string, unknown>>
const COMMAND = path.resolve(import.meta.dirname, '../../src/cli.ts')
/** On a machine with much else to do. */
const MOST_MS = 180_000

describe('a demo', () => {
  const stop = new AbortController()
  let demo: Demo

  beforeAll(async () => {
    demo = await startDemo({ port: 0, seed: 7, signal: stop.signal })
  }, MOST_MS)

  afterAll(async () => {
    await demo[Symbol.asyncDispose]()
  })

  const ask = async (address: string): Promise<Item> => {
    const headers = { Authorization: `Bearer ${demo.adminToken}` }
    const reply = await fetch(`${demo.url}/api/v1${address}`, { headers })
    expect(reply.status).toBe(200)
    return (await reply.json()) as Item
  }
  const list = async (address: string): Promise<readonly Item[]> =>
    (await ask(address))['items'] as readonly Item[]
  const count = (items: readonly Item[], key: string): Readonly<Record<string, number>> =>
    Object.fromEntries(
      Object.entries(Object.groupBy(items, (item) => String(item[key]))).map(([value, group]) => [
        value,
        group?.length ?? 0,
      ]),
    )

  test('has three apps, thirty builds, two environments and eight nodes that are called simulated', async () => {
    expect((await list('/apps')).map(({ name }) => name)).toEqual(['billing', 'handbook', 'shop'])
    expect(count(await list('/builds?limit=100'), 'app')).toEqual({ shop: 14, billing: 10, handbook: 6 })
    expect((await list('/environments')).map(({ name }) => name)).toEqual(['staging', 'production'])
    const nodes = await list('/nodes')
    expect(nodes).toHaveLength(8)
    for (const { name } of nodes) expect(name).toMatch(/^sim-/)
    const whole = await ask('/nodes/sim-web-1')
    expect((whole['report'] as Item)['hubNode']).toMatch(/simulated/)
  })

  test('has one node that drifted and one that is silent', async () => {
    const nodes = await list('/nodes?environment=production')
    expect(nodes.filter(({ drifted }) => drifted).map(({ name }) => name)).toEqual(['sim-web-3'])
    expect(nodes.filter(({ notSeenSince }) => notSeenSince).map(({ name }) => name)).toEqual(['sim-batch-2'])
  })

  test('has a promotion that waits for approval, a rejected one, holds, a yank, a pin and rollbacks', async () => {
    const promotions = await list('/promotions?environment=production&limit=100')
    expect(count(promotions, 'state')).toMatchObject({ awaiting_approval: 1, refused: 1 })
    const holds = await list('/holds?limit=100')
    expect(holds.map(({ app, yank }) => [app, yank]).sort()).toEqual([
      ['handbook', false],
      ['shop', false],
      ['shop', true],
    ])
    expect((await ask('/apps/shop/builds/41'))['pinned']).not.toBeNull()
    expect(count(await list('/rollbacks'), 'state')).toEqual({ done: 2 })
  })

  test('has checks that passed and failed, and restore points with packages that the hub judged good', async () => {
    expect(count(await list('/apps/shop/builds/53/checks'), 'status')).toEqual({ failed: 1 })
    expect(count(await list('/apps/shop/builds/54/checks'), 'status')).toEqual({ passed: 3 })
    const points = await list('/nodes/sim-web-1/restore-points')
    expect(count(points, 'state')).toEqual({ complete: points.length })
    expect(points.some(({ rehearsed }) => rehearsed !== null)).toBe(true)
  })

  test('has recipes that changed between builds', async () => {
    const [before, after] = [await ask('/apps/shop/builds/48'), await ask('/apps/shop/builds/49')]
    expect(before['recipe']).not.toEqual(after['recipe'])
    expect(before['recipeSource']).toBe('tarball')
  })

  test('has webhooks, of which one takes everything and one does not', async () => {
    const addresses = (await list('/webhooks')).map(({ id, url }) => [String(url), String(id)] as const)
    const deliveriesTo = async (place: string): Promise<readonly Item[]> => {
      const id = addresses.find(([url]) => url.endsWith(place))?.[1] ?? ''
      return await list(`/webhooks/${id}/deliveries?limit=500`)
    }
    const delivered = { timeout: MOST_MS }
    await expect
      .poll(async () => count(await deliveriesTo('/steady'), 'state'), delivered)
      .toEqual({ delivered: expect.any(Number) as number })
    await expect
      .poll(
        async () => (await deliveriesTo('/shaky')).some(({ attempts }) => Number(attempts) > 1),
        delivered,
      )
      .toBe(true)
  })

  test('lets the first administrator and an approver sign in by the links', async () => {
    for (const link of Object.values(demo.links)) expect((await fetch(link)).status).toBe(200)
    expect((await list('/people')).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['admin', 'maria', 'tomas', 'chen', 'lena']),
    )
  })

  test('keeps an audit whose chain holds over all of the story', async () => {
    expect(await ask('/audit/verify')).toMatchObject({ faults: [] })
  })

  test('goes on: a build arrives, is checked, and its promotion is decided, until it is told to end', async () => {
    const events = await openEvents(demo.url, { token: demo.adminToken })
    const going = demo.goOn({ stepMs: 1 })
    await events.until(() => events.events().some(({ type }) => type === 'promotion.approved'))
    stop.abort()
    await going
    events.cut()
    const types = events.events().map(({ type }) => type)
    expect(types).toEqual(expect.arrayContaining(['build.archived', 'check.recorded', 'release.published']))
  })

  test('leaves nothing behind', async () => {
    expect(existsSync(demo.folder)).toBe(true)
    await demo[Symbol.asyncDispose]()
    expect(existsSync(demo.folder)).toBe(false)
    await expect(fetch(demo.url)).rejects.toThrow()
  })
})

describe('portage-hub demo', () => {
  test.each([
    ['it is ready', /^Ready: (\S+)/],
    ['it is being made', /^A hub lives/],
  ])(
    'ends by Ctrl-C when %s, with status 0 and an empty folder',
    async (_when, moment) => {
      const folder = await mkdtemp(path.join(tmpdir(), 'demo-test-'))
      try {
        const env = { ...process.env, TMPDIR: folder, HUB_PORT: 'no number: not for a demo' }
        const child = spawn(process.execPath, [COMMAND, 'demo', '--port', '0'], { env })
        const ended = once(child, 'exit')
        for await (const line of createInterface({ input: child.stdout })) {
          const address = moment.exec(line)?.[1]
          if (address !== undefined) expect((await fetch(`${address}/healthz`)).status).toBe(200)
          if (moment.test(line)) child.kill('SIGINT')
        }
        expect(await ended).toEqual([0, null])
        expect(await readdir(folder)).toEqual([])
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
    MOST_MS,
  )
})

test('the same seed gives the same chances, and the same build the same bytes', async () => {
  const [a, b, c] = [new Random(7), new Random(7), new Random(8)]
  const drawn = a.hex(40)
  expect(b.hex(40)).toBe(drawn)
  expect(c.hex(40)).not.toBe(drawn)
  for (const app of DEMO_APPS) {
    const tree = treeOf(app, { build: 50, version: '1.0.0', news: ['Something.'] })
    expect(tarGzOf(tree).equals(tarGzOf(tree))).toBe(true)
    const read = await filesOf(tarGzOf(tree))
    expect(Object.keys(read)).toEqual(Object.keys(tree))
    for (const [name, content] of Object.entries(tree)) expect(read[name]).toEqual(Buffer.from(content))
  }
})
