/** A clock that is set back, while the hub runs and between two starts of it. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { startHub } from '../../src/serve.ts'
import { git, temporaryFolder } from '../git/support.ts'
import { tarball } from '../support/tarballs.ts'
import { findingsOf } from '../support/verify.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const SETTINGS = { HUB_PUBLIC_URL: 'https://hub.example' }

async function releases(hub: TestHub): Promise<readonly { readonly id: string; readonly state: string }[]> {
  return (await hub.as().get('/api/v1/apps/shop/builds/1')).body.releases
}

async function withdraw(hub: TestHub): Promise<void> {
  const id = (await releases(hub)).at(-1)?.id ?? ''
  const path = `/api/v1/environments/staging/releases/${id}/withdraw`
  expect((await hub.as().post(path).send({ reason: 'it was bad' })).status).toBe(200)
}

async function lift(hub: TestHub): Promise<void> {
  const body = { app: 'shop', build: 1, environment: 'staging', liftWithdrawal: true }
  expect((await hub.as().post('/api/v1/promotions').send(body)).status).toBe(201)
}

async function expectClean(hub: TestHub): Promise<void> {
  await hub.hub.settled()
  expect(await findingsOf(hub.directory)).toEqual([])
}

/** Seconds since 1970 of each commit, oldest first. */
async function commitTimes(hub: TestHub, environment: string): Promise<readonly number[]> {
  const repository = join(hub.directory, 'overlays', `${environment}.git`)
  return (await git(repository, ['log', '--reverse', '--format=%ct', 'main'])).split('\n').map(Number)
}

test('no revision is dated before its parent, in this run and the next', async () => {
  await using hub = await createTestHub(SETTINGS)
  hub.clock.set('2030-01-01T00:00:00Z')
  await hub.upload('shop', tarball({ f: '1' }), { build: '1' })
  hub.clock.set('2020-01-01T00:00:00Z')
  await hub.upload('shop', tarball({ f: '2' }), { build: '2' })
  await using again = await hub.restart()
  await again.upload('shop', tarball({ f: '3' }), { build: '3' })
  const times = await commitTimes(again, 'staging')
  expect(times).toHaveLength(4)
  expect(times.toSorted((a, b) => a - b)).toEqual(times)
  await expectClean(again)
})

test('the last thing that happened to a build is the last in its history', async () => {
  await using hub = await createTestHub(SETTINGS)
  hub.clock.set('2030-01-01T00:00:00Z')
  await hub.upload('shop', tarball({ f: '1' }), { build: '1' })
  await withdraw(hub)
  hub.clock.set('2020-01-01T00:00:00Z')
  await lift(hub)
  expect((await releases(hub)).map(({ state }) => state)).toEqual(['withdrawn', 'released'])
  expect((await hub.as().get('/overlays/staging/tree/profiles/package.mask')).status).toBe(404)
  await withdraw(hub)
  await using again = await hub.restart()
  await lift(again)
  expect((await releases(again)).map(({ state }) => state)).toEqual(['withdrawn', 'withdrawn', 'released'])
  const { body } = await again.as().get('/api/v1/promotions')
  expect(body.items[0]).toMatchObject({ state: 'released', releaseId: (await releases(again)).at(-1)?.id })
  await expectClean(again)
})

test('an overlay that begins before the signing key was made is signed all the same', async () => {
  await using folder = await temporaryFolder()
  const settings = { HUB_CONFIG: '', HUB_DATA_DIR: folder.path, HUB_PORT: '0', HUB_LOG_LEVEL: 'silent' }
  const start = async (time: string, environments: string) => {
    const { config } = loadConfig({ ...settings, ...SETTINGS, HUB_ENVIRONMENTS: environments })
    return await startHub(config, { clock: { now: () => new Date(time) } })
  }
  const first = await start('2026-01-01T00:00:00Z', 'dev')
  await first[Symbol.asyncDispose]()
  await using again = await start('2020-01-01T00:00:00Z', 'dev qa')
  const overlay = again.hub.overlays.get('qa')
  expect(overlay?.state?.revision).toBe(1)
  const time = await git(overlay?.repository.path ?? '', ['log', '-1', '--format=%cI', 'main'])
  expect(new Date(time)).toEqual(new Date('2026-01-01T00:00:00Z'))
})
