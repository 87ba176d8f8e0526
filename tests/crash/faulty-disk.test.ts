/**
 * A disk on which one change after the other fails, once or from then on: each request is refused with what it was, or
 * carried out wholly; what is sent again works; nothing half-made is ever left. The faults are put under the cellar
 * (`src/storage/disk.ts`).
 */
import { describe, expect, test } from 'vitest'
import type { Response } from 'supertest'
import { resumePromotions } from '../../src/environments/promote.ts'
import type { Overlay } from '../../src/overlays/overlay.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { diskError, watchedDisk } from '../support/watched-disk.ts'
import type { Operation } from '../support/watched-disk.ts'
import { Checked, checkFolder } from './checks.ts'
import { settingsOf } from './hub-process.ts'
import { Ledger } from './ledger.ts'
import { sha512 } from './uploaders.ts'

type Code = 'EIO' | 'ENOSPC' | 'EROFS'

interface Fault {
  readonly code: Code
  /** The n-th change of the disk from now on. */
  readonly at: number
  /** And every one after it. */
  readonly lasts: boolean
}

interface Failed {
  readonly operation: Operation
  readonly path: string
}

interface FaultyHub extends AsyncDisposable {
  readonly hub: TestHub
  /** Runs `work` with the fault; gives what failed, nothing if there were fewer changes. */
  during<T>(
    fault: Fault,
    work: () => Promise<T>,
  ): Promise<{ readonly answer: T; readonly failed: readonly Failed[] }>
}

async function openFaultyHub(): Promise<FaultyHub> {
  let fault: Fault | null = null
  let passed = 0
  let failed: Failed[] = []
  const disk = watchedDisk((operation, path) => {
    if (fault === null || ++passed < fault.at || (passed > fault.at && !fault.lasts)) return
    failed.push({ operation, path })
    throw diskError(fault.code, operation, path)
  })
  const { HUB_DATA_DIR: _ours, ...settings } = settingsOf('')
  const hub = await createTestHub({ ...settings, HUB_LOG_LEVEL: 'silent', HUB_KEEP_RELEASES: '2' }, { disk })
  return {
    hub,
    async during(wanted, work) {
      fault = wanted
      passed = 0
      failed = []
      try {
        const answer = await work()
        await hub.hub.settled()
        return { answer, failed }
      } finally {
        fault = null
      }
    },
    async [Symbol.asyncDispose]() {
      await hub[Symbol.asyncDispose]()
    },
  }
}

/** Where the archive and what clients were told lie; the rest is made again from them. */
const LASTING = /\/distfiles\/archive(?:\/|$)|\/var\/uploads(?:\/|$)/

/** A fault is told as one, and a full or read-only disk as what it is. */
function expectRefusal({ status, body, text }: Response, code: Code): void {
  expect(status, text).toBe(code === 'EIO' ? 500 : 507)
  expect(body.code).toBe(code === 'EIO' ? 'fault' : 'storage.full')
}

async function expectWhole(hub: TestHub, ledger: Ledger, listedFrom = 1): Promise<void> {
  const scene = {
    directory: hub.directory,
    url: hub.url,
    ledger,
    checked: new Checked(),
    mayHaveFailed: true,
    listedFrom,
  }
  expect(await checkFolder(scene)).toEqual([])
}

