import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import type { Config } from '../../src/config.ts'
import { startHub } from '../../src/serve.ts'
import { temporaryFolder } from '../git/support.ts'

function settings(directory: string, port = 0): Config {
  const env = { HUB_CONFIG: '', HUB_DATA_DIR: directory, HUB_PORT: String(port), HUB_LOG_LEVEL: 'silent' }
  return loadConfig(env).config
}

test('the first start makes an administrator’s token and tells it once; the next makes none', async () => {
  await using folder = await temporaryFolder()
  const first = await startHub(settings(folder.path))
  const secret = first.newAdminToken ?? ''
  expect(secret).toMatch(/^phub_/)
  const ask = { headers: { Authorization: `Bearer ${secret}` } }
  const reply = await fetch(`${first.hub.config.publicUrl}/api/v1/whoami`, ask)
  expect(await reply.json()).toMatchObject({ role: 'administrator' })
  await first[Symbol.asyncDispose]()
  await using again = await startHub(settings(folder.path))
  expect(again.newAdminToken).toBeNull()
})

test('a second hub on the same folder is refused, and the first goes on', async () => {
  await using folder = await temporaryFolder()
  await using first = await startHub(settings(folder.path))
  await expect(startHub(settings(folder.path))).rejects.toMatchObject({ code: 'hub.running' })
  expect((await fetch(`${first.hub.config.publicUrl}/readyz`)).status).toBe(200)
})

test('a port that is taken stops the start, and the folder is free again', async () => {
  await using folder = await temporaryFolder()
  await using other = await temporaryFolder()
  await using holder = await startHub(settings(other.path))
  const taken = settings(folder.path, holder.hub.config.port)
  await expect(startHub(taken)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await using started = await startHub(settings(folder.path))
  expect(started.hub.config.port).not.toBe(0)
})

test('another name for overlays that nodes know already stops the start', async () => {
  await using folder = await temporaryFolder()
  const first = await startHub(settings(folder.path))
  await first[Symbol.asyncDispose]()
  const renamed = { ...settings(folder.path), overlayPrefix: 'acme' }
  await expect(startHub(renamed)).rejects.toMatchObject({ code: 'config.invalid' })
})

test('a folder may be stopped and started any number of times, and nothing holds it', async () => {
  await using folder = await temporaryFolder()
  for (let start = 0; start < 3; start++) {
    const hub = await startHub(settings(folder.path))
    await hub[Symbol.asyncDispose]()
    await hub[Symbol.asyncDispose]()
  }
})
