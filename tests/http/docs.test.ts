import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { send } from '../support/raw-http.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub({}, { jobs: false })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

const get = async (path: string, headers: Record<string, string> = {}) =>
  await send(hub.url, { path, headers, token: null })

test('the page loads nothing but what the hub has, and its policy lets nothing else in or out', async () => {
  const { status, headers, text } = await get('/docs')
  expect(status).toBe(200)
  expect(headers['content-type']).toBe('text/html; charset=utf-8')
  const policy = String(headers['content-security-policy'])
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
  expect(policy).not.toMatch(/unsafe|https?:|\*/)
  expect(text).not.toMatch(/<script(?! src=)|<style|style=|\son\w+=/)
  const addresses = Array.from(text.matchAll(/(?:src|href)="([^"]*)"/g), ([, address = '']) => address)
  const ofHub = addresses.filter((address) => address !== 'data:,')
  expect(ofHub.length).toBeGreaterThan(2)
  for (const address of ofHub) {
    expect(address).toMatch(/^\/[a-z]/)
    expect((await get(address)).status, address).toBe(200)
  }
})

test.each([
  ['/docs/api-docs.js', 'text/javascript; charset=utf-8', 'SwaggerUIBundle({'],
  ['/docs/api-docs.css', 'text/css; charset=utf-8', 'html.dark-mode {'],
])(
  '%s is swagger-ui and ours, packed for whoever takes it so, and told when it is unchanged',
  async (path, type, ours) => {
    const plain = await get(path)
    expect(plain.headers['content-type']).toBe(type)
    expect(plain.headers['content-encoding']).toBeUndefined()
    expect(plain.body.byteLength).toBeGreaterThan(100_000)
    expect(plain.text).toContain(ours)
    const packed = await get(path, { 'Accept-Encoding': 'gzip' })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(packed.body.byteLength).toBeLessThan(plain.body.byteLength / 2)
    expect(gunzipSync(packed.body).equals(plain.body)).toBe(true)
    const again = await get(path, { 'If-None-Match': String(plain.headers.etag) })
    expect([again.status, again.body.byteLength]).toEqual([304, 0])
  },
)
