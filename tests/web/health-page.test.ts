/** Whether the hub is well, by page and by API. */
import { expect, test } from 'vitest'
import { JobRuns } from '../../src/jobs/job-runs.ts'
import { ALL, CHEAP, signedInAs } from '../support/browser.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, textOf } from './support.ts'

interface Answer {
  readonly state: string
  readonly checkedAt: string
  readonly checks: readonly { readonly check: string; readonly state: string; readonly toDo: string | null }[]
  readonly settings: readonly { readonly name: string; readonly value: unknown }[]
}

const NOW = '2026-11-29T12:00:00Z'
const healthOf = async (hub: TestHub) => (await hub.as().get('/api/v1/health')).body as Answer
const stateIn = ({ checks }: Answer, check: string) => checks.find((one) => one.check === check)?.state

test('a hub that is well says so, check by check, with what it is and what waits', async () => {
  await using hub = await createTestHub()
  hub.clock.set(NOW)
  const health = await healthOf(hub)
  expect(health.checks.filter(({ state }) => state !== 'ok')).toEqual([])
  expect(health.state).toBe('ok')
  for (const check of [
    'git',
    'data folder',
    'disk',
    'overlay key',
    'binhost key',
    'clock',
    'public URL',
    'audit',
  ])
    expect(stateIn(health, check), check).toBe('ok')
  const { status, text } = await hub.as().get('/health')
  expect(status).toBe(200)
  expect(text).toMatch(/<h1>Health <span class="state good">/)
  expect(textOf(text)).toMatch(/Uploads under way 0 /)
})

test('what is wrong comes first, with what to do about it', async () => {
  await using hub = await createTestHub()
  hub.clock.set('2020-01-01T00:00:00Z')
  const health = await healthOf(hub)
  expect([health.state, stateIn(health, 'clock')]).toEqual(['fail', 'fail'])
  const page = textOf((await hub.as().get('/health')).text)
  expect(page).toMatch(/Checks Check State Found What to do clock ill 2020/)
  expect(page).toContain('set the clock, and let NTP keep it')
})

test('host and addresses are looked at once a minute, and nobody waits for the next look', async () => {
  await using hub = await createTestHub()
  hub.clock.set(NOW)
  await Promise.all([healthOf(hub), healthOf(hub)])
  expect((await healthOf(hub)).checkedAt).toBe(NOW)
  hub.clock.set('2026-11-29T12:00:59Z')
  expect((await healthOf(hub)).checkedAt).toBe(NOW)
  hub.clock.set('2026-11-29T12:01:01Z')
  expect((await healthOf(hub)).checkedAt).toBe(NOW)
  await expect.poll(async () => (await healthOf(hub)).checkedAt).toBe('2026-11-29T12:01:01Z')
})

test('jobs tell when they ran, how that ended and when they come again', async () => {
  let time = new Date(NOW)
  const runs = new JobRuns({ now: () => time })
  runs.plan('sweep', '7 * * * *', () => new Date('2026-11-29T12:07:00Z'))
  const [planned] = runs.all()
  expect(planned).toMatchObject({ name: 'sweep', startedAt: null, runs: 0, nextAt: '2026-11-29T12:07:00Z' })
  await runs.run('sweep', async () => {
    expect(runs.all()[0]).toMatchObject({ startedAt: NOW, endedAt: null })
    time = new Date('2026-11-29T12:00:05Z')
    await Promise.resolve()
  })
  expect(runs.all()[0]).toMatchObject({ endedAt: '2026-11-29T12:00:05Z', error: null, runs: 1, failures: 0 })
  const failing = runs.run('sweep', async () => await Promise.reject(new Error('no <space> left')))
  await expect(failing).rejects.toThrow('no <space> left')
  expect(runs.all()[0]).toMatchObject({ error: 'no <space> left', runs: 2, failures: 1 })
})

test('a job that failed and deliveries that were given up are told of', async () => {
  await using hub = await createTestHub()
  hub.clock.set(NOW)
  const { jobRuns, records } = hub.hub
  await jobRuns
    .run('tend keys', async () => await Promise.reject(new Error('no <b>space')))
    .catch(() => undefined)
  const made = await hub.as().post('/api/v1/webhooks').send({ url: 'https://ci.example/' })
  const webhook = (made.body as { id: string }).id
  const delivery = { id: 'whd_1', webhook, seq: 1, type: 'pin.set', state: 'dead', attempts: 9 } as const
  const ended = { createdAt: NOW, nextAt: null, lastAt: NOW, lastStatus: 500, lastError: null }
  await records.webhooks.addDelivery({ ...delivery, ...ended })
  const health = await healthOf(hub)
  expect([stateIn(health, 'jobs'), stateIn(health, 'webhooks'), health.state]).toEqual([
    'warn',
    'warn',
    'warn',
  ])
  const { text } = await hub.as().get('/health')
  expect(text).toContain('<bdi>no &lt;b&gt;space</bdi>')
  expect(textOf(text)).toContain('0 waiting , 1 given up')
})

test('settings are shown without their secrets', async () => {
  const secret = 'smtp-secret-of-this-test'
  await using hub = await createTestHub({
    ...{ HUB_SMTP_URL: `smtp://hub:${secret}@mail.example`, HUB_MAIL_FROM: 'hub@example.org' },
  })
  const { text } = await hub.as().get('/health')
  expect(text).toContain('<code>HUB_ADMIN_TOKEN</code>')
  const answer = await hub.as().get('/api/v1/health')
  expect((answer.body as Answer).settings.find(({ name }) => name === 'adminToken')?.value).toBe('********')
  for (const said of [text, answer.text])
    for (const hidden of [secret, hub.hub.config.adminToken ?? '?']) expect(said).not.toContain(hidden)
})

test('it is for administrators alone', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const manager = await signedInAs(hub, 'manager', [{ role: 'release-manager', ...ALL }])
  expect((await manager.agent.get('/health').set(AS_BROWSER)).status).toBe(403)
})
