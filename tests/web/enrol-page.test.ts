/** Enrolling a node from a page: the command, shown once, and the machine that comes with it. */
import { expect, test } from 'vitest'
import type { Grant } from '../../src/access/rights.ts'
import { CHEAP, signedInAs } from '../support/browser.ts'
import type { Browser } from '../support/browser.ts'
import { reportOf } from '../support/node-reports.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, sendForm, textOf } from './support.ts'

const MANAGER: Grant = { role: 'release-manager', apps: null, environments: null }

const page = async ({ agent }: Browser, path: string) => await agent.get(path).set(AS_BROWSER)

/** What the page of an enrolment has for whoever enrols. */
async function enrolment(hub: TestHub, browser: Browser, fields: Readonly<Record<string, string>>) {
  const reply = await sendForm(hub, browser, '/nodes/enrol', {
    environment: 'staging',
    expiresIn: '1h',
    ...fields,
  })
  expect(reply.status, reply.text).toBe(200)
  const secret = /HUB_ENROL_TOKEN=(phub_[\w-]+)/.exec(reply.text)?.[1] ?? ''
  const address = /hx-get="(\/nodes\/enrol\?token=tok_[0-9a-z]+)"/.exec(reply.text)?.[1] ?? ''
  return { reply, secret, address }
}

test('an administrator gets the command for a machine, with a token that is shown once', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const browser = await signedInAs(hub, 'ada')
  expect((await page(browser, '/nodes')).text).toContain('href="/nodes/enrol"')
  const form = (await page(browser, '/nodes/enrol?environment=production')).text
  expect(form).toMatch(/<option value="production" selected\s*>/)
  const { reply, secret, address } = await enrolment(hub, browser, { node: 'web1' })
  expect(reply.headers['cache-control']).toBe('no-store')
  expect(textOf(reply.text)).toContain(
    `curl -fsS ${hub.url}/enroll.sh | HUB_ENROL_TOKEN=${secret} sh -s -- --environment staging --name web1`,
  )
  const shown = (await page(browser, address)).text
  expect(shown).not.toContain(secret)
  expect(textOf(shown)).toContain('It was shown once')
  const { items } = (await hub.as().get('/api/v1/tokens')).body
  expect(items.at(-1)).toMatchObject({
    role: 'enrol',
    environments: ['staging'],
    node: 'web1',
    createdBy: 'ada',
  })
  expect(Date.parse(items.at(-1).expiresAt) - Date.parse(items.at(-1).createdAt)).toBe(3_600_000)
})

test('the page follows the machine: it waits, it is a node, it has reported', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const browser = await signedInAs(hub, 'ada')
  const { reply, secret, address } = await enrolment(hub, browser, {})
  expect(textOf(reply.text)).toContain('No machine has come yet')
  const waiting = (await page(browser, address)).text
  expect(waiting).toMatch(/id="arrival"[^>]*data-live="node.enrolled node.changed"/)
  const enrolled = await hub.as(secret).post('/api/v1/nodes').send({ name: 'web7', environment: 'staging' })
  expect(enrolled.status).toBe(201)
  const arrived = (await page(browser, address)).text
  expect(arrived).toContain('href="/nodes/web7"')
  expect(textOf(arrived)).toContain('is a node now')
  expect(arrived).toMatch(/id="arrival"[^>]*hx-trigger="[^"]*every 10s"/)
  const { token } = enrolled.body as { token: string }
  expect((await hub.as(token).post('/api/v1/nodes/web7/report').send(reportOf([]))).status).toBe(200)
  const reports = (await page(browser, address)).text
  expect(textOf(reports)).toContain('has reported')
  expect(reports).not.toMatch(/id="arrival"[^>]*hx-/)
})

test('a token that ended before anybody came says so', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const browser = await signedInAs(hub, 'ada')
  const { address } = await enrolment(hub, browser, {})
  hub.clock.set('2026-01-02T04:04:06Z')
  expect(textOf((await page(browser, address)).text)).toContain('Nobody came with it')
  const { address: next } = await enrolment(hub, browser, {})
  await hub.as().delete(`/api/v1/tokens/${new URL(next, hub.url).searchParams.get('token') ?? ''}`)
  expect(textOf((await page(browser, next)).text)).toContain('Nobody came with it')
})

test('what cannot be is refused with the form as it was, and makes no token', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const browser = await signedInAs(hub, 'ada')
  const before = (await hub.as().get('/api/v1/tokens')).body.items.length
  for (const [fields, status] of [
    [{ environment: 'moon' }, 404],
    [{ node: '"><script>1</script>' }, 400],
    [{ expiresIn: 'for ever' }, 400],
    [{ environment: '' }, 404],
  ] as const) {
    const reply = await sendForm(hub, browser, '/nodes/enrol', {
      environment: 'staging',
      expiresIn: '1h',
      ...fields,
    })
    expect([reply.status, reply.text]).toEqual([status, expect.stringMatching(/class="notice refused"/)])
    expect(reply.text).not.toContain('<script>1')
    expect(reply.text).toContain('Make the token')
  }
  const forged = await sendForm(hub, browser, '/nodes/enrol', { csrf: 'forged', environment: 'staging' })
  expect(forged.status).toBe(403)
  expect((await hub.as().get('/api/v1/tokens')).body.items).toHaveLength(before)
})

test('nobody else is offered it, or let in; and no other token is an enrolment', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const manager = await signedInAs(hub, 'max', [MANAGER])
  expect((await page(manager, '/nodes')).text).not.toContain('/nodes/enrol')
  expect((await page(manager, '/nodes/enrol')).status).toBe(403)
  expect((await sendForm(hub, manager, '/nodes/enrol', { environment: 'staging' })).status).toBe(403)
  const browser = await signedInAs(hub, 'ada')
  const [admin] = (await hub.as().get('/api/v1/tokens')).body.items
  for (const token of [admin.id, 'tok_none', '%3Cb%3E'])
    expect((await page(browser, `/nodes/enrol?token=${String(token)}`)).status).toBe(404)
})
