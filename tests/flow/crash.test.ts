/** What a start finds after a process died between two steps, and what a running hub makes of a step that failed. */
import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { git } from '../git/support.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const ONE = tarball({ f: '1' })
const TWO = tarball({ f: '2' })
/** Each start gets a port of its own, which would be an address of its own, which would be a revision. */
const SAME_ADDRESS = { HUB_PUBLIC_URL: 'https://hub.example' }
const EBUILD = '/overlays/staging/tree/app-hub/shop/shop-0_p1.ebuild'

/** Makes a method fail from now on, as if the process died there; the returned function mends it. */
function breakMethod<T extends object>(target: T, name: keyof T & string): () => void {
  const broken = (): never => {
    throw new Error('the process died here')
  }
  Object.defineProperty(target, name, { value: broken, configurable: true })
  return () => {
    Reflect.deleteProperty(target, name)
  }
}

/** A promotion gets as far as to say that it publishes. */
function dieWhilePublishing(hub: TestHub, environment: string): void {
  breakMethod(hub.hub.overlays.get(environment)!, 'publish')
  onPromotionUpdate(hub, (state) => (state === 'publishing' ? 'kept' : 'lost'))
}

/** What becomes of each move of a promotion. They are made in transactions, which have records of their own. */
function onPromotionUpdate(
  hub: TestHub,
  fateOf: (state: string | undefined) => 'kept' | 'lost' | 'deadly',
): void {
  const transaction = hub.hub.records.transaction.bind(hub.hub.records)
  hub.hub.records.transaction = async (work) =>
    await transaction(async (records) => {
      const update = records.promotions.update.bind(records.promotions)
      records.promotions.update = async (id, change) => {
        const fate = fateOf(change.state)
        if (fate === 'deadly') throw new Error('the process died here')
        if (fate === 'kept') await update(id, change)
      }
      return await work(records)
    })
}

async function commits(hub: TestHub, environment = 'staging'): Promise<readonly string[]> {
  const { body } = await hub.as().get(`/api/v1/environments/${environment}/revisions`)
  return body.items.map(({ commit }: { commit: string }) => commit)
}

async function tip(hub: TestHub, environment = 'staging'): Promise<string> {
  return await git(join(hub.directory, 'overlays', `${environment}.git`), ['rev-parse', 'main'])
}

async function expectPublished(hub: TestHub): Promise<void> {
  expect((await hub.as().get(EBUILD)).status).toBe(200)
  expect((await hub.as().get('/distfiles/staging/hub-shop-0_p1.tar.gz')).status).toBe(200)
  expect((await hub.as().get('/api/v1/apps/shop/builds/1')).body.releases).toHaveLength(1)
  expect((await hub.as().get('/api/v1/promotions')).body.items).toMatchObject([{ state: 'released' }])
  expect(await hub.hub.blobs.mirrored('staging')).toEqual(['hub-shop-0_p1.tar.gz'])
  expect(await tip(hub)).toBe((await commits(hub))[0])
  expect(await readdir(join(hub.directory, 'var', 'uploads'))).toEqual([])
}

