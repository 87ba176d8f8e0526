/** The search for everything: what is found by which words, and that nobody finds what they may not see. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { indexFiles } from '../../src/builds/index-files.ts'
import type { Found, Searched } from '../../src/http/openapi/search.ts'
import { announcementOf, enrolNode, packedShop, POINT, pointsOf } from '../support/restore-points.ts'
import { tarOf } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const COMMIT = 'c0ffee0123456789c0ffee0123456789c0ffee01'
const DUMP = { kind: 'dump', name: 'shop.dump', bytes: Buffer.from('rows of the shop') } as const

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub()
  await upload('shop', 1, { version: '1.0.0', commit: COMMIT, branch: 'main' }, 'shop/run')
  await upload(
    'shop',
    2,
    { version: '1.1.0-rc.2', commit: 'beef00aa', branch: 'feature/pay' },
    'shop-2/etc/pay.toml',
  )
  await upload('shop', 45, { version: '2.0.0', branch: 'main' }, 'shop-45/etc/pay.toml')
  await upload('shop-api', 45, { version: '1.0.0' }, 'api/100%_done"\'.txt')
  await upload('desk', 3, {}, 'desk/run')
  await hub.promote('shop', 1, 'production')
  await enrolNode(hub, 'web1', 'production')
  const token = await enrolNode(hub, 'web2', 'staging')
  const binpkg = {
    kind: 'binpkg',
    name: 'app-hub/shop/shop-1.0.0_p1-1.gpkg.tar',
    bytes: await packedShop(hub),
  } as const
  const points = pointsOf(hub, 'web2', token)
  await points.announce(announcementOf([DUMP, binpkg]))
  for (const file of [DUMP, binpkg]) expect((await points.put(file)).status).toBe(201)
  expect((await points.complete()).body).toMatchObject({ state: 'complete' })
  await hub.as().post('/api/v1/people').send({ name: 'anna.shopper', fullName: 'Anna Berg' })
  await indexFiles(hub.hub)
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

async function upload(app: string, build: number, fields: Readonly<Record<string, string>>, file: string) {
  const bytes = gzipSync(tarOf({ name: file, content: `${app} ${String(build)}` }))
  const reply = await hub.upload(app, bytes, { build: String(build), ...fields })
  expect(reply.status, reply.text).toBe(201)
}

async function search(q: string, token?: string, limit?: number): Promise<Searched> {
  const more = limit === undefined ? '' : `&limit=${String(limit)}`
  const reply = await hub.as(token).get(`/api/v1/search?q=${encodeURIComponent(q)}${more}`)
  expect(reply.status, reply.text).toBe(200)
  return reply.body as Searched
}

const itemsOf = ({ groups }: Searched): readonly Found[] => groups.flatMap(({ items }) => items)
const ids = (searched: Searched, kind: Found['kind']) =>
  itemsOf(searched)
    .filter((one) => one.kind === kind)
    .map(({ id }) => id)
const marked = ({ matched: { text, marks } }: Found) => marks.map(([from, to]) => text.slice(from, to))

describe('what is found', () => {
  test.each([
    ['shop', 'app', ['shop', 'shop-api']],
    ['-AP', 'app', ['shop-api']],
    ['45', 'build', ['shop-api/45', 'shop/45']],
    ['shop/45', 'build', ['shop/45', 'shop-api/45']],
    ['shop 45', 'build', ['shop/45', 'shop-api/45']],
    ['shop#45', 'build', ['shop/45', 'shop-api/45']],
    ['shop build 45', 'build', ['shop/45', 'shop-api/45']],
    ['api 45', 'build', ['shop-api/45']],
    ['shop 46', 'build', []],
    ['shop-1.1.0-rc.2', 'build', ['shop/2']],
    ['shop-1.1', 'build', ['shop/2']],
    ['app-hub/shop-1.1.0_rc2_p2', 'build', ['shop/2']],
    ['shop-api-1', 'build', ['shop-api/45']],
    ['1.1.0', 'build', ['shop/2']],
    ['feature/PAY', 'build', ['shop/2']],
    ['shop main', 'build', ['shop/45', 'shop/1']],
    ['desk main', 'build', []],
    ['c0ffee', 'commit', [COMMIT]],
    ['C0FFEE0123', 'commit', [COMMIT]],
    ['c0ffe', 'commit', []],
    ['offee0', 'commit', []],
    ['web', 'node', ['web1', 'web2']],
    ['WEB2', 'node', ['web2']],
    ['pay.toml', 'file', ['shop/45/shop-45/etc/pay.toml']],
    ['shop etc/', 'file', ['shop/45/shop-45/etc/pay.toml']],
    ['100%_done"', 'file', ['shop-api/45/api/100%_done"\'.txt']],
    ['run', 'file', ['desk/3/desk/run', 'shop/1/shop/run']],
    ['ru', 'file', []],
  ] as const)('%j: of kind %s %j', async (q, kind, expected) => {
    expect(ids(await search(q), kind)).toEqual(expected)
  })

  test.each(['shopper', 'anna berg'])('people by part of their names: %j', async (q) => {
    expect(itemsOf(await search(q)).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'person anna.shopper',
    ])
  })

  test.each(['sha512', 'blake2b', 'sha256'])(
    'a tarball by its %s, and by the beginning of it',
    async (algorithm) => {
      const build = (await hub.as().get('/api/v1/apps/shop/builds/45')).body as {
        tarball: Record<string, string>
      }
      const digest = build.tarball[algorithm] ?? ''
      const whole = await search(digest.toUpperCase())
      expect(itemsOf(whole)).toMatchObject([{ kind: 'tarball', id: 'shop/45', exact: true }])
      expect(whole.only).toBe('/apps/shop/builds/45')
      const [found] = itemsOf(await search(digest.slice(0, 8)))
      expect(found).toMatchObject({ kind: 'tarball', exact: false, matched: { in: algorithm, text: digest } })
      expect(found && marked(found)).toEqual([digest.slice(0, 8)])
      expect(ids(await search(digest.slice(0, 7)), 'tarball')).toEqual([])
    },
  )

  test('dumps and packages of restore points by their digests, as they were sent and as they are shown', async () => {
    const [dump, sent] = announcementOf([
      DUMP,
      { kind: 'binpkg', name: 'x', bytes: await packedShop(hub) },
    ]).files
    expect(itemsOf(await search(dump?.sha512 ?? ''))).toMatchObject([
      { kind: 'dump', name: 'shop.dump', about: `of ${POINT} of web2`, page: '/nodes/web2', exact: true },
    ])
    expect(ids(await search(sent?.sha512 ?? ''), 'binpkg')).toHaveLength(1)
    const [shown] = await hub.hub.records.binpkgs.ofNode('web2')
    expect(itemsOf(await search(shown?.sha256.slice(0, 20) ?? ''))).toMatchObject([
      { kind: 'binpkg', name: 'app-hub/shop-1.0.0_p1-1' },
    ])
  })

  test('promotions by their id, revisions by their commit, tokens by the beginning of their name', async () => {
    const promotion = (await hub.as().get('/api/v1/promotions?environment=production')).body.items[0]
      .id as string
    expect((await search(promotion)).only).toBe(`/promotions/${promotion}`)
    expect(ids(await search(promotion.slice(0, -4)), 'promotion')).toContain(promotion)
    const revision = (await hub.as().get('/api/v1/environments/production/revisions')).body.items[0]
    expect(ids(await search(revision.commit.slice(0, 12)), 'revision')).toEqual([
      `production@${String(revision.revision)}`,
    ])
    await hub.token('reader', { name: 'Library of shops' })
    expect(itemsOf(await search('library'))).toMatchObject([{ kind: 'token', name: 'Library of shops' }])
    expect(ids(await search('of shops'), 'token')).toEqual([])
  })

  test('what matched is marked, in the value that has it', async () => {
    const [build] = itemsOf(await search('feature/PAY'))
    expect(build).toMatchObject({ matched: { in: 'branch', text: 'feature/pay', marks: [[0, 11]] } })
    const file = itemsOf(await search('etc pay')).find(({ kind }) => kind === 'file')
    expect(file && marked(file)).toEqual(['etc', 'pay'])
    expect(file?.about).toBe('shop, builds 2 to 45, in 2 of them')
  })
})

describe('the one thing that the words name', () => {
  test.each([
    ['shop', '/apps/shop'],
    ['SHOP/45', '/apps/shop/builds/45'],
    ['shop 45', '/apps/shop/builds/45'],
    ['shop-2.0.0', '/apps/shop/builds/45'],
    [COMMIT, '/apps/shop/builds/1'],
    ['web1', '/nodes/web1'],
    // Nothing else has it.
    ['desk', '/apps/desk'],
    ['45', null],
    ['web', null],
    ['pay', null],
    ['nothing of it', null],
    ['', null],
  ])('of %j is %j', async (q, only) => {
    expect((await search(q)).only).toBe(only)
  })
})

describe('the answer', () => {
  test('is grouped, the best first, and says of which kind there are more', async () => {
    const { groups } = await search('shop', undefined, 1)
    expect(groups[0]).toMatchObject({ kind: 'app', items: [{ id: 'shop', exact: true }], more: true })
    expect(groups.map(({ items }) => items.length)).toEqual(groups.map(() => 1))
    const whole = (await search('shop', undefined, 50)).groups
    expect(whole.map(({ more }) => more)).toEqual(whole.map(() => false))
  })

  test.each([
    ['q=a&q=b', 400],
    ['q=shop&limit=0', 400],
    ['q=shop&limit=51', 400],
    ['', 200],
    ['q=%00', 200],
    ['q=%20%20', 200],
  ])('to ?%s has the status %i', async (query, status) => {
    const reply = await hub.as().get(`/api/v1/search?${query}`)
    expect(reply.status).toBe(status)
    if (status === 200) expect(reply.body).toMatchObject({ groups: [], only: null })
  })

  test.each([
    '"',
    '""" OR ""',
    'shop" OR app : "desk',
    'NEAR(shop desk)',
    '{app} : shop',
    'shop*',
    '^shop',
    'shop NOT desk',
    "' OR 1=1 --",
    '%%%',
    '___',
    '\\',
    '(shop',
    '[a-z]+',
    'app:sho',
    '\u{202e}gpj',
    'x'.repeat(5000),
    `${'(a+)+'.repeat(40)}$`,
    'a b c d e f g h i j k l m n o p',
    '-1',
    '99999999999999999999',
    '/45',
    'shop/',
  ])('to %j is of these characters themselves', async (q) => {
    for (const { kind, matched } of itemsOf(await search(q)))
      expect(`${kind} ${matched.text.toLowerCase()}`).toContain(q.trim().toLowerCase())
  })
})

describe('nobody finds what they may not see', () => {
  const QUESTIONS = [
    'shop',
    'desk',
    '45',
    'shop 45',
    '2.0.0',
    '1.1',
    'main',
    'feature',
    'beef00',
    'pay.toml',
    'run',
    'web',
  ]
  const everything = async (token: string): Promise<readonly string[]> => {
    const found = await Promise.all(QUESTIONS.map(async (q) => itemsOf(await search(q, token))))
    return [...new Set(found.flat().map(({ kind, id }) => `${kind} ${id}`))].toSorted()
  }

  test('a reader of production finds what was released there, and files of no other build', async () => {
    const token = await hub.token('reader', { environments: ['production'] })
    expect(await everything(token)).toEqual(['app shop', 'build shop/1', 'file shop/1/shop/run', 'node web1'])
    const [file] = itemsOf(await search('run', token)).filter(({ kind }) => kind === 'file')
    expect(file?.about).toBe('shop, build 1')
  })

  test('a developer finds their app alone, and no node', async () => {
    const token = await hub.token('developer', { apps: ['desk'] })
    expect(await everything(token)).toEqual(['app desk', 'build desk/3', 'file desk/3/desk/run'])
  })

  test('a node finds itself, and what its environment released', async () => {
    const token = await enrolNode(hub, 'web3', 'production')
    expect(await everything(token)).toEqual(['app shop', 'build shop/1', 'file shop/1/shop/run', 'node web3'])
  })

  test('more are not told of either', async () => {
    const token = await hub.token('reader', { environments: ['production'] })
    const { groups, only } = await search('shop', token, 1)
    expect(groups.map(({ more }) => more)).toEqual(groups.map(() => false))
    expect(only).toBe('/apps/shop')
    expect(await search('shop 45', token)).toEqual({ q: 'shop 45', groups: [], only: null })
  })

  test('digests, commits, promotions, revisions, people and tokens are looked for within the same sight', async () => {
    const reader = await hub.token('reader', { environments: ['production'] })
    const developer = await hub.token('developer', { apps: ['desk'] })
    const { tarball } = (await hub.as().get('/api/v1/apps/shop/builds/45')).body
    const { items: promotions } = (await hub.as().get('/api/v1/promotions?environment=staging')).body
    const { items: revisions } = (await hub.as().get('/api/v1/environments/staging/revisions')).body
    const ofShop = promotions.find(({ app }: { app: string }) => app === 'shop')
    const dump = announcementOf([DUMP]).files[0]?.sha512
    const secrets = [
      tarball.sha512,
      tarball.sha256.slice(0, 8),
      ofShop.id,
      revisions[0].commit,
      dump,
      'beef00aa',
    ]
    for (const q of [...secrets, 'anna', 'a reader', 'tok_0']) {
      expect(itemsOf(await search(q)), `an administrator finds ${String(q)}`).not.toEqual([])
      for (const token of [reader, developer])
        expect(await search(q, token)).toEqual({ q, groups: [], only: null })
    }
  })

  test('an enrolment may not ask, nor may nobody', async () => {
    const token = await hub.token('enrol', { environments: ['staging'] })
    expect((await hub.as(token).get('/api/v1/search?q=shop')).status).toBe(403)
    expect((await hub.as(null).get('/api/v1/search?q=shop')).status).toBe(401)
  })
})
