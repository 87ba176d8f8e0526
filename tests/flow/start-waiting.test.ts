import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { startHub } from '../../src/serve.ts'
import { temporaryFolder } from '../git/support.ts'

async function freePort(): Promise<number> {
  await using folder = await temporaryFolder()
  await using hub = await startHub(settings(folder.path, 0))
  return hub.hub.config.port
}

function settings(directory: string, port: number) {
  const env = { HUB_CONFIG: '', HUB_DATA_DIR: directory, HUB_PORT: String(port), HUB_LOG_LEVEL: 'silent' }
  return loadConfig(env).config
}

test('who comes while the hub starts is answered when it is ready', async () => {
  await using folder = await temporaryFolder()
  const port = await freePort()
  let early: Promise<Response> | undefined
  const steps = {
    reached(step: string) {
      if (step === 'start.opened') early = fetch(`http://127.0.0.1:${String(port)}/healthz`)
    },
  }
  await using _hub = await startHub(settings(folder.path, port), { steps })
  expect((await early)?.status).toBe(200)
})

test('who comes while the hub starts and fails is not kept waiting', async () => {
  await using folder = await temporaryFolder()
  const port = await freePort()
  let early: Promise<unknown> | undefined
  const steps = {
    reached(step: string) {
      if (step === 'start.opened')
        early = fetch(`http://127.0.0.1:${String(port)}/healthz`).catch((error: unknown) => error)
      if (step === 'start.mirrored') throw new Error('this start fails')
    },
  }
  await expect(startHub(settings(folder.path, port), { steps })).rejects.toThrow('this start fails')
  expect(await early).toBeInstanceOf(TypeError)
})
