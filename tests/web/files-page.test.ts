/** The pages of what is in a tarball: folders, previews, and bytes that no browser runs. */
import { once } from 'node:events'
import { request } from 'node:http'
import { gzipSync } from 'node:zlib'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { send } from '../support/raw-http.ts'
import { tarOf } from '../support/tarballs.ts'
import type { TarEntry } from '../support/tarballs.ts'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, textOf } from './support.ts'

const PAGE = '/apps/shop/builds/45/files'
const RAW = '/api/v1/apps/shop/builds/45/raw'
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')
const BINARY = Buffer.from(Array.from({ length: 600 }, (_, at) => at % 256))
/** Names that the hub takes and that mean something in HTML, in an address, or to whoever reads. */
const HOSTILE = [
  '<img src=x onerror=alert(1)>&amp;.txt',
  '" onload="x',
  'a?b#c%2F%00.sh',
  'back\\slash',
  'ü'.repeat(40),
]

const file = (name: string, content: string | Buffer): TarEntry => ({ name, content })
const TARBALL = gzipSync(
  tarOf(
    ...[{ name: 'shop/', type: '5' }, file('shop/bin/shop', '#!/bin/sh\n# starts it\necho "${1}"\n')],
    ...[file('shop/lib/a.js', 'const a = 1\n'), file('shop/lib/deep/b.css', 'a { color: red }\n')],
    ...[file('shop/logo.png', PNG), file('shop/icon.svg', '<svg><script>alert(1)</script></svg>')],
    ...[
      file('shop/page.html', '<script>alert(1)</script>\n'),
      file('shop/data', BINARY),
      file('shop/none', ''),
    ],
    ...[
      file('shop/odd.txt', 'if (isAdmin\u202e) {}\n'),
      file('shop/large.txt', 'a line of text\n'.repeat(40_000)),
      file('shop/lines.txt', '\n'.repeat(200_000)),
    ],
    ...[file('shop/large.png', Buffer.concat([PNG, Buffer.alloc(9 * 2 ** 20)]))],
    ...[
      { name: 'shop/current', type: '2', link: 'lib/../lib/a.js' },
      { name: 'shop/there', type: '2', link: 'lib' },
    ],
    ...[
      { name: 'shop/away', type: '2', link: 'lib/gone' },
      { name: 'shop/twin', type: '1', link: 'shop/bin/shop' },
    ],
    ...HOSTILE.map((name) => file(`shop/odd/${name}`, '<b>bold</b>\n')),
  ),
)

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub()
  const reply = await hub.upload('shop', TARBALL, { build: '45', version: '1.0.0' })
  expect(reply.status, reply.text).toBe(201)
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

const look = async (path: string) => await send(hub.url, { path: `${PAGE}${path}`, headers: AS_BROWSER })
const addressesIn = (text: string) =>
  [...text.matchAll(/href="(\/apps\/[^"]*\/files[^"]*)"/g)].map(([, address = '']) =>
    address.replaceAll('&amp;', '&'),
  )

