/** `push` of a large file, over connections that break and hubs that stop, as a process. */
import { randomBytes } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { cuttingProxy } from '../support/cutting-proxy.ts'
import type { CuttingProxy } from '../support/cutting-proxy.ts'
import { tarOf } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { cliOf, temporaryFolder } from './support.ts'
import type { RunCli } from './support.ts'

const SHOP = gzipSync(tarOf({ name: 'shop/data', content: randomBytes(4_000_000) }), { level: 0 })
const ALWAYS = ['--resumable-above', '100K']

interface Scene extends AsyncDisposable {
  hub: TestHub
  readonly proxy: CuttingProxy
  readonly file: string
  readonly memory: string
  readonly cli: RunCli
  push(...args: readonly string[]): ReturnType<RunCli>
}

async function openScene(env: Readonly<Record<string, string>> = {}): Promise<Scene> {
  const parts = new AsyncDisposableStack()
  const hub = parts.use(await createTestHub(env))
  const proxy = parts.use(await cuttingProxy(hub.url))
  const folder = parts.use(await temporaryFolder())
  const file = join(folder.path, 'shop.tar.gz')
  await writeFile(file, SHOP)
  const cli = cliOf(proxy, { env: { XDG_STATE_HOME: join(folder.path, 'state') } })
  return {
    ...{ hub, proxy, file, cli, memory: join(folder.path, 'state', 'portage-hub', 'uploads.json') },
    push: async (...args) => await cli('push', 'shop', file, ...ALWAYS, ...args),
    [Symbol.asyncDispose]: async () => await parts.disposeAsync(),
  }
}

async function expectArchived({ hub }: Pick<Scene, 'hub'>, build = 45): Promise<void> {
  const got = await hub.as().get(`/api/v1/apps/shop/builds/${build}/tarball`).responseType('blob')
  expect((got.body as Buffer).equals(SHOP)).toBe(true)
  expect(await hub.storedFiles()).toHaveLength(1)
}

/** The hub hears of a broken connection later than the client. */
async function untilSettled({ hub }: Scene): Promise<void> {
  for (const { id } of await hub.hub.records.partialUploads.all())
    await expect.poll(() => hub.hub.partialUploads.holds.isHeld(id), { timeout: 20_000 }).toBe(false)
}

/** What a hub that stops never accepted cannot count: on a busy machine the proxy is ahead of it. */
async function untilReceiving({ hub: { hub } }: Scene): Promise<void> {
  const isReceiving = async (): Promise<boolean> =>
    (await hub.records.partialUploads.all()).some(
      ({ id, offsetBytes }) => offsetBytes > 0 || hub.partialUploads.holds.isHeld(id),
    )
  await expect.poll(isReceiving, { interval: 1, timeout: 20_000 }).toBe(true)
}

async function remembered({ memory }: Scene): Promise<readonly unknown[]> {
  return (JSON.parse(await readFile(memory, 'utf8')) as { uploads: unknown[] }).uploads
}

test('a large file is sent by /uploads, archived like a small one, and forgotten', async () => {
  await using scene = await openScene()
  const pushed = await scene.push('--build', '45', '--version', '6.1.0', '--commit', 'abc')
  expect(pushed.status, pushed.stderr).toBe(0)
  expect(pushed.stdout).toMatch(/^shop build 45 is archived as app-hub\/shop-6\.1\.0_p45\n/)
  expect(pushed.stderr).toMatch(/^3\.8 MiB checked and sent in \S+ s\n$/)
  await expectArchived(scene)
  expect((await scene.hub.hub.records.partialUploads.all()).length).toBe(1)
  expect(await remembered(scene)).toEqual([])
  const again = await scene.push('--build', '45')
  expect(again.stdout).toContain('was archived already')
})

