/** A whole hub on a temporary folder, listening on a port of its own, with a clock that the test moves. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import supertest from 'supertest'
import type { Role } from '../../src/access/rights.ts'
import { createToken } from '../../src/access/tokens.ts'
import { loadConfig } from '../../src/config.ts'
import type { Hub, HubOverrides } from '../../src/hub.ts'
import { startHub } from '../../src/serve.ts'
import type { RunningHub } from '../../src/serve.ts'
import { checkAnswers } from './answer-check.ts'

export const ADMIN_TOKEN = 'the-administrator-of-this-test'

export interface TestHub extends AsyncDisposable {
  readonly hub: Hub
  readonly directory: string
  readonly url: string
  readonly clock: { now(): Date; set(time: string): void }
  /** Requests with a token: the administrator's unless another is given; null for none. */
  as(token?: string | null): ReturnType<typeof supertest.agent>
  /** Uploads a tarball as a form; more fields beside `build` and `version` as they are. */
  upload(
    app: string,
    tarball: Buffer,
    fields?: Readonly<Record<string, string>>,
    token?: string,
  ): Promise<supertest.Response>
  promote(app: string, build: number, environment: string, token?: string): Promise<supertest.Response>
  /** Makes a token and gives its secret. */
  token(role: string, scope?: Readonly<Record<string, unknown>>): Promise<string>
  /** The same of somebody of their own, who may so approve what tokens of others ask for. */
  tokenOf(owner: string, role: Role): Promise<string>
  /** Every file of the archive and of uploads in progress, by path below the data folder. */
  storedFiles(): Promise<readonly string[]>
  /** Stops this hub and starts another on the same folder. */
  restart(env?: Readonly<Record<string, string>>, parts?: Omit<HubOverrides, 'clock'>): Promise<TestHub>
}

/**
 * `env` are further settings by their variables; `parts` replace the hub's own, for example its log. Overlays have no
 * program of nodes unless it is among them.
 */
export async function createTestHub(
  env: Readonly<Record<string, string>> = {},
  parts: Omit<HubOverrides, 'clock'> = {},
): Promise<TestHub> {
  const directory = await mkdtemp(join(tmpdir(), 'portage-hub-test-'))
  return await openTestHub(directory, env, parts)
}

async function openTestHub(
  directory: string,
  env: Readonly<Record<string, string>>,
  parts: Omit<HubOverrides, 'clock'>,
): Promise<TestHub> {
  let time = new Date('2026-01-02T03:04:05Z')
  const clock = {
    now: () => time,
    set(text: string) {
      time = new Date(text)
    },
  }
  const settings = {
    HUB_DATA_DIR: directory,
    HUB_PORT: '0',
    HUB_ADMIN_TOKEN: ADMIN_TOKEN,
    HUB_LOG_LEVEL: 'silent',
    ...env,
  }
  const running = await startHub(loadConfig({ HUB_CONFIG: '', ...settings }).config, {
    hubNode: null,
    ...parts,
    clock,
  })
  return testHub(running, { directory, clock, env, parts })
}

function testHub(
  running: RunningHub,
  at: {
    readonly directory: string
    readonly clock: TestHub['clock']
    readonly env: Readonly<Record<string, string>>
    readonly parts: Omit<HubOverrides, 'clock'>
  },
): TestHub {
  const { hub, server } = running
  const faults = checkAnswers(server)
  const url = `http://${hub.config.host}:${String(hub.config.port)}`
  const as: TestHub['as'] = (token = ADMIN_TOKEN) => {
    const agent = supertest.agent(url)
    return token === null ? agent : agent.set('Authorization', `Bearer ${token}`)
  }
  let isStopped = false
  const stop = async (): Promise<void> => {
    if (isStopped) return
    isStopped = true
    await running[Symbol.asyncDispose]()
    if (faults.length > 0)
      throw new Error(`answers that the API's document does not have:\n${faults.join('\n')}`)
  }
  return {
    hub,
    directory: at.directory,
    url,
    clock: at.clock,
    as,
    async upload(app, tarball, fields = {}, token = ADMIN_TOKEN) {
      const request = as(token).post(`/api/v1/apps/${app}/builds`)
      for (const [name, value] of Object.entries(fields)) void request.field(name, value)
      return await request.attach('tarball', tarball, 'upload.tar')
    },
    async promote(app, build, environment, token = ADMIN_TOKEN) {
      return await as(token).post('/api/v1/promotions').send({ app, build, environment })
    },
    async token(role, scope = {}) {
      const reply = await as()
        .post('/api/v1/tokens')
        .send({ name: `a ${role}`, role, ...scope })
      if (reply.status !== 201) throw new Error(reply.text)
      return (reply.body as { token: string }).token
    },
    async tokenOf(owner, role) {
      const scope = { apps: null, environments: null, maySendCommands: true, expiresInSec: null }
      return (await createToken(hub, { name: owner, role, ...scope, by: 'a test', owner })).secret
    },
    async storedFiles() {
      const found: string[] = []
      for (const folder of ['distfiles/archive', 'var/uploads', 'var/partial-uploads']) {
        const entries = await readdir(join(at.directory, folder), { recursive: true, withFileTypes: true })
        for (const entry of entries) {
          if (!entry.isDirectory())
            found.push(join(entry.parentPath, entry.name).slice(at.directory.length + 1))
        }
      }
      return found.sort()
    },
    async restart(env = at.env, parts = at.parts) {
      await stop()
      return await openTestHub(at.directory, env, parts)
    },
    async [Symbol.asyncDispose]() {
      try {
        await stop()
      } finally {
        await rm(at.directory, { recursive: true, force: true })
      }
    },
  }
}
