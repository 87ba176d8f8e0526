import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startNginx } from '../../bench/support/nginx.ts'
import { testWith } from '../support/programs.ts'
import { send } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'

const BYTES = tarball({ 'shop/data': randomBytes(200_000) })
const PATH = '/distfiles/staging/hub-shop-1.0.0_p1.tar.gz'

test('with HUB_ACCEL_REDIRECT the hub names the file and leaves the sending to the server in front', async () => {
  await using hub = await createTestHub({ HUB_ACCEL_REDIRECT: '/archive' })
  const { body } = await hub.upload('shop', BYTES, { build: '1', version: '1.0.0' })
  const { sha512 } = (body as { tarball: { sha512: string } }).tarball
  const reply = await send(hub.url, { path: PATH })
  expect(reply.status).toBe(200)
  expect(reply.headers['x-accel-redirect']).toBe(`/archive/${sha512.slice(0, 2)}/${sha512}`)
  expect(reply.body.byteLength).toBe(0)
  expect((await send(hub.url, { path: PATH, token: null })).headers['x-accel-redirect']).toBeUndefined()
})

testWith('nginx')('nginx sends what the hub allows, whole, in parts and not again', async () => {
  await using hub = await createTestHub({ HUB_ACCEL_REDIRECT: '/archive' })
  await hub.upload('shop', BYTES, { build: '1', version: '1.0.0' })
  const folder = await mkdtemp(join(tmpdir(), 'hub-nginx-'))
  await chmod(folder, 0o755)
  await using _folder = { [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true }) }
  await using nginx = await startNginx({
    folder,
    locations: `
      location / { proxy_pass ${hub.url}; }
      location /archive/ { internal; alias ${join(hub.directory, 'distfiles/archive')}/; }`,
  })
  const get = async (headers: Readonly<Record<string, string>> = {}) =>
    await fetch(nginx.url + PATH, { headers: { Authorization: `Bearer ${ADMIN_TOKEN}`, ...headers } })

  const whole = await get()
  expect(whole.status).toBe(200)
  expect(Buffer.from(await whole.arrayBuffer()).equals(BYTES)).toBe(true)
  expect(whole.headers.get('content-type')).toBe('application/octet-stream')
  expect(whole.headers.get('cache-control')).toBe('private, max-age=31536000, immutable')

  const part = await get({ Range: 'bytes=10-19' })
  expect(part.status).toBe(206)
  expect(Buffer.from(await part.arrayBuffer()).equals(BYTES.subarray(10, 20))).toBe(true)

  expect((await get({ 'If-None-Match': whole.headers.get('etag') ?? '' })).status).toBe(304)
  expect((await fetch(nginx.url + PATH)).status).toBe(401)
  expect((await fetch(`${nginx.url}/archive/`)).status).toBe(404)
})