describe('after a crash', () => {
  test('between bytes and rows nothing is left, and the upload can be sent again', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    breakMethod(hub.hub.records, 'transaction')
    const adopt = hub.hub.blobs.adopt.bind(hub.hub.blobs)
    hub.hub.blobs.adopt = async (...args) => {
      const adoption = await adopt(...args)
      // A process that has died undoes nothing.
      return { ...adoption, undo: async () => {} }
    }
    expect((await hub.upload('shop', ONE, { build: '1' })).status).toBe(500)
    expect(await hub.storedFiles()).toHaveLength(2)
    await using again = await hub.restart()
    expect(await again.storedFiles()).toEqual([])
    expect((await again.as().get('/api/v1/apps')).body.items).toEqual([])
    expect((await again.upload('shop', ONE, { build: '1' })).status).toBe(201)
    await expectPublished(again)
  })

  test('between the rows of the build and its release, the start publishes it', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    breakMethod(hub.hub.overlays.get('staging')!, 'publish')
    onPromotionUpdate(hub, () => 'deadly')
    expect((await hub.upload('shop', ONE, { build: '1' })).status).toBe(500)
    expect((await hub.as().get(EBUILD)).status).toBe(404)
    await using again = await hub.restart()
    await expectPublished(again)
  })

  test('between the revision’s row and the mirror, the start shows both', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    breakMethod(hub.hub.blobs, 'linkIntoMirror')
    expect((await hub.upload('shop', ONE, { build: '1' })).status).toBe(500)
    expect((await hub.as().get(EBUILD)).status).toBe(404)
    await using again = await hub.restart()
    await expectPublished(again)
  })

  test('between the pack and the ref, the start moves the ref', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    breakMethod(hub.hub.overlays.get('staging')!.repository, 'updateTip')
    expect((await hub.upload('shop', ONE, { build: '1' })).status).toBe(500)
    expect((await hub.as().get(EBUILD)).status).toBe(404)
    await using again = await hub.restart()
    await expectPublished(again)
    expect(await commits(again)).toHaveLength(2)
  })

  test('before the promotion learns of its release, the start tells it', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    onPromotionUpdate(hub, (state) => (state === 'released' ? 'deadly' : 'kept'))
    expect((await hub.upload('shop', ONE, { build: '1' })).status).toBe(500)
    await using again = await hub.restart()
    await expectPublished(again)
    expect(await commits(again)).toHaveLength(2)
  })

  test('of an upload that goes to two environments, the start finishes both in their order', async () => {
    const env = { HUB_ENVIRONMENTS: 'dev:automatic qa:automatic' }
    await using hub = await createTestHub(env)
    dieWhilePublishing(hub, 'dev')
    expect((await hub.upload('shop', ONE, { build: '1' })).status).toBe(500)
    await using again = await hub.restart()
    expect((await again.as().get('/api/v1/promotions')).body.items).toMatchObject([
      { environment: 'qa', state: 'released' },
      { environment: 'dev', state: 'released' },
    ])
  })

  test('a promotion to an environment that is gone ends as failed', async () => {
    await using hub = await createTestHub({ HUB_ENVIRONMENTS: 'dev qa' })
    await hub.upload('shop', ONE, { build: '1' })
    await hub.promote('shop', 1, 'dev')
    dieWhilePublishing(hub, 'qa')
    await hub.promote('shop', 1, 'qa')
    await using again = await hub.restart({ HUB_ENVIRONMENTS: 'dev' })
    expect(await again.hub.records.promotions.inState('failed')).toMatchObject([
      { environment: 'qa', detail: 'there is no environment qa any more' },
    ])
    expect((await again.upload('shop', TWO, { build: '2' })).status).toBe(201)
  })
})

describe('a leftover of an adoption', () => {
  async function leave(hub: TestHub, sha512: string): Promise<void> {
    const marker = join(hub.directory, 'var', 'uploads', `${sha512}.x.adopting`)
    await copyFile(hub.hub.paths.blob(sha512), marker)
  }

  test('whose row is there goes alone: the blob stays', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    const { body } = await hub.upload('shop', ONE, { build: '1' })
    const files = await hub.storedFiles()
    await leave(hub, body.tarball.sha512)
    await using again = await hub.restart()
    expect(await again.storedFiles()).toEqual(files)
    await expectPublished(again)
  })

  test('whose row is missing goes with its blob', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    const sha512 = 'ab'.repeat(64)
    await mkdir(dirname(hub.hub.paths.blob(sha512)), { recursive: true })
    await writeFile(hub.hub.paths.blob(sha512), 'bytes of nobody')
    await leave(hub, sha512)
    await using again = await hub.restart()
    expect(await again.storedFiles()).toEqual([])
  })

  test('whose blob never came goes too', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    await writeFile(join(hub.directory, 'var', 'uploads', `${'cd'.repeat(64)}.x.adopting`), 'x')
    await writeFile(join(hub.directory, 'var', 'uploads', 'half-received'), 'x')
    await using again = await hub.restart()
    expect(await again.storedFiles()).toEqual([])
  })
})

describe('a fault that passes', () => {
  test('while the mirror is written: the same promotion again is finished as what it was', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    await hub.upload('shop', ONE, { build: '1' })
    const mend = breakMethod(hub.hub.blobs, 'linkIntoMirror')
    expect((await hub.promote('shop', 1, 'production')).status).toBe(500)
    mend()
    const [cut] = (await hub.as().get('/api/v1/promotions')).body.items
    expect(cut).toMatchObject({ environment: 'production', state: 'publishing' })
    const again = await hub.promote('shop', 1, 'production')
    expect(again.status, again.text).toBeLessThan(300)
    expect(again.body).toMatchObject({ id: cut.id, state: 'released' })
    expect((await hub.as().get(`/api/v1/promotions/${cut.id}`)).body).toMatchObject({ state: 'released' })
    expect(await hub.hub.blobs.mirrored('production')).toEqual(['hub-shop-0_p1.tar.gz'])
  })

  test('while the ref is moved: the next upload shows both revisions', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    const mend = breakMethod(hub.hub.overlays.get('staging')!.repository, 'updateTip')
    expect((await hub.upload('shop', ONE, { build: '1' })).status).toBe(500)
    mend()
    expect((await hub.upload('shop', TWO, { build: '2' })).status).toBe(201)
    expect((await hub.as().get(EBUILD)).status).toBe(200)
    expect(await tip(hub)).toBe((await commits(hub))[0])
    expect((await hub.upload('shop', ONE, { build: '1' })).body).toMatchObject({
      promotions: [{ state: 'released' }],
    })
  })

  test('before anything of a promotion is recorded: it has failed, and may be asked for again', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    await hub.upload('shop', ONE, { build: '1' })
    const mend = breakMethod(hub.hub.overlayKeys.current, 'sign')
    expect((await hub.promote('shop', 1, 'production')).status).toBe(500)
    mend()
    expect((await hub.as().get('/api/v1/promotions')).body.items[0]).toMatchObject({ state: 'failed' })
    expect((await hub.promote('shop', 1, 'production')).status).toBe(201)
  })

  test('of the folder for people does not keep an overlay from being published', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    const mend = breakMethod(hub.hub.trees, 'apply')
    expect((await hub.upload('shop', ONE, { build: '1' })).status).toBe(201)
    await hub.hub.settled()
    mend()
    await hub.upload('shop', TWO, { build: '2' })
    await hub.hub.settled()
    const folder = join(hub.directory, 'overlays', 'staging', 'app-hub', 'shop')
    expect(await readdir(folder)).toEqual([
      'Manifest',
      'metadata.xml',
      'shop-0_p1.ebuild',
      'shop-0_p2.ebuild',
    ])
  })
})