test('a file that is not larger is sent in one request', async () => {
  await using scene = await openScene()
  const above = ['--resumable-above', String(SHOP.byteLength)]
  const pushed = await scene.cli('push', 'shop', scene.file, '--build', '45', ...above)
  expect(pushed.status, pushed.stderr).toBe(0)
  expect(await scene.hub.hub.records.partialUploads.all()).toEqual([])
})

test('a connection that breaks is followed by another one, which goes on there', async () => {
  await using scene = await openScene()
  scene.proxy.cuts.push(1_000_000, 500_001, 1_234_567)
  const pushed = await scene.push('--build', '45')
  expect(pushed.status, pushed.stderr).toBe(0)
  expect(scene.proxy.cuts).toEqual([])
  expect(pushed.stderr.match(/; trying again\n/g)).toHaveLength(3)
  expect(scene.proxy.sentBytes).toBeLessThan(SHOP.byteLength + 1_000_000)
  await expectArchived(scene)
})

test('a hub that is stopped and started again is waited for', async () => {
  await using scene = await openScene()
  const hubs = new AsyncDisposableStack()
  await using _ = hubs
  scene.proxy.onCut = async () => {
    await untilReceiving(scene)
    scene.proxy.target = null
    scene.hub = hubs.use(await scene.hub.restart())
    // The first who comes back finds nobody.
    setTimeout(() => (scene.proxy.target = scene.hub.url), 700)
  }
  scene.proxy.cuts.push(2_000_000)
  const pushed = await scene.push('--build', '45')
  expect(pushed.status, pushed.stderr).toBe(0)
  expect(scene.proxy.cuts).toEqual([])
  expect(scene.proxy.sentBytes).toBeLessThan(SHOP.byteLength + 1_000_000)
  await expectArchived(scene)
})

describe('when it gives up', () => {
  test('it says how to go on, and the same command goes on there', async () => {
    await using scene = await openScene()
    scene.proxy.cuts.push(2_500_000)
    scene.proxy.onCut = async () => {
      scene.proxy.target = null
    }
    const cut = await scene.push('--build', '45', '--retry-for', '2s')
    expect(cut.status).toBe(6)
    expect(cut.stderr).toMatch(/\(hub\.unreachable\)/)
    expect(cut.stderr).toContain(
      `what the hub has of ${scene.file} is kept until 2026-01-03 03:04 UTC at least: run the same command again to go on from there`,
    )
    const upload = expect.stringMatching(/^upl_/) as string
    expect(await remembered(scene)).toMatchObject([{ hub: scene.proxy.url, upload }])
    expect((await stat(scene.memory)).mode & 0o777).toBe(0o600)
    const before = scene.proxy.sentBytes
    scene.proxy.target = scene.hub.url
    const pushed = await scene.push('--build', '45')
    expect(pushed.status, pushed.stderr).toBe(0)
    expect(pushed.stderr).toMatch(
      /^going on where an earlier run was cut: the hub has 2\.\d MiB of 3\.8 MiB$/m,
    )
    expect(scene.proxy.sentBytes - before).toBeLessThan(SHOP.byteLength - 2_000_000)
    await expectArchived(scene)
    expect(await remembered(scene)).toEqual([])
  })

  test('with no time for another try it ends at the first failure', async () => {
    await using scene = await openScene()
    scene.proxy.cuts.push(2_500_000)
    const cut = await scene.push('--build', '45', '--retry-for', '0')
    expect(cut.status).toBe(6)
  })

  test('and the upload expires meanwhile, the next run begins anew', async () => {
    await using scene = await openScene()
    scene.proxy.cuts.push(2_500_000)
    await scene.push('--build', '45', '--retry-for', '0')
    await untilSettled(scene)
    scene.hub.clock.set('2026-02-01T00:00:00Z')
    const pushed = await scene.push('--build', '45')
    expect(pushed.status, pushed.stderr).toBe(0)
    expect(pushed.stderr).not.toContain('going on')
  })
})