describe('a folder', () => {
  test('has its folders first, with how much is in them, then files with mode, size and where links lead', async () => {
    const { status, text } = await look('?in=shop')
    expect(status).toBe(200)
    const shown = textOf(text)
    expect(shown).toMatch(
      /bin\/ folder of 1 entry \d+ B lib\/ folder of 2 entries 29 B odd\/ folder of 5 entries/,
    )
    expect(shown).toMatch(/logo\.png file 0644 16 B/)
    expect(shown).toMatch(/away → lib\/gone symbolic link 0777/)
    expect(shown).toMatch(/twin → shop\/bin\/shop hard link 0644/)
    expect(shown).not.toContain('a.js file')
    expect(text).toContain(`href="${PAGE}?in=shop%2Flib"`)
    expect(text).toContain(`href="${PAGE}/shop/logo.png"`)
  })

  test('is reached from the build, and leads to every file below it', async () => {
    const { text: page } = await send(hub.url, { path: '/apps/shop/builds/45', headers: AS_BROWSER })
    expect(page).toContain(`href="${PAGE}"`)
    const seen = new Set([PAGE])
    for (const address of seen) {
      const { status, text } = await send(hub.url, { path: address, headers: AS_BROWSER })
      expect(status, address).toBe(200)
      expect(text.match(/<script/g), address).toEqual(['<script'])
      for (const each of addressesIn(text)) seen.add(each)
    }
    // Every entry, the folders that have none of their own, and the root.
    expect(seen.size).toBe(17 + HOSTILE.length + 4 + 1)
  })

  test('is narrowed by a part of a name, however deep, and walked page by page', async () => {
    const { text } = await look('?in=shop&q=B')
    expect(textOf(text)).toContain('5 entries with “B” in the name')
    expect(textOf(text)).toContain('lib/deep/b.css file')
    expect(text).toContain('name="in" value="shop"')
    const first = await look('?in=shop%2Fodd&limit=2')
    const [, next = ''] = /href="([^"]*cursor=2[^"]*)"/.exec(first.text) ?? []
    const second = await send(hub.url, { path: next.replaceAll('&amp;', '&'), headers: AS_BROWSER })
    expect(addressesIn(second.text).filter((address) => address.includes('/odd/'))).toHaveLength(2)
    expect(textOf((await look('?q=nowhere')).text)).toContain('Nothing here has such a name.')
  })

  test('that is none, or of another build, is a problem', async () => {
    for (const path of ['?in=moon', '?in=shop%2Flogo.png', '/moon', '/..%2F..%2Fetc%2Fpasswd', '/%00'])
      expect((await look(path)).status, path).toBe(404)
    const reader = await hub.token('developer', { apps: ['cart'] })
    for (const path of [PAGE, `${PAGE}/shop/page.html`, `${RAW}/shop/page.html`])
      expect((await send(hub.url, { path, headers: AS_BROWSER, token: reader })).status).toBe(404)
  })
})

describe('a file', () => {
  test('of text is shown by its lines, in the colours of its language', async () => {
    const { text } = await look('/shop/bin/shop')
    expect(text).toContain('id="L3"')
    expect(text).toContain('<span class="hljs-comment"># starts it</span>')
    expect((await look('/shop/twin')).text).toContain('# starts it')
    expect(textOf((await look('/shop/none')).text)).toContain('It is empty.')
  })

  test('of HTML is text, and one with odd letters says so', async () => {
    expect((await look('/shop/page.html')).text).toContain('<span class="hljs-name">script</span>')
    expect(textOf((await look('/shop/odd.txt')).text)).toContain('odd letters')
    expect(textOf((await look('/shop/lib/a.js')).text)).not.toContain('odd letters')
  })

  test('that is large is shown as far as a limit that is told', async () => {
    const { text } = await look('/shop/large.txt')
    expect(textOf(text)).toContain('Shown is its first 256 KiB')
    expect(text.match(/class="line"/g)?.length).toBe(Math.ceil((256 * 1024) / 15))
    const lines = (await look('/shop/lines.txt')).text
    expect(textOf(lines)).toContain('or 20000 lines')
    expect(lines.match(/class="line"/g)?.length).toBe(20_000)
    expect(textOf((await look('/shop/large.png')).text)).toContain('An image of more than 8 MiB is not shown')
  })

  test('of an image is shown as one, and of other bytes the first of them', async () => {
    expect((await look('/shop/logo.png')).text).toContain(`<img src="${RAW}/shop/logo.png"`)
    expect((await look('/shop/icon.svg')).text).toContain(`<img src="${RAW}/shop/icon.svg"`)
    const { text } = await look('/shop/data')
    expect(text).toContain('00000040  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  |@ABCDEFGHIJKLMNO|')
    expect(textOf(text)).toContain('Its first 512 bytes')
    expect(text).not.toContain('<img')
  })

  test('that is a link says where it leads', async () => {
    expect((await look('/shop/current')).text).toContain(`href="${PAGE}/shop/lib/a.js"`)
    expect((await look('/shop/there')).text).toContain(`href="${PAGE}?in=shop%2Flib"`)
    expect(textOf((await look('/shop/away')).text)).toContain('lib/gone not in the tarball')
  })

  test('that is a folder leads to it', async () => {
    const { status, headers } = await look('/shop/lib')
    expect([status, headers['location']]).toEqual([303, `${PAGE}?in=shop%2Flib`])
  })
})

