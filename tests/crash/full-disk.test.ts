/** A disk that is full, for real: a small file system in memory holds the data folder. */
import { randomBytes } from 'node:crypto'
import { open, readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { git, temporaryFolder } from '../git/support.ts'
import { mountMemory, testMounting } from '../support/mounts.ts'
import type { RawReply } from '../support/raw-http.ts'
import { send } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { Checked, checkFolder } from './checks.ts'
import { startProcess } from './hub-process.ts'
import { Ledger } from './ledger.ts'
import { sha512 } from './uploaders.ts'

const MIB = 1024 * 1024

/** Fills the disk and leaves so many bytes; `empty` makes room again. */
async function fill(directory: string, leftBytes: number): Promise<{ empty(): Promise<void> }> {
  const path = join(directory, 'filler')
  const handle = await open(path, 'w')
  const block = Buffer.alloc(4096)
  try {
    for (;;) await handle.write(block)
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
  } finally {
    await handle.close()
  }
  await truncate(path, Math.max(0, (await stat(path)).size - leftBytes))
  return { empty: async () => await rm(path) }
}

async function put(url: string, ledger: Ledger, build: number, bytes: Buffer): Promise<RawReply> {
  ledger.build('shop', build).sent.set(sha512(bytes), bytes)
  return await send(url, {
    method: 'PUT',
    path: `/api/v1/apps/shop/builds/${String(build)}/tarball`,
    body: bytes,
  })
}

testMounting('a full disk takes no upload and is still read; with room again all goes on', async () => {
  await using disk = await mountMemory(16 * MIB)
  await using hub = await startProcess(disk.path)
  const url = hub.url ?? ''
  const ledger = new Ledger()
  expect((await put(url, ledger, 1, tarball({ f: '1' }))).status).toBe(201)
  const filler = await fill(disk.path, 0)
  const large = tarball({ f: randomBytes(2 * MIB) })
  const refused = await put(url, ledger, 2, large)
  expect(refused.status).toBe(507)
  expect(refused.json).toMatchObject({ code: 'storage.full' })
  expect(await readdir(join(disk.path, 'var', 'uploads'))).toEqual([])
  await using folder = await temporaryFolder()
  await git(folder.path, ['clone', '--quiet', '--depth', '1', `${url}/git/staging.git`])
  expect((await send(url, { path: '/overlays/staging.zip' })).status).toBe(200)
  expect((await send(url, { path: '/distfiles/staging/hub-shop-0_p1.tar.gz' })).status).toBe(200)
  await filler.empty()
  expect((await put(url, ledger, 2, large)).status).toBe(201)
  expect(await checkFolder({ directory: disk.path, url, ledger, checked: new Checked() })).toEqual([])
})

testMounting(
  'a disk that fills up anywhere between an upload and its publishing leaves nothing half-made',
  async () => {
    await using disk = await mountMemory(24 * MIB)
    await using hub = await startProcess(disk.path, { env: { HUB_LOG_LEVEL: 'silent' } })
    const url = hub.url ?? ''
    const ledger = new Ledger()
    const statuses: number[] = []
    for (let build = 1; build <= 40; build++) {
      const bytes = tarball({ f: randomBytes(20_000) })
      const filler = await fill(disk.path, build * 4096)
      const reply = await put(url, ledger, build, bytes)
      statuses.push(reply.status)
      expect([201, 507], reply.text).toContain(reply.status)
      await filler.empty()
      const again = await put(url, ledger, build, bytes)
      expect(again.json, again.text).toMatchObject({
        releases: [{ environment: 'staging', state: 'released' }],
      })
    }
    expect(new Set(statuses)).toEqual(new Set([201, 507]))
    // The folder for people may have had no room for the last revision; the next one writes it whole.
    expect((await put(url, ledger, 41, tarball({ f: '41' }))).status).toBe(201)
    expect(await hub.stop()).toBe(0)
    await using again = await startProcess(disk.path)
    const scene = { directory: disk.path, url: again.url ?? '', ledger, checked: new Checked() }
    expect(await checkFolder({ ...scene, mayHaveFailed: true })).toEqual([])
  },
)

testMounting('a hub that starts on a full disk says so, and starts when there is room', async () => {
  await using disk = await mountMemory(8 * MIB)
  {
    await using hub = await startProcess(disk.path)
    expect(await hub.stop()).toBe(0)
  }
  const filler = await fill(disk.path, 0)
  await using refused = await startProcess(disk.path)
  expect(refused.url).toBeNull()
  expect((await refused.ended).said).toContain(`the data folder ${disk.path} takes no writes`)
  await filler.empty()
  await using again = await startProcess(disk.path)
  expect(again.url).not.toBeNull()
})
