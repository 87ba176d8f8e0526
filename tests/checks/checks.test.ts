import { afterAll, expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const PATH = '/api/v1/apps/shop/builds/1/checks'
const JUNIT = `<testsuite name="unit"><testcase name="a" file="src/a.ts"/>
  <testcase name="b" file="src/b.ts"><failure message="3 is not 4"/></testcase></testsuite>`
const SARIF = JSON.stringify({
  version: '2.1.0',
  runs: [{ tool: { driver: { name: 'lint' } }, results: [{ message: { text: 'bad' }, level: 'error' }] }],
})

async function hubWithBuild(): Promise<TestHub> {
  const hub = await createTestHub()
  await hub.upload('shop', tarball({ 'shop/run': 'hi' }), { build: '1' })
  return hub
}

/** For what leaves nothing behind. */
const sharedHub = hubWithBuild()
afterAll(async () => {
  await (await sharedHub)[Symbol.asyncDispose]()
})

async function post(hub: TestHub, body: object, path = PATH) {
  return await hub.as().post(path).send(body)
}

test('a check is kept as it was told, with who and when', async () => {
  await using hub = await hubWithBuild()
  const told = {
    stage: 'commit',
    name: 'unit',
    status: 'passed',
    url: 'https://ci.example/1',
    summary: '12 tests\nok',
  }
  const reply = await post(hub, told)
  expect(reply.status, reply.text).toBe(201)
  expect(reply.body).toMatchObject({
    ...told,
    app: 'shop',
    build: 1,
    reportedBy: 'HUB_ADMIN_TOKEN',
    reportedAt: '2026-01-02T03:04:05Z',
    counts: true,
    reports: [],
    warnings: [],
  })
  expect(reply.headers['location']).toBe(`${PATH}/${reply.body.id}`)
  expect((await hub.as().get(`${PATH}/${reply.body.id}`)).body).toMatchObject({ ...told, counts: true })
})

test('runs of one check stay, and the newest counts', async () => {
  await using hub = await hubWithBuild()
  for (const status of ['running', 'failed', 'passed'])
    await post(hub, { stage: 'commit', name: 'unit', status })
  await post(hub, { stage: 'acceptance', name: 'unit', status: 'running' })
  const all = (await hub.as().get(PATH)).body.items as { stage: string; status: string; counts: boolean }[]
  expect(all.map(({ stage, status, counts }) => [stage, status, counts])).toEqual([
    ['acceptance', 'running', true],
    ['commit', 'passed', true],
    ['commit', 'failed', false],
    ['commit', 'running', false],
  ])
  const commit = await hub.as().get(`${PATH}?stage=commit&name=unit&limit=2`)
  expect(commit.body.items).toHaveLength(2)
  expect(commit.headers['link']).toContain('stage=commit')
  await using again = await hub.restart()
  expect((await again.as().get(PATH)).body.items).toEqual(all)
})

test('reports come as a form, say the status, and are shown by test and file', async () => {
  await using hub = await hubWithBuild()
  const reply = await hub
    .as()
    .post(PATH)
    .field('stage', 'commit')
    .field('name', 'unit')
    .attach('junit', Buffer.from(JUNIT), 'junit.xml')
    .attach('sarif', Buffer.from(SARIF), 'lint.sarif')
    .attach(
      'cobertura',
      Buffer.from('<coverage><class filename="src/a.ts"><line number="1" hits="0"/></class></coverage>'),
      'c.xml',
    )
  expect(reply.status, reply.text).toBe(201)
  expect(reply.body).toMatchObject({
    status: 'failed',
    reports: [
      {
        name: 'junit.xml',
        format: 'junit',
        counts: { total: 2, passed: 1, failed: 1, errored: 0, skipped: 0 },
      },
      { name: 'lint.sarif', format: 'sarif', counts: { error: 1 } },
      { name: 'c.xml', format: 'cobertura', counts: { lines: 1, covered: 0 } },
    ],
  })
  const results = async (query: string) =>
    (await hub.as().get(`${PATH}/${reply.body.id}/results${query}`)).body.items as unknown[]
  expect(await results('')).toHaveLength(4)
  expect(await results('?state=failed')).toMatchObject([
    { report: 'junit.xml', name: 'b', message: '3 is not 4' },
  ])
  expect(await results('?file=src/a.ts')).toMatchObject([
    { kind: 'test' },
    { kind: 'coverage', uncovered: '1' },
  ])
  expect(await results('?limit=1&cursor=1')).toMatchObject([{ name: 'b' }])
})

test('a status that its tests contradict is kept with a warning', async () => {
  await using hub = await hubWithBuild()
  const reply = await hub
    .as()
    .post(PATH)
    .field({ stage: 'commit', name: 'unit', status: 'passed' })
    .attach('junit', Buffer.from(JUNIT), 'junit.xml')
  expect(reply.body).toMatchObject({
    status: 'passed',
    warnings: [expect.stringContaining('1 failed tests')],
  })
})

test('a dry run reads all and keeps nothing', async () => {
  await using hub = await hubWithBuild()
  const reply = await hub
    .as()
    .post(`${PATH}?dryRun=true`)
    .field({ stage: 'commit', name: 'unit' })
    .attach('junit', Buffer.from(JUNIT), 'junit.xml')
  expect(reply.body).toMatchObject({ id: null, dryRun: true, status: 'failed' })
  expect((await hub.as().get(PATH)).body.items).toEqual([])
})

test.each([
  [{ name: 'unit', status: 'passed' }, 400, 'request.invalid'],
  [{ stage: 'later', name: 'unit', status: 'passed' }, 400, 'request.invalid'],
  [{ stage: 'commit', name: 'a\nb', status: 'passed' }, 400, 'request.invalid'],
  [{ stage: 'commit', name: 'unit' }, 400, 'request.invalid'],
  [{ stage: 'commit', name: 'unit', status: 'ok' }, 400, 'request.invalid'],
  [{ stage: 'commit', name: 'unit', status: 'passed', url: 'javascript:alert(1)' }, 400, 'request.invalid'],
  [{ stage: 'commit', name: 'unit', status: 'passed', colour: 'red' }, 400, 'request.invalid'],
])('%j is refused and leaves nothing', async (body, status, code) => {
  const hub = await sharedHub
  expect((await post(hub, body)).body).toMatchObject({ status, code })
  expect((await hub.as().get(PATH)).body.items).toEqual([])
})

test.each([
  ['junit', '<testsuites>', 422, 'check.report_invalid'],
  ['sarif', '{}', 422, 'check.report_invalid'],
  ['cobertura', '<!DOCTYPE a [<!ENTITY b "c">]><coverage/>', 422, 'check.report_invalid'],
  ['junit', 'x'.repeat(32 * 1024 * 1024 + 1), 413, 'check.report_too_large'],
  ['pdf', 'x', 400, 'request.invalid'],
])('a file %s that cannot be taken leaves nothing (%#)', async (field, text, status, code) => {
  const hub = await sharedHub
  const form = hub.as().post(PATH).field({ stage: 'commit', name: 'unit', status: 'passed' })
  const reply = await form.attach(field, Buffer.from(text), 'report')
  expect(reply.body).toMatchObject({ status, code })
  expect((await hub.as().get(PATH)).body.items).toEqual([])
})

test('the reports of a form are too large together, whatever the length that it declares', async () => {
  await using hub = await hubWithBuild()
  const half = new Blob([Buffer.alloc(17 * 1024 * 1024, 0x20)])
  const form = new FormData()
  form.set('stage', 'commit')
  for (const name of ['a', 'b']) form.append('junit', half, name)
  // A body that streams has no Content-Length.
  const encoded = new Response(form)
  const reply = await fetch(`${hub.url}${PATH}`, {
    method: 'POST',
    headers: {
      Authorization: 'Bearer the-administrator-of-this-test',
      'Content-Type': encoded.headers.get('Content-Type') ?? '',
    },
    body: encoded.body,
    duplex: 'half',
  })
  expect(await reply.json()).toMatchObject({ status: 413, code: 'check.report_too_large' })
})

test('a check is of its build alone', async () => {
  await using hub = await hubWithBuild()
  await hub.upload('shop', tarball({ 'shop/run': 'ho' }), { build: '2' })
  const { id } = (await post(hub, { stage: 'commit', name: 'unit', status: 'passed' })).body
  for (const path of [`/api/v1/apps/shop/builds/2/checks/${id}`, `${PATH}/chk_none/results`])
    expect((await hub.as().get(path)).body).toMatchObject({ status: 404, code: 'check.unknown' })
  const reply = await post(
    hub,
    { stage: 'commit', name: 'a', status: 'passed' },
    '/api/v1/apps/shop/builds/9/checks',
  )
  expect(reply.body).toMatchObject({ status: 404, code: 'build.unknown' })
})

test('a CI token speaks for its app and not as a person; a person does not speak as CI', async () => {
  await using hub = await hubWithBuild()
  const told = async (role: string, stage: string, scope: object = {}) => {
    const token = await hub.token(role, { ...scope })
    return (await hub.as(token).post(PATH).send({ stage, name: 'x', status: 'passed' })).status
  }
  expect(await told('developer', 'commit')).toBe(201)
  expect(await told('developer', 'acceptance', { apps: ['shop'] })).toBe(201)
  expect(await told('developer', 'commit', { apps: ['desk'] })).toBe(403)
  expect(await told('developer', 'manual')).toBe(403)
  expect(await told('release-manager', 'manual')).toBe(201)
  expect(await told('release-manager', 'commit')).toBe(403)
})

test('a repeated request with a key is one run; a form takes none', async () => {
  await using hub = await hubWithBuild()
  for (let i = 0; i < 2; i++)
    await hub
      .as()
      .post(PATH)
      .set('Idempotency-Key', 'k')
      .send({ stage: 'commit', name: 'unit', status: 'passed' })
  expect((await hub.as().get(PATH)).body.items).toHaveLength(1)
  const form = hub.as().post(PATH).set('Idempotency-Key', 'j').field('stage', 'commit')
  expect((await form).body).toMatchObject({ status: 400, code: 'request.invalid' })
})