describe('what is lost is made again from the records', () => {
  async function openScene(): Promise<TestHub> {
    const hub = await createTestHub(SAME_ADDRESS)
    await hub.upload('shop', ONE, { build: '1' })
    hub.clock.set('2026-03-01T00:00:00Z')
    await hub.upload('shop', TWO, { build: '2' })
    await hub.as().put('/api/v1/environments/staging/files/profiles/mine').send('by hand\n')
    await hub.hub.settled()
    return hub
  }

  test('the repository, with the same commits', async () => {
    await using hub = await openScene()
    const before = await commits(hub)
    const zip = (await hub.as().get('/overlays/staging.zip')).headers['etag']
    await rm(join(hub.directory, 'overlays', 'staging.git'), { recursive: true })
    await using again = await hub.restart()
    expect(await commits(again)).toEqual(before)
    const repository = join(hub.directory, 'overlays', 'staging.git')
    expect((await git(repository, ['rev-list', 'main'])).split('\n')).toEqual(before)
    expect(await git(repository, ['fsck', '--strict', '--full'])).toBe('')
    expect((await again.as().get('/overlays/staging.zip')).headers['etag']).toBe(zip)
  })

  test('a repository put back from an old copy catches up', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    const repository = join(hub.directory, 'overlays', 'staging.git')
    await hub.upload('shop', ONE, { build: '1' })
    await cp(repository, join(hub.directory, 'old.git'), { recursive: true })
    await hub.upload('shop', TWO, { build: '2' })
    const before = await commits(hub)
    await rm(repository, { recursive: true })
    await rename(join(hub.directory, 'old.git'), repository)
    await using again = await hub.restart()
    expect((await git(repository, ['rev-list', 'main'])).split('\n')).toEqual(before)
    expect(await commits(again)).toEqual(before)
    expect(await git(repository, ['fsck', '--strict', '--full'])).toBe('')
  })

  test.each(['whole', 'but for .gitkeep'])('the folder for people, %s', async (how) => {
    await using hub = await openScene()
    const folder = join(hub.directory, 'overlays', 'staging')
    await rm(folder, { recursive: true })
    if (how !== 'whole') {
      await mkdir(folder)
      await writeFile(join(folder, '.gitkeep'), '')
    }
    await using again = await hub.restart()
    await again.hub.settled()
    expect(existsSync(join(folder, 'app-hub', 'shop', 'shop-0_p2.ebuild'))).toBe(true)
    expect(existsSync(join(folder, 'profiles', 'mine'))).toBe(true)
  })

  test('the folders of the mirrors, and what does not belong there goes', async () => {
    await using hub = await openScene()
    await hub.promote('shop', 1, 'production')
    await rm(join(hub.directory, 'distfiles', 'staging'), { recursive: true })
    await writeFile(join(hub.directory, 'distfiles', 'production', 'stray.tar.gz'), 'x')
    await using again = await hub.restart()
    expect((await again.hub.blobs.mirrored('staging')).toSorted()).toEqual([
      'hub-shop-0_p1.tar.gz',
      'hub-shop-0_p2.tar.gz',
    ])
    expect(await again.hub.blobs.mirrored('production')).toEqual(['hub-shop-0_p1.tar.gz'])
  })
})

test('a restart of a hub that did nothing since changes nothing', async () => {
  await using hub = await createTestHub(SAME_ADDRESS)
  await hub.upload('shop', ONE, { build: '1' })
  await hub.promote('shop', 1, 'production')
  const before = [await commits(hub), await commits(hub, 'production'), await hub.storedFiles()]
  await using again = await hub.restart()
  expect([await commits(again), await commits(again, 'production'), await again.storedFiles()]).toEqual(
    before,
  )
})
