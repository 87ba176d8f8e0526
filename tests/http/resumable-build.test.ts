/** An upload by `/uploads` becomes a build: `upload=<id>` in place of the file. */
import { createHash, randomBytes } from 'node:crypto'
import { chmod, rm } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { FORM_TYPE, formBody, send } from '../support/raw-http.ts'
import type { RawReply } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { begin, end, finished, head, offsetOf, patch, UPLOADS } from '../support/tus.ts'

const BYTES = tarball({ 'shop/bin/shop': '#!/bin/sh\n', 'shop/data': randomBytes(50_000) })
const OTHER = tarball({ 'shop/other': 'x' })
const SHA512 = createHash('sha512').update(BYTES).digest('hex')
const BUILDS = '/api/v1/apps/shop/builds'

const open: TestHub[] = []
async function hubOfTest(): Promise<TestHub> {
  const hub = await createTestHub()
  open.push(hub)
  return hub
}
afterEach(async () => {
  for (const hub of open.splice(0)) await hub[Symbol.asyncDispose]()
})

/** `POST …/builds` as JSON. */
async function archive(
  hub: TestHub,
  fields: Readonly<Record<string, unknown>>,
  more: { path?: string; token?: string; headers?: Record<string, string> } = {},
): Promise<RawReply> {
  return await send(hub.url, {
    ...{ method: 'POST', path: BUILDS, body: Buffer.from(JSON.stringify(fields)) },
    ...more,
    headers: { 'Content-Type': 'application/json', ...more.headers },
  })
}

const BLOB = `distfiles/archive/${SHA512.slice(0, 2)}/${SHA512}`

describe('a finished upload', () => {
  const WAYS: readonly [string, string, (fields: Record<string, string>) => Buffer][] = [
    ['a form', FORM_TYPE, (fields) => formBody(fields)],
    ['JSON', 'application/json', (fields) => Buffer.from(JSON.stringify(fields))],
    [
      'a query text',
      'application/x-www-form-urlencoded',
      (fields) => Buffer.from(new URLSearchParams(fields).toString()),
    ],
  ]
  test.each(WAYS)('is archived by %s like a file, and leaves nothing behind', async (_way, type, body) => {
    const hub = await hubOfTest()
    const upload = await finished(hub, BYTES)
    const fields = { upload, build: '45', version: '1.4.0', commit: 'abc', branch: 'main', sha512: SHA512 }
    const ciUrl = 'https://ci.example/1'
    const request = {
      ...{ method: 'POST', path: BUILDS },
      ...{ headers: { 'Content-Type': type }, body: body({ ...fields, ciUrl }) },
    }
    const reply = await send(hub.url, request)
    expect(reply.status, reply.text).toBe(201)
    expect(reply.json).toMatchObject({
      ...{ id: 'shop/45', cpv: 'app-hub/shop-1.4.0_p45', commit: 'abc', branch: 'main', ciUrl },
      tarball: { sizeBytes: BYTES.byteLength, sha512: SHA512 },
      releases: [{ environment: 'staging', state: 'released' }],
    })
    expect(await hub.storedFiles()).toEqual([BLOB])
    const got = await send(hub.url, { path: `${BUILDS}/45/tarball` })
    expect(got.body.equals(BYTES)).toBe(true)
    const again = await send(hub.url, request)
    expect(again.status, again.text).toBe(200)
    expect(again.json).toEqual({ ...reply.json, promotions: again.json['promotions'] })
    expect(await hub.storedFiles()).toEqual([BLOB])
  })

  test('may be named by its address too, as clients of tus know it', async () => {
    const hub = await hubOfTest()
    const id = await finished(hub, BYTES)
    expect((await archive(hub, { upload: `${hub.url}${UPLOADS}/${id}`, build: 1 })).status).toBe(201)
  })

  test('takes JSON in its own words: numbers, truth values and null', async () => {
    const hub = await hubOfTest()
    const upload = await finished(hub, BYTES)
    const fields = { upload, build: 45, version: null, promote: false, dryRun: false }
    const { status, json } = await archive(hub, fields)
    expect({ status, promotions: json['promotions'] }).toEqual({ status: 201, promotions: [] })
  })

  test('brings a recipe as text or as a file', async () => {
    const hub = await hubOfTest()
    const upload = await finished(hub, BYTES)
    const recipe = 'category: app-acme\ndescription: Shop\n'
    const form = formBody({ upload, build: '1', recipe: Buffer.from(recipe) })
    const asFile = await send(hub.url, {
      ...{ method: 'POST', path: BUILDS, headers: { 'Content-Type': FORM_TYPE }, body: form },
    })
    expect(asFile.json).toMatchObject({ category: 'app-acme', recipeSource: 'upload' })
    const next = await finished(hub, BYTES)
    expect((await archive(hub, { upload: next, build: 2, recipe })).json).toMatchObject({
      category: 'app-acme',
    })
  })

  test('stays through dry runs and refusals, and can be used after them', async () => {
    const hub = await hubOfTest()
    await hub.upload('shop', OTHER, { build: '7' })
    const before = await hub.storedFiles()
    const upload = await finished(hub, BYTES)
    const files = [...before, `var/partial-uploads/${upload}`].sort()
    const dry = await archive(hub, { upload, build: 45 }, { path: `${BUILDS}?dryRun=true` })
    expect(dry.json).toMatchObject({ dryRun: true, wouldArchive: true, build: 45 })
    expect((await archive(hub, { upload, build: 45, dryRun: true })).json).toMatchObject({ dryRun: true })
    for (const [fields, code] of [
      [{ build: 7 }, 'build.duplicate'],
      [{ build: 45, version: 'main' }, 'version.invalid'],
      [{ build: 45, sha512: '0'.repeat(128) }, 'upload.digest_mismatch'],
      [{ build: 45, recipe: 'nonsense: 1' }, 'recipe.invalid'],
      [{ build: 45, promote: 'nowhere' }, 'environment.unknown'],
      [{ build: 45, unknown: 1 }, 'request.invalid'],
    ] as const) {
      expect((await archive(hub, { upload, ...fields })).json['code']).toBe(code)
      expect(await hub.storedFiles()).toEqual(files)
    }
    expect(await offsetOf(hub, upload)).toBe(BYTES.byteLength)
    expect((await archive(hub, { upload, build: 45 })).status).toBe(201)
    expect(await hub.storedFiles()).toEqual([...before, BLOB].sort())
  })

  test('that is no tarball is refused, and can be ended', async () => {
    const hub = await hubOfTest()
    const upload = await finished(hub, Buffer.from('no tarball'))
    expect((await archive(hub, { upload, build: 1 })).json['code']).toBe('archive.unsupported_format')
    const empty = await begin(hub, 0)
    expect((await archive(hub, { upload: empty, build: 1 })).json['code']).toBe('archive.empty')
    for (const id of [upload, empty]) await end(hub, id)
    expect(await hub.storedFiles()).toEqual([])
  })
})

