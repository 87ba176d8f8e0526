/** `Packages` as Portage asks for it: lib/portage/dbapi/bintree.py `_populate_remote`, lib/portage/util/_urlopen.py. */
import { Agent, get } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { parsePackagesIndex } from '../../src/gentoo/packages-index.ts'
import { watchFiles } from '../support/file-watch.ts'
import { send } from '../support/raw-http.ts'
import {
  BINPKG,
  announcementOf,
  enrolNode,
  packedShop,
  pointsOf,
  uploadShop,
} from '../support/restore-points.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

/** When the test hub's clock stands. */
const NOW_SEC = 1_767_323_045
/** The headers of a poll; Portage adds five seconds to the TIMESTAMP that it has. */
const PORTAGE = { 'User-Agent': 'Gentoo Portage', 'Accept-Encoding': 'bzip2,gzip,deflate' }
const POLLS = 10_000

interface Binhost {
  readonly token: string
  add(id: string, buildTime: number): Promise<void>
  /** Asks for a file of the binhost as Portage does. */
  ask(
    file: string,
    headers?: Readonly<Record<string, string>>,
    method?: string,
  ): Promise<Awaited<ReturnType<typeof send>>>
}

async function binhostOf(hub: TestHub): Promise<Binhost> {
  const token = await enrolNode(hub, 'web1')
  const points = pointsOf(hub, 'web1', token)
  return {
    token,
    async add(id, buildTime) {
      const bytes = await packedShop(hub, { metadata: { BUILD_TIME: `${String(buildTime)}\n` } })
      const binpkg = { kind: 'binpkg', name: BINPKG, bytes } as const
      await points.announce(announcementOf([binpkg], { id }))
      await points.put(binpkg, id)
      const reply = await points.complete(id)
      if (reply.status !== 200) throw new Error(reply.text)
    },
    async ask(file, headers = {}, method = 'GET') {
      const path = `/binhost/nodes/web1/${file}`
      return await send(hub.url, { method, path, token, headers: { ...PORTAGE, ...headers } })
    },
  }
}

function httpDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString()
}

function timestampOf(index: Buffer): number {
  return Number(parsePackagesIndex(index.toString()).header['TIMESTAMP'])
}

test('10,000 unchanged polls are answered 304 from memory: no file is opened, read or written', async () => {
  await using hub = await createTestHub()
  await uploadShop(hub)
  const binhost = await binhostOf(hub)
  await binhost.add('rp_20260102T030405Z_aaaaaa', 1_767_323_000)
  await binhost.ask('Packages.gz')
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const headers = {
    ...{ ...PORTAGE, Authorization: `Bearer ${binhost.token}` },
    'If-Modified-Since': httpDate(NOW_SEC + 5),
  }
  const statuses = new Map<number | undefined, number>()
  const poll = async (): Promise<void> => {
    const request = get(`${hub.url}/binhost/nodes/web1/Packages.gz`, { agent, headers })
    const [reply] = (await once(request, 'response')) as [IncomingMessage]
    statuses.set(reply.statusCode, (statuses.get(reply.statusCode) ?? 0) + 1)
    expect(await buffer(reply)).toHaveLength(0)
  }
  const touched = await watchFiles(hub.directory)
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let count = 0; count < POLLS / 4; count++) await poll()
    }),
  )
  expect(await touched()).toEqual({})
  expect([...statuses]).toEqual([[304, POLLS]])
  agent.destroy()

  // What is read from disk would have been seen.
  const again = await watchFiles(hub.directory)
  expect((await binhost.ask(BINPKG)).status).toBe(200)
  expect(Object.keys(await again())).toEqual([expect.stringMatching(/^binpkgs\/[0-9a-f]{2}\/[0-9a-f]{128}$/)])
}, 120_000)

describe('the index says when it changed', () => {
  test('by Last-Modified and TIMESTAMP alike, six seconds at least after the state before, whatever the clock', async () => {
    await using hub = await createTestHub()
    await uploadShop(hub)
    const binhost = await binhostOf(hub)
    const empty = await binhost.ask('Packages')
    expect([timestampOf(empty.body), empty.headers['last-modified']]).toEqual([1, httpDate(1)])
    const seen: number[] = []
    for (const [number, now] of ['03:04:05Z', '03:04:06Z', '01:00:00Z', '04:00:00Z'].entries()) {
      hub.clock.set(`2026-01-02T${now}`)
      const before = await binhost.ask('Packages')
      await binhost.add(`rp_20260102T030405Z_aaaaa${String(number)}`, 1_767_323_000 + number)
      // A node that took the state before at once, asks by it and misses nothing.
      const since = httpDate(timestampOf(before.body) + 5)
      const packed = await binhost.ask('Packages.gz', { 'If-Modified-Since': since })
      const timestampSec = timestampOf(gunzipSync(packed.body))
      expect([packed.status, packed.headers['last-modified']]).toEqual([200, httpDate(timestampSec)])
      seen.push(timestampSec)
    }
    expect(seen).toEqual([NOW_SEC, NOW_SEC + 6, NOW_SEC + 12, Date.parse('2026-01-02T04:00:00Z') / 1000])
  })

  test('and has no TTL: a node that has it asks each time', async () => {
    await using hub = await createTestHub()
    const { header } = parsePackagesIndex((await (await binhostOf(hub)).ask('Packages')).text)
    expect(Object.keys(header).sort()).toEqual(['PACKAGES', 'TIMESTAMP', 'VERSION'])
  })
})