test('an answer that was never heard is asked for again, also for a build without a number', async () => {
  await using scene = await openScene()
  let isFirst = true
  const { hub } = scene
  const archivedAs = hub.hub.records.partialUploads.archivedAs.bind(hub.hub.records.partialUploads)
  hub.hub.records.partialUploads.archivedAs = async (...args) => {
    await archivedAs(...args)
    if (!isFirst) return
    isFirst = false
    hub.hub.partialUploads.remove = async () => {}
    throw new Error('the answer is lost')
  }
  const pushed = await scene.push()
  expect(pushed.status, pushed.stderr).toBe(0)
  expect(pushed.stdout).toMatch(/^shop build 1 was archived already/)
  expect((await hub.as().get('/api/v1/apps/shop')).body).toMatchObject({ lastBuild: 1 })
})

test('after a dry run, and after a refusal, the bytes are not sent again', async () => {
  await using scene = await openScene()
  const dry = await scene.push('--build', '45', '--dry-run')
  expect(dry.stdout).toMatch(/^shop build 45 would be archived as/)
  const { sentBytes } = scene.proxy
  const refused = await scene.push('--build', '45', '--version', '6.1.0', '--promote', 'nowhere')
  expect(refused.status).toBe(5)
  const pushed = await scene.push('--build', '45')
  expect(pushed.status, pushed.stderr).toBe(0)
  expect(scene.proxy.sentBytes - sentBytes).toBeLessThan(20_000)
  await expectArchived(scene)
})

test('bytes that are not those of the file are refused as a whole, and sent anew the next time', async () => {
  await using scene = await openScene()
  scene.proxy.cuts.push(2_500_000)
  await scene.push('--build', '45', '--retry-for', '0')
  await untilSettled(scene)
  const [upload] = await scene.hub.hub.records.partialUploads.all()
  const path = scene.hub.hub.paths.partialUpload(upload?.id ?? '')
  const damaged = await readFile(path)
  damaged[1000] = (damaged[1000] ?? 0) ^ 1
  await writeFile(path, damaged)
  const refused = await scene.push('--build', '45')
  expect(refused.status).toBe(3)
  expect(refused.stderr).toContain('(upload.digest_mismatch)')
  expect(await scene.hub.storedFiles()).toEqual([])
  const pushed = await scene.push('--build', '45')
  expect(pushed.status, pushed.stderr).toBe(0)
  await expectArchived(scene)
})

test('a file larger than the hub takes is refused before it is read', async () => {
  await using scene = await openScene({ HUB_MAX_UPLOAD: '2MiB' })
  const refused = await scene.push('--build', '45')
  expect(refused).toMatchObject({ status: 3, stdout: '' })
  expect(refused.stderr).toMatch(/has 3\.8 MiB, and this hub takes 2\.0 MiB.*\(upload\.too_large\)/)
})

test('a recipe beside it is sent in each try', async () => {
  await using scene = await openScene()
  const recipe = `${scene.file}.yaml`
  await writeFile(recipe, 'category: app-acme\n')
  scene.proxy.cuts.push(1_000_000)
  const pushed = await scene.push('--build', '45', '--recipe', recipe)
  expect(pushed.stdout, pushed.stderr).toContain('app-acme/shop-0_p45')
})

test('without a place to remember it, it works all the same', async () => {
  await using scene = await openScene()
  const cli = cliOf(scene.proxy)
  scene.proxy.cuts.push(1_000_000)
  const pushed = await cli('push', 'shop', scene.file, '--build', '45', ...ALWAYS)
  expect(pushed.status, pushed.stderr).toBe(0)
})

test.each([
  ['--resumable-above', '64MB'],
  ['--resumable-above', '-1'],
  ['--retry-for', 'long'],
  ['--retry-for', '1d'],
])('%s %s is wrong usage', async (...args) => {
  await using scene = await openScene()
  const ended = await scene.push(...args)
  expect(ended).toMatchObject({ status: 2, stdout: '' })
})
