/** Styles and script as a browser gets them. */
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { readAssets } from '../../src/web/assets.ts'
import { send } from '../support/raw-http.ts'
import { createTestHub } from '../support/test-hub.ts'

test('each is the same in every coding, needs no token and never changes', async () => {
  await using hub = await createTestHub()
  for (const { address, type, bytes } of readAssets().assets) {
    for (const [coding, read] of [
      ['br', brotliDecompressSync],
      ['gzip', gunzipSync],
      ['identity', (given: Buffer) => given],
    ] as const) {
      const response = await send(hub.url, {
        path: address,
        headers: { 'Accept-Encoding': coding },
        token: null,
      })
      expect([response.status, response.headers['content-type']]).toEqual([200, type])
      expect(response.headers['content-encoding'] ?? 'identity').toBe(coding)
      expect(response.headers['cache-control']).toBe('public, max-age=31536000, immutable')
      expect(read(response.body).equals(bytes)).toBe(true)
    }
  }
})

test('an address with another digest is none', async () => {
  await using hub = await createTestHub()
  const address = readAssets().addresses.style.replace(/[0-9a-f]{16}/, '0'.repeat(16))
  expect((await send(hub.url, { path: address })).status).toBe(404)
})

test('a page may load nothing from elsewhere, and no script or style of its own text', async () => {
  await using hub = await createTestHub()
  const policy = (await send(hub.url, { path: '/' })).headers['content-security-policy']
  expect(String(policy).split(';').sort()).toEqual([
    "base-uri 'none'",
    "connect-src 'self'",
    "default-src 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "img-src 'self' data:",
    "script-src 'self'",
    "style-src 'self'",
  ])
})