describe.each<Code>(['EIO', 'ENOSPC', 'EROFS'])('%s', (code) => {
  test.each([false, true])(
    'at any change of an upload and its publishing; from then on: %s',
    async (lasts) => {
      await using at = await openFaultyHub()
      const { hub } = at
      const ledger = new Ledger()
      let refusals = 0
      let number = 0
      for (let isOver = false; !isOver;) {
        number++
        const bytes = tarball({ f: `bytes of ${String(number)}` })
        const sent = ledger.build('shop', number)
        sent.sent.set(sha512(bytes), bytes)
        const build = String(number)
        const upload = async () => await hub.upload('shop', bytes, { build })
        const { answer, failed } = await at.during({ code, at: number, lasts }, upload)
        if (answer.status >= 400) {
          refusals++
          expectRefusal(answer, code)
        }
        const unsynced = failed.filter(
          ({ operation, path }) => operation === 'handle.sync' && LASTING.test(path),
        )
        if (unsynced.length > 0) expect(answer.status, JSON.stringify(unsynced)).toBeGreaterThanOrEqual(500)
        const again = await upload()
        expect(again.status, `${JSON.stringify(failed)} ${again.text}`).toBeLessThan(300)
        expect(again.body.releases).toMatchObject([{ environment: 'staging', state: 'released' }])
        isOver = failed.length === 0
      }
      expect(refusals).toBeGreaterThan(15)
      await using restarted = await hub.restart()
      await restarted.hub.settled()
      await expectWhole(restarted, ledger, number - 1)
    },
  )

  test('at any change of a promotion, a withdrawal and a hand-kept file', async () => {
    await using at = await openFaultyHub()
    const { hub } = at
    const ledger = new Ledger()
    const bytes = tarball({ f: '1' })
    ledger.build('shop', 1).sent.set(sha512(bytes), bytes)
    await hub.upload('shop', bytes, { build: '1' })
    const works = [
      async () =>
        await hub
          .as()
          .post('/api/v1/promotions')
          .send({ app: 'shop', build: 1, environment: 'production', liftWithdrawal: true }),
      async () => await withdrawNewest(hub),
      async () =>
        await hub
          .as()
          .put('/api/v1/environments/staging/files/profiles/mine')
          .send(`${String(Math.random())}\n`),
    ]
    for (const work of works) {
      for (let number = 1; ; number++) {
        const { answer, failed } = await at.during({ code, at: number, lasts: true }, work)
        if (failed.length === 0) break
        if (answer.status >= 400) expectRefusal(answer, code)
        const again = await work()
        // What was recorded before the fault is done: a withdrawal says so.
        expect([200, 201, 409], again.text).toContain(again.status)
        if (work === works[1]) await works[0]?.()
        if (work === works[0]) await withdrawNewest(hub)
      }
    }
    ledger.standing('shop', 1).possible = new Set(['released', 'withdrawn'])
    await using restarted = await hub.restart()
    await restarted.hub.settled()
    await expectWhole(restarted, ledger)
  })
})

async function withdrawNewest(hub: TestHub): Promise<Response> {
  const { body } = await hub.as().get('/api/v1/environments/production/releases')
  const path = `/api/v1/environments/production/releases/${body.items[0].id}/withdraw`
  return await hub.as().post(path).send({ reason: 'it was bad' })
}

test('where the archive is on another file system, a copy that fails leaves nothing', async () => {
  let isFailing = true
  const disk = watchedDisk((operation, path) => {
    if (operation === 'link' && !path.includes('/distfiles/staging/'))
      throw Object.assign(new Error('EXDEV'), { code: 'EXDEV' })
    if (isFailing && operation === 'rename' && path.includes('/archive/'))
      throw diskError('EIO', operation, path)
  })
  await using hub = await createTestHub({}, { disk })
  expect((await hub.upload('shop', tarball({ f: '1' }), { build: '1' })).status).toBe(500)
  expect(await hub.storedFiles()).toEqual([])
  isFailing = false
  const { body } = await hub.upload('shop', tarball({ f: '1' }), { build: '1' })
  expect(await hub.storedFiles()).toEqual([
    `distfiles/archive/${body.tarball.sha512.slice(0, 2)}/${body.tarball.sha512}`,
  ])
})

test('a mirror whose folder cannot be written falls behind, is served all the same, and catches up by itself', async () => {
  let isFailing = false
  const disk = watchedDisk((operation, path) => {
    if (isFailing && operation === 'link' && path.includes('/distfiles/staging/'))
      throw diskError('ENOSPC', operation, path)
  })
  await using hub = await createTestHub({}, { disk })
  isFailing = true
  expect((await hub.upload('shop', tarball({ f: '1' }), { build: '1' })).status).toBe(507)
  isFailing = false
  await hub.upload('shop', tarball({ f: '2' }), { build: '2' })
  const names = ['hub-shop-0_p1.tar.gz', 'hub-shop-0_p2.tar.gz']
  const { text: manifest } = await hub.as().get('/overlays/staging/tree/app-hub/shop/Manifest')
  for (const name of names) {
    expect(manifest).toContain(name)
    expect((await hub.as().get(`/distfiles/staging/${name}`)).status).toBe(200)
  }
  expect(await hub.hub.blobs.mirrored('staging')).toEqual(names.slice(1))
  await resumePromotions(hub.hub)
  expect((await hub.hub.blobs.mirrored('staging')).toSorted()).toEqual(names)
})

test('an upload whose publishing a fault ended is published when it is sent again', async () => {
  await using at = await openFaultyHub()
  const send = async () => await at.hub.upload('shop', tarball({ f: '1' }), { build: '1' })
  const overlay = at.hub.hub.overlays.get('staging') as Overlay
  overlay.publish = async () => await Promise.reject(diskError('EIO', 'handle.sync', 'a file'))
  expect((await send()).status).toBe(500)
  Reflect.deleteProperty(overlay, 'publish')
  const again = await send()
  expect(again.status).toBe(200)
  expect(again.body.promotions).toMatchObject([{ state: 'failed' }, { state: 'released' }])
  expect((await send()).body.promotions).toHaveLength(2)
})