describe('the bytes of a file', () => {
  test.each([
    ['logo.png', 'image/png', PNG],
    ['icon.svg', 'image/svg+xml', Buffer.from('<svg><script>alert(1)</script></svg>')],
  ])('%s are an image in a box of its own', async (name, type, bytes) => {
    const { status, headers, body } = await send(hub.url, { path: `${RAW}/shop/${name}` })
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': type,
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
    })
    expect(body.equals(bytes)).toBe(true)
  })

  test.each(['page.html', 'bin/shop', 'data', 'none', 'twin'])('%s are an attachment', async (name) => {
    const { status, headers } = await send(hub.url, { path: `${RAW}/shop/${name}` })
    expect([status, headers['content-type']]).toEqual([200, 'application/octet-stream'])
    expect(headers['content-disposition']).toContain('attachment; filename=')
    expect(headers['content-security-policy']).toBe("default-src 'none'; sandbox")
  })

  test('are whole, however many; and HEAD has their number', async () => {
    const large = await send(hub.url, { path: `${RAW}/shop/large.png` })
    expect(large.body.length).toBe(PNG.length + 9 * 2 ** 20)
    expect(large.body.subarray(0, PNG.length).equals(PNG)).toBe(true)
    const { headers, body } = await send(hub.url, { path: `${RAW}/shop/data`, method: 'HEAD' })
    expect([headers['content-length'], body.length]).toEqual(['600', 0])
    expect((await send(hub.url, { path: `${RAW}/shop/data` })).body.equals(BINARY)).toBe(true)
  })

  test.each(HOSTILE)('of the name %j are under its address', async (name) => {
    const { status, body } = await send(hub.url, { path: `${RAW}/shop/odd/${encodeURIComponent(name)}` })
    expect([status, body.toString()]).toEqual([200, '<b>bold</b>\n'])
  })

  test.each(['shop/lib', 'shop/current', 'shop/moon', '..%2Fetc'])('%s has none', async (path) => {
    const { status, text } = await send(hub.url, { path: `${RAW}/${path}` })
    expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([404, 'archive.no_such_file'])
  })
})

test('whoever leaves in the middle of a file, or of a comparison, is no fault of the hub', async () => {
  const lines: string[] = []
  const log = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) })
  {
    await using other = await createTestHub({}, { log })
    for (const build of [1, 2]) {
      const content = Buffer.concat([Buffer.alloc(40 * 2 ** 20), Buffer.from([build])])
      const packed = tarOf(file('shop/large', content))
      expect((await other.upload('shop', packed, { build: String(build) })).status).toBe(201)
    }
    for (const path of ['raw/shop/large', 'diff/1']) {
      const asked = request(`${other.url}/api/v1/apps/shop/builds/2/${path}`, {
        headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
      })
      asked.on('error', () => undefined).end()
      // Of the comparison nothing comes before its end.
      if (path.startsWith('raw')) await once(asked, 'response')
      else await once(asked, 'finish')
      asked.destroy()
    }
    expect((await other.as().get('/api/v1/apps/shop/builds/2/diff/1')).status).toBe(200)
  }
  expect(lines).toEqual([])
})

test('the list of the API is narrowed by a part of a name', async () => {
  const { body } = await hub.as().get('/api/v1/apps/shop/builds/45/files?prefix=shop/lib&q=CSS')
  expect((body as { items: unknown[] }).items).toMatchObject([{ path: 'shop/lib/deep/b.css' }])
})
