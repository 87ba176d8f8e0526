/** What is around every page, and refusals as pages. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as charts from '../../src/web/chart.ts'
import * as codes from '../../src/web/code.ts'
import * as components from '../../src/web/components.ts'
import { CHEAP, signedInAs } from '../support/browser.ts'
import { send } from '../support/raw-http.ts'
import { createTestHub } from '../support/test-hub.ts'
import { AS_BROWSER, sendForm } from './support.ts'

test('whoever has not signed in is sent to do so, and comes back', async () => {
  await using hub = await createTestHub()
  const path = '/components?a=1&b=2'
  const reply = await send(hub.url, { path, headers: AS_BROWSER, token: null })
  expect([reply.status, reply.headers.location]).toEqual([303, '/sign-in?next=%2Fcomponents%3Fa%3D1%26b%3D2'])
})

test('a page tells who looks and what was done, in words of its own', async () => {
  await using hub = await createTestHub()
  const page = async (query: string) =>
    await send(hub.url, { path: `/components${query}`, headers: AS_BROWSER })
  const plain = await page('')
  expect([plain.status, plain.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
  expect(plain.text).toContain('<bdi>HUB_ADMIN_TOKEN</bdi>')
  expect(plain.text).not.toContain('It is approved')
  expect((await page('?done=approved')).text).toContain('You have approved it.')
  for (const word of ['%3Cscript%3E', '__proto__', 'constructor', 'toString'])
    expect((await page(`?done=${word}`)).text).toBe(plain.text)
})

test.each(['//', '//?done=approved', '/?done=approved&done=held'])('%s is no fault', async (path) => {
  await using hub = await createTestHub()
  expect((await send(hub.url, { path, headers: AS_BROWSER })).status).toBe(200)
})

test('a page is compressed for who takes it, and what its forms carry is another word each time', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const browser = await signedInAs(hub, 'ada')
  const page = await browser.agent.get('/account').set({ ...AS_BROWSER, 'Accept-Encoding': 'gzip' })
  expect(page.headers).toMatchObject({
    'content-encoding': 'gzip',
    vary: expect.stringContaining('Accept-Encoding'),
  })
  const [first, second] = [await browser.csrf(), await browser.csrf()]
  expect(first).not.toBe(second)
  const changed = `${first.slice(0, -2)}${first.endsWith('AA') ? 'BB' : 'AA'}`
  for (const csrf of [changed, '', first.slice(0, 20), `${first}AA`])
    expect((await sendForm(hub, browser, '/apps/none/hold', { csrf })).text).toContain('auth.csrf')
  for (const csrf of [first, second])
    expect((await sendForm(hub, browser, '/apps/none/hold', { csrf })).text).not.toContain('auth.csrf')
})

test('the page of all components shows each of them', () => {
  const page = readFileSync('src/web/pages/components-page.ts', 'utf8')
  const names = Object.keys({ ...components, ...charts, ...codes })
  // Digests and blocks have it.
  const own = names.filter((name) => name !== 'copyButton')
  expect(own.filter((name) => !new RegExp(`\\b${name}\\(`).test(page))).toEqual([])
})

test('everything on the page of all components is inert', async () => {
  await using hub = await createTestHub()
  const { text } = await send(hub.url, { path: '/components', headers: AS_BROWSER })
  expect(text.match(/<script/g)).toEqual(['<script'])
  expect(text).toMatch(/<script src="\/assets\/hub\.[0-9a-f]{16}\.js" defer><\/script>/)
  const names = [...text.replaceAll(/"[^"]*"/g, '""').matchAll(/<[a-z][^>]*>/g)].join('')
  expect(names).toContain('data-copy=""')
  expect(names).not.toMatch(/\s(?:on\w+|style)=/)
})

test('a browser gets a refusal as a page, a program as a problem document', async () => {
  await using hub = await createTestHub()
  const path = '/none/%3Cscript%3E'
  const page = await send(hub.url, { path, headers: AS_BROWSER, token: null })
  expect([page.status, page.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8'])
  expect(page.text).toContain('<code>request.unknown_route</code>')
  expect(page.text).toContain(String(page.headers['x-request-id']))
  expect(page.text).not.toContain('<script>')
  for (const accept of ['*/*', 'application/json', 'application/problem+json, */*;q=0.1']) {
    const problem = await send(hub.url, { path, headers: { Accept: accept }, token: null })
    expect(problem.json).toMatchObject({ status: 404, code: 'request.unknown_route' })
  }
  const ofTheApi = await send(hub.url, { path: '/api/v1/none', headers: AS_BROWSER })
  expect(ofTheApi.json).toMatchObject({ status: 404 })
})
