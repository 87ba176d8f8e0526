/**
 * A hub to look at: real, on a folder of its own and on loopback, with a CI, people and nodes that act on it. Only they are
 * played, and so is the time of the three weeks before it begins.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { loadConfig } from '../config.ts'
import { startHub } from '../serve.ts'
import type { RunningHub } from '../serve.ts'
import { DemoClient } from './client.ts'
import { liveOn } from './daily-life.ts'
import { DemoClock } from './demo-clock.ts'
import { Random } from './random.ts'
import { Stage } from './stage.ts'
import { STORY_DAYS, tellStory } from './story.ts'
import { openReceiver } from './webhook-receiver.ts'

const OVERLAY_PREFIX = 'demo'

export interface DemoOptions {
  /** 0: any that is free. Of another one that somebody has already, any is taken too. */
  readonly port: number
  readonly seed: number
  /** Ends the making of it, too. */
  readonly signal: AbortSignal
}

export interface Demo extends AsyncDisposable {
  readonly url: string
  readonly folder: string
  readonly adminToken: string
  /** Links by which somebody signs in once. */
  readonly links: { readonly admin: string; readonly approver: string }
  /** Builds arrive, people decide, nodes follow, with a pause between two steps. Resolves when the signal has ended it. */
  goOn(pace: { readonly stepMs: number }): Promise<void>
}

/** Makes a demo and resolves when everything is there to be looked at. Disposed of, it leaves nothing behind. */
export async function startDemo({ port, seed, signal }: DemoOptions): Promise<Demo> {
  await using start = new AsyncDisposableStack()
  const folder = await mkdtemp(path.join(tmpdir(), 'portage-hub-demo-'))
  start.defer(async () => {
    await rm(folder, { recursive: true, force: true })
  })
  const receiver = start.use(await openReceiver())
  const clock = new DemoClock(STORY_DAYS)
  const adminToken = `demo_${randomBytes(24).toString('base64url')}`
  const { hub } = start.use(await startAnywhere(port, { folder, adminToken, clock }))
  const url = hub.config.publicUrl
  const around = { clock, random: new Random(seed), overlayPrefix: OVERLAY_PREFIX }
  const stage = new Stage(new DemoClient(url, adminToken), around)
  await stage.addPeople()
  await stage.addWebhook({ url: receiver.steady, environment: 'production' })
  await stage.addWebhook({ url: receiver.shaky, types: ['release.published', 'hold.set', 'yank.set'] })
  await tellStory(stage, clock, signal)
  clock.run()
  const links = { admin: await stage.signInLink('admin'), approver: await stage.signInLink('tomas') }
  const parts = start.move()
  return {
    ...{ url, folder, adminToken, links },
    async goOn({ stepMs }) {
      await liveOn(stage, { signal, stepMs })
    },
    async [Symbol.asyncDispose]() {
      await parts.disposeAsync()
    },
  }
}

async function startAnywhere(
  port: number,
  hub: { readonly folder: string; readonly adminToken: string; readonly clock: DemoClock },
): Promise<RunningHub> {
  // Nothing of the caller's own settings: a demo must not come upon a real hub's data.
  const { config } = loadConfig({
    ...{ HUB_CONFIG: '', HUB_DATA_DIR: hub.folder, HUB_HOST: '127.0.0.1', HUB_PORT: String(port) },
    ...{ HUB_ADMIN_TOKEN: hub.adminToken, HUB_OVERLAY_PREFIX: OVERLAY_PREFIX, HUB_CATEGORY: 'app-acme' },
    ...{ HUB_WEBHOOK_ALLOW: '127.0.0.1', HUB_LOG_LEVEL: 'error' },
  })
  try {
    return await startHub(config, { clock: hub.clock })
  } catch (error) {
    if (port === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    return await startAnywhere(0, hub)
  }
}
