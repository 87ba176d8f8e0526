/** The page of the search, and what the search box of every page asks for. */
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { indexFiles } from '../../src/builds/index-files.ts'
import { send } from '../support/raw-http.ts'
import { tarOf } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, textOf } from './support.ts'

const COMMIT = 'c0ffee0123456789c0ffee0123456789c0ffee01'

async function openArchive(): Promise<TestHub> {
  const hub = await createTestHub()
  for (const [app, build] of [
    ['shop', 1],
    ['shop', 2],
    ['desk', 1],
  ] as const) {
    const bytes = gzipSync(tarOf({ name: `${app}/etc/<b>${app}.toml`, content: String(build) }))
    const facts = { version: `1.${String(build)}.0`, commit: COMMIT, branch: 'feature/"><script>1</script>' }
    const reply = await hub.upload(app, bytes, { build: String(build), ...facts })
    expect(reply.status, reply.text).toBe(201)
  }
  await indexFiles(hub.hub)
  return hub
}

const page = async (hub: TestHub, path: string, token?: string) =>
  await send(hub.url, { path, headers: AS_BROWSER, ...(token !== undefined && { token }) })

test('what was found is grouped, linked, and marked where the words are', async () => {
  await using hub = await openArchive()
  const { text } = await page(hub, '/search?q=shop')
  expect(text).toMatch(/<h2>Apps<\/h2>[^]*<h2>Builds<\/h2>[^]*<h2>Files in tarballs<\/h2>/)
  expect(text).toMatch(/<a href="\/apps\/shop"\s*><bdi><mark>shop<\/mark><\/bdi><\/a/)
  expect(text).toMatch(/<a href="\/apps\/shop\/builds\/2"\s*><bdi><mark>shop<\/mark> build 2<\/bdi>/)
  expect(textOf(text)).toContain('shop, builds 1 to 2, in 2 of them')
  expect(text).not.toContain('href="/apps/desk"')
  const commits = (await page(hub, '/search?q=C0FFEE')).text
  expect(commits).toContain('<mark>c0ffee</mark>0123456789c0ffee01</bdi>…')
})

test('a group that is cut leads to more of it, up to what is shown at the most', async () => {
  await using hub = await openArchive()
  const cut = (await page(hub, '/search?q=feature&limit=1')).text
  expect(cut).toContain('<a href="/search?q=feature&amp;limit=50">More</a>')
  const whole = (await page(hub, '/search?q=feature&limit=50')).text
  expect(whole).not.toContain('>More</a>')
  expect(whole).toContain('href="/apps/desk/builds/1"')
})

test.each([
  ['shop/2', '/apps/shop/builds/2'],
  ['desk', '/apps/desk'],
])('the box of every page leads from %s to %s, and so does nothing else', async (q, address) => {
  await using hub = await openArchive()
  const query = `q=${encodeURIComponent(q)}`
  const gone = await page(hub, `/search?go=true&${query}`)
  expect([gone.status, gone.headers.location]).toEqual([303, address])
  expect((await page(hub, `/search?${query}`)).status).toBe(200)
  expect((await page(hub, '/search?go=true&q=feature')).status).toBe(200)
  expect((await page(hub, '/search?go=true&q=none')).status).toBe(200)
})

test('what stands below the box are options of a list, the last of which leads to the page', async () => {
  await using hub = await openArchive()
  const { text, headers } = await page(hub, '/search?part=options&q=shop')
  expect(headers['content-type']).toBe('text/html; charset=utf-8')
  expect(text).not.toContain('<html')
  expect(text).toMatch(/^<div id="found-options" data-count="4 found">/)
  const options = [...text.matchAll(/<a\s[^>]*role="option"[^>]*href="([^"]+)"/g)].map(([, href]) => href)
  expect(options).toEqual([
    '/apps/shop',
    '/apps/shop/builds/2',
    '/apps/shop/builds/1',
    '/apps/shop/builds/2/files/shop/etc/%3Cb%3Eshop.toml',
    '/search?q=shop',
  ])
  const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect((await page(hub, '/search?part=options&q=none')).text).toContain('Nothing found for <bdi>none</bdi>')
  expect((await page(hub, '/search?part=options')).text).not.toContain('role="option"')
})

test('nothing of the words of others, or of who asks, becomes a part of the page', async () => {
  await using hub = await openArchive()
  const words = ['"><script>alert(1)</script>', '<b>', 'script>1', "'><img src=x onerror=alert(1)>"]
  for (const q of words)
    for (const path of [
      `/search?q=${encodeURIComponent(q)}`,
      `/search?part=options&q=${encodeURIComponent(q)}`,
    ]) {
      const { status, text } = await page(hub, path)
      expect(status).toBe(200)
      expect(text.replaceAll(/<script src="\/assets[^>]*>/g, '')).not.toMatch(/<script|<b>|<img/)
    }
})

test('the page without words says what is found, and finding nothing says why that may be', async () => {
  await using hub = await openArchive()
  expect(textOf((await page(hub, '/search')).text)).toContain('the beginning of a digest, 8 digits or more')
  expect(textOf((await page(hub, '/search?q=zz')).text)).toContain('words of three letters or more')
  expect(textOf((await page(hub, '/search?q=zzz+yyy')).text)).toContain('Fewer words')
  expect((await page(hub, '/search?q=a&q=b')).status).toBe(400)
})

test('nobody is shown what they may not see, and whoever has not signed in is sent to', async () => {
  await using hub = await openArchive()
  const token = await hub.token('developer', { apps: ['desk'] })
  for (const path of ['/search?q=feature', '/search?part=options&q=feature']) {
    const { text } = await page(hub, path, token)
    expect(text).toContain('href="/apps/desk/builds/1"')
    expect(text).not.toContain('/apps/shop')
  }
  const gone = await page(hub, '/search?go=true&q=shop', token)
  expect([gone.status, textOf(gone.text)]).toEqual([200, expect.stringContaining('Nothing that you may see')])
  const outside = await send(hub.url, { path: '/search?q=a', headers: AS_BROWSER, token: null })
  expect([outside.status, outside.headers.location]).toEqual([303, '/sign-in?next=%2Fsearch%3Fq%3Da'])
})