/** What a poll says in If-Modified-Since, and what it is answered. */
const TIMES = [
  ['as Portage writes it', httpDate(NOW_SEC + 5), 304],
  ['of that very second', httpDate(NOW_SEC), 304],
  ['of a node whose clock is years ahead', 'Sat, 02 Jan 2036 03:04:05 GMT', 304],
  ['a second older', httpDate(NOW_SEC - 1), 200],
  ['before 1970', 'Wed, 31 Dec 1969 23:59:59 GMT', 200],
  ['as RFC 850 has it', 'Friday, 02-Jan-26 03:04:10 GMT', 304],
  ['no date', 'yesterday', 200],
  ['a number', `${String(NOW_SEC)}000`, 200],
  ['empty', '', 200],
] as const

describe('a poll', () => {
  test('goes by the time that it has; one that is none is as if there were none', async () => {
    await using hub = await createTestHub()
    await uploadShop(hub)
    const binhost = await binhostOf(hub)
    await binhost.add('rp_20260102T030405Z_aaaaaa', 1_767_323_000)
    for (const file of ['Packages', 'Packages.gz']) {
      for (const [what, since, status] of TIMES) {
        const reply = await binhost.ask(file, { 'If-Modified-Since': since })
        expect([file, what, reply.status]).toEqual([file, what, status])
        expect(reply.body.byteLength > 0).toBe(status === 200)
        expect(reply.headers['last-modified']).toBe(httpDate(NOW_SEC))
      }
    }
  })

  test('of HEAD has the length and no body, and 304 as GET has', async () => {
    await using hub = await createTestHub()
    const binhost = await binhostOf(hub)
    for (const file of ['Packages', 'Packages.gz']) {
      const whole = await binhost.ask(file)
      const head = await binhost.ask(file, {}, 'HEAD')
      expect([head.status, head.body.byteLength, head.headers['content-length']]).toEqual([
        ...[200, 0],
        String(whole.body.byteLength),
      ])
      expect((await binhost.ask(file, { 'If-Modified-Since': httpDate(6) }, 'HEAD')).status).toBe(304)
    }
  })

  test('gets each file as it is, whatever encodings it takes: Portage would unpack it twice', async () => {
    await using hub = await createTestHub()
    const binhost = await binhostOf(hub)
    for (const encodings of ['bzip2,gzip,deflate', 'gzip', '*', 'identity', 'br;q=1.0, gzip;q=0.5']) {
      const plain = await binhost.ask('Packages', { 'Accept-Encoding': encodings })
      const packed = await binhost.ask('Packages.gz', { 'Accept-Encoding': encodings })
      for (const { headers } of [plain, packed]) expect(headers['content-encoding']).toBeUndefined()
      expect(gunzipSync(packed.body)).toEqual(plain.body)
      expect(packed.headers['content-type']).toBe('application/gzip')
    }
  })

  test('for a file that no binhost has is answered 404, and nothing can be changed there', async () => {
    await using hub = await createTestHub()
    const binhost = await binhostOf(hub)
    const names = [
      'Packages.bz2',
      'Packages.xz',
      'Packages/',
      'x/../Packages',
      '%2e%2e/web1/Packages',
      'packages',
      '',
    ]
    for (const name of names) {
      const reply = await binhost.ask(name)
      expect([name, reply.status, reply.json['code']]).toEqual([name, 404, 'binpkg.unknown'])
    }
    for (const method of ['POST', 'PUT', 'DELETE'])
      expect([404, 405]).toContain((await binhost.ask('Packages', {}, method)).status)
  })

  test('of a large index gets all its pieces, in one length', async () => {
    await using hub = await createTestHub()
    await uploadShop(hub)
    const binhost = await binhostOf(hub)
    const fields = { ...{ SIZE: '1', MTIME: '1' }, SHA1: '0'.repeat(40), MD5: '0'.repeat(32) }
    await binhost.ask('Packages')
    for (let number = 1; number <= 800; number++) {
      const entry = {
        ...fields,
        CPV: `app-hub/shop-1.0.0_p${String(number)}`,
        PATH: `${String(number)}.gpkg.tar`,
      }
      await hub.hub.binhosts.show('web1', [entry], NOW_SEC)
    }
    const [plain, packed] = [await binhost.ask('Packages'), await binhost.ask('Packages.gz')]
    expect(gunzipSync(packed.body)).toEqual(plain.body)
    expect(parsePackagesIndex(plain.text).packages).toHaveLength(800)
    expect(plain.headers['content-length']).toBe(String(plain.body.byteLength))
  })
})