describe('the request that archives', () => {
  test('without a number gets the same build each time', async () => {
    const hub = await hubOfTest()
    const upload = await finished(hub, BYTES)
    const first = await archive(hub, { upload })
    expect({ status: first.status, build: first.json['build'] }).toEqual({ status: 201, build: 1 })
    const again = await archive(hub, { upload })
    expect({ status: again.status, build: again.json['build'] }).toEqual({ status: 200, build: 1 })
    expect((await head(hub, upload)).headers['upload-offset']).toBe(String(BYTES.byteLength))
  })

  test('sent many times at once makes one build', async () => {
    const hub = await hubOfTest()
    const upload = await finished(hub, BYTES)
    const replies = await Promise.all(Array.from({ length: 6 }, async () => await archive(hub, { upload })))
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 201])
    expect(new Set(replies.map(({ json }) => json['id']))).toEqual(new Set(['shop/1']))
    expect(await hub.storedFiles()).toEqual([BLOB])
  })

  test('carries an Idempotency-Key like that of a file', async () => {
    const hub = await hubOfTest()
    const headers = { 'Idempotency-Key': 'job-1' }
    const first = await archive(hub, { upload: await finished(hub, BYTES) }, { headers })
    const second = await archive(hub, { upload: await finished(hub, BYTES) }, { headers })
    expect([first.json['build'], second.json['build'], second.status]).toEqual([1, 1, 200])
    expect(await hub.storedFiles()).toEqual([BLOB])
  })

  test('for a build that was archived from a file answers 200, and the upload is used up', async () => {
    const hub = await hubOfTest()
    await hub.upload('shop', BYTES, { build: '45' })
    const upload = await finished(hub, BYTES)
    expect((await archive(hub, { upload, build: 45 })).status).toBe(200)
    expect(await hub.storedFiles()).toEqual([BLOB])
    expect((await archive(hub, { upload })).json).toMatchObject({ build: 45 })
  })

  test('for another app takes the bytes from the archive', async () => {
    const hub = await hubOfTest()
    const upload = await finished(hub, BYTES)
    await archive(hub, { upload, build: 45 })
    const path = '/api/v1/apps/cart/builds'
    const cart = await archive(hub, { upload, build: 1 }, { path })
    expect(cart.status, cart.text).toBe(201)
    expect((await archive(hub, { upload }, { path })).json).toMatchObject({ id: 'cart/1' })
    expect(await hub.storedFiles()).toEqual([BLOB])
    expect((await archive(hub, { upload, build: 45 })).status).toBe(200)
  })

  test('works over a restart, until the upload expires', async () => {
    await using hub = await createTestHub()
    const upload = await finished(hub, BYTES)
    await archive(hub, { upload })
    await using again = await hub.restart()
    expect((await archive(again, { upload })).json).toMatchObject({ build: 1 })
    again.clock.set('2026-01-03T03:04:05Z')
    expect((await archive(again, { upload })).json['code']).toBe('upload.unknown')
  })

  test('says what is missing of an upload that is not complete', async () => {
    const hub = await hubOfTest()
    const upload = await begin(hub, BYTES.byteLength)
    await patch(hub, upload, 0, BYTES.subarray(0, 1000))
    expect((await archive(hub, { upload, build: 1 })).json).toMatchObject({
      ...{ status: 409, code: 'upload.incomplete', offset: 1000, sizeBytes: BYTES.byteLength },
    })
    expect(await hub.storedFiles()).toEqual([`var/partial-uploads/${upload}`])
  })

  test('needs the right to the app and an upload of its own', async () => {
    const hub = await hubOfTest()
    const [token, other] = [await hub.token('developer', { apps: ['shop'] }), await hub.token('developer')]
    const upload = await finished(hub, BYTES, { token })
    expect((await archive(hub, { upload }, { token: other })).json['code']).toBe('upload.unknown')
    const path = '/api/v1/apps/cart/builds'
    expect((await archive(hub, { upload }, { token, path })).json['code']).toBe('auth.forbidden')
    expect((await archive(hub, { upload }, { token })).status).toBe(201)
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['an upload that is none', { upload: 'upl_none' }, 'upload.unknown'],
    ['an upload that cannot be one', { upload: 'a b' }, 'request.invalid'],
    ['an upload that is a number', { upload: 5 }, 'upload.unknown'],
    ['an upload that is a list', { upload: ['upl_none'] }, 'request.invalid'],
    ['no upload', {}, 'upload.missing_tarball'],
    ['an empty upload', { upload: '' }, 'upload.missing_tarball'],
    ['a recipe that is an object', { upload: 'upl_none', recipe: {} }, 'request.invalid'],
  ])('with %s is refused', async (_what, fields, code) => {
    const hub = await hubOfTest()
    expect((await archive(hub, fields)).json['code']).toBe(code)
  })

  test.each(['[]', '"text"', '{', 'null'])('with the body %s is refused', async (text) => {
    const hub = await hubOfTest()
    const headers = { 'Content-Type': 'application/json' }
    const { json } = await send(hub.url, { method: 'POST', path: BUILDS, headers, body: Buffer.from(text) })
    expect(json['code']).toBe('request.invalid')
  })

  test('with a file and an upload at once is refused; PUT knows no uploads', async () => {
    const hub = await hubOfTest()
    const upload = await finished(hub, BYTES)
    const both = formBody({ upload, build: '1', tarball: BYTES })
    const headers = { 'Content-Type': FORM_TYPE }
    const { json } = await send(hub.url, { method: 'POST', path: BUILDS, headers, body: both })
    expect(json['code']).toBe('request.invalid')
    const path = `${BUILDS}/1/tarball?upload=${upload}`
    expect((await send(hub.url, { method: 'PUT', path, body: BYTES })).json['code']).toBe('request.invalid')
    expect(await hub.storedFiles()).toEqual([`var/partial-uploads/${upload}`])
  })

  test('whose bytes are gone from the disk says so', async () => {
    const hub = await hubOfTest()
    const upload = await finished(hub, BYTES)
    await hub.hub.partialUploads.remove(upload)
    expect((await archive(hub, { upload, build: 1 })).json['code']).toBe('upload.unknown')
    const archived = await finished(hub, BYTES)
    await archive(hub, { upload: archived, build: 1 })
    const blob = hub.hub.blobs.path(SHA512)
    await chmod(blob, 0o644)
    await rm(blob)
    expect((await archive(hub, { upload: archived, build: 1 })).json['code']).toBe('upload.unknown')
  })
})

test('a fault while it is archived leaves the upload as it was', async () => {
  const hub = await hubOfTest()
  const upload = await finished(hub, BYTES)
  const broken = (): never => {
    throw new Error('the process died here')
  }
  Object.defineProperty(hub.hub.records, 'transaction', { value: broken, configurable: true })
  expect((await archive(hub, { upload })).status).toBe(500)
  Reflect.deleteProperty(hub.hub.records, 'transaction')
  expect(await hub.storedFiles()).toEqual([`var/partial-uploads/${upload}`])
  expect((await archive(hub, { upload })).status).toBe(201)
  expect(await hub.storedFiles()).toEqual([BLOB])
})
