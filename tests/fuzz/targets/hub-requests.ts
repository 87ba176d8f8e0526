/** Paths, queries, header fields and JSON bodies of every route. */
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { reportOf } from '../../support/node-reports.ts'
import { judgeAnswer } from '../support/exchange.ts'
import type { Exchange } from '../support/exchange.ts'
import type { FuzzedHub } from '../support/hub-process.ts'
import { mutatedText } from '../support/mutate.ts'
import { filled, READ_ROUTES, segment, WRITE_ROUTES } from '../support/routes.ts'
import { target } from '../support/target.ts'
import type { Target } from '../support/target.ts'

const METHODS = [
  'GET',
  'GET',
  'GET',
  'HEAD',
  'OPTIONS',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'TRACE',
  'PROPFIND',
  'QUERY',
]

export function paths(hub: FuzzedHub): Target {
  const route = fc.constantFrom(...READ_ROUTES, ...WRITE_ROUTES.map((one) => one.replace(/^\w+ /, '')))
  const path = fc.oneof(
    { arbitrary: route.chain((one) => filled(one, hub.known)), weight: 4 },
    fc.array(segment, { maxLength: 5 }).map((all) => `/${all.join('/')}`),
    // Whole addresses and stars are forms of the line of a request too.
    segment.map((text) => `http://${text}/healthz`),
    fc.constantFrom(
      '*',
      '//',
      '///',
      'http://',
      'http://[',
      'x:',
      '?',
      '#',
      '/?',
      '/..',
      'http:///healthz',
      '//a:b@c/',
    ),
  )
  const who = fc.constantFrom(...Object.values(hub.known.tokens), null)
  return target({
    name: '',
    share: 60,
    cases: fc.record({ method: fc.constantFrom(...METHODS), path, token: who }),
    check: async (wanted) => judgeAnswer(await hub.ask(wanted), wanted),
  })
}

const PARAMETERS = [
  'limit',
  'cursor',
  'q',
  'app',
  'state',
  'dryRun',
  'prefix',
  'service',
  'build',
  'type',
  'head',
  'node',
  'since',
  '__proto__',
  'x',
  '',
]
const VALUES = [
  ...[
    '1',
    '0',
    '-1',
    '500',
    '501',
    '1e2',
    '999999',
    'true',
    'false',
    'TRUE',
    'shop',
    'released',
    'git-upload-pack',
    '%00',
    '%25',
  ],
  ...[
    '%',
    '_',
    '%5c',
    '%ed%a0%80',
    '2026-01-01T00:00:00Z~shop~1',
    '~~',
    '~~x',
    'prm_',
    '999999999999999',
    '%27%20or%201=1--',
    '%0a',
  ],
]

export function queries(hub: FuzzedHub): Target {
  const value = fc.oneof(
    fc.constantFrom(...VALUES),
    segment.map((text) => text.replaceAll('#', '')),
  )
  const pair = fc
    .tuple(fc.constantFrom(...PARAMETERS), fc.constantFrom('=', '=', '=', '', '[]=', '[a]='), value)
    .map((all) => all.join(''))
  const query = fc.oneof(
    { arbitrary: fc.array(pair, { maxLength: 4 }).map((pairs) => pairs.join('&')), weight: 20 },
    fc
      .tuple(fc.constantFrom('%', 'a&', 'limit=1&', 'q=%25'), fc.nat(1500))
      .map(([piece, times]) => piece.repeat(times)),
  )
  const path = fc.constantFrom(...READ_ROUTES).chain((route) => filled(route, hub.known))
  return target({
    name: '',
    share: 40,
    cases: fc.tuple(path, query),
    check: async ([path, query]) => judgeAnswer(await hub.ask({ path: `${path}?${query}` })),
  })
}

/** What Node lets a client send at all: tab, and everything from the space to `ÿ`. */
const fieldValue = fc.oneof(
  fc.string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .map((code) => String.fromCharCode(code === 0x7f ? 0x09 : code)),
    maxLength: 30,
  }),
  fc.constantFrom(
    '',
    ' ',
    '\t',
    ',',
    ',,,',
    ';',
    '""',
    '"',
    '*',
    'x'.repeat(8000),
    ', '.repeat(2000),
    '\xff',
    '0',
    '-1',
    '1, 1',
  ),
)
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  Authorization: [
    'Bearer',
    'Bearer  ',
    'Basic',
    'Basic Og==',
    'Basic :',
    'basic eDp5',
    'Digest a=b',
    'Bearer a b',
    'Negotiate',
    'Basic ////',
    'bearer\tx',
  ],
  'Idempotency-Key': ['a', '"a"', 'a b', 'x'.repeat(255), 'x'.repeat(256)],
  'Content-Type': [
    'application/json',
    'application/json; charset=utf-7',
    'application/json;charset=utf-16',
    'multipart/form-data',
    'text/plain;charset="',
    'multipart/form-data; boundary=',
    'application/x-www-form-urlencoded',
  ],
  'Content-Encoding': ['gzip', 'br', 'deflate', 'zstd', 'identity', 'gzip, gzip', 'x', 'GZIP'],
  'Content-Digest': [
    'sha-512=:AAAA:',
    'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
    'md5=:AA==:',
    'sha-256',
    '=:',
    'sha-256=::',
    '__proto__=:AA==:',
  ],
  'Repr-Digest': ['sha-512=:AAAA:', 'constructor=:AAAA:'],
  'Git-Protocol': ['version=2', 'version=3', ':', 'version=2:version=1', '='],
  'If-None-Match': ['*', 'W/"x"', '"', 'W/'],
  'If-Modified-Since': [
    'Thu, 01 Jan 1970 00:00:00 GMT',
    'x',
    '99999999999999',
    'Fri, 31 Dec 9999 23:59:59 GMT',
  ],
  Range: ['bytes=0-', 'bytes=-', 'bytes=0-0,1-1', 'items=0-1'],
  Accept: ['*/*', 'text/html;q=2', ';'],
  'Accept-Encoding': ['gzip', 'identity;q=0', '*;q=0'],
  Expect: ['100-continue'],
  Host: ['x', '', '[::1', 'a b', '..', 'a:99999999'],
  'X-Forwarded-For': ['1.2.3.4', 'x, y', '::', ','],
  'X-Forwarded-Proto': ['https', 'javascript'],
  'X-HTTP-Method-Override': ['PATCH', 'DELETE', 'CONNECT', 'x'],
  'Tus-Resumable': ['1.0.0', '0.2', ''],
  Upgrade: ['websocket', 'h2c'],
  Cookie: ['a=b', ';', '__proto__=x'],
  Origin: ['null', 'https://evil.example'],
}

export function headers(hub: FuzzedHub): Target {
  const field = fc.constantFrom(...Object.keys(FIELDS)).chain((name) => {
    const value = fc.oneof({ arbitrary: fc.constantFrom(...(FIELDS[name] ?? [])), weight: 2 }, fieldValue)
    return fc.tuple(fc.constant(name), value)
  })
  const call = fc.oneof(
    fc.constantFrom(...READ_ROUTES).map((route) => ['GET', route] as const),
    fc.constantFrom(...WRITE_ROUTES).map((route) => route.split(' ') as [string, string]),
  )
  const body = fc.constantFrom(
    undefined,
    undefined,
    Buffer.from('{}'),
    Buffer.from(''),
    gzipSync('{}'),
    Buffer.from('\ufeff{}', 'utf16le'),
  )
  const cases = call.chain(([method, route]) =>
    fc.record({
      method: fc.constant(method),
      path: filled(`${route}${method === 'GET' ? '' : '?dryRun=true'}`, hub.known),
      headers: fc.array(field, { minLength: 1, maxLength: 4 }).map((all) => Object.fromEntries(all)),
      body,
    }),
  )
  return target({
    name: '',
    share: 55,
    cases,
    check: async ({ body, ...wanted }) => {
      const exchange: Exchange = body === undefined ? wanted : { ...wanted, body }
      return judgeAnswer(await hub.ask(exchange), wanted)
    },
  })
}

const BODIES: readonly (readonly [call: string, body: object])[] = [
  ['POST /api/v1/promotions', { app: 'shop', build: 1, environment: 'staging', liftWithdrawal: true }],
  [
    'POST /api/v1/promotions',
    {
      set: [
        { app: 'shop', build: 2 },
        { app: 'cart', build: 1 },
      ],
      environment: 'production',
      override: null,
    },
  ],
  [
    'POST /api/v1/tokens',
    { name: 'ci', role: 'developer', apps: ['shop'], environments: null, commands: false, expiresIn: '90d' },
  ],
  ['POST /api/v1/nodes', { name: 'web2', environment: 'staging', machineId: '0'.repeat(32) }],
  ['POST /api/v1/nodes/web1/report', reportOf(['app-hub/shop-1.0.1_p1'])],
  [
    'PATCH /api/v1/apps/shop',
    {
      description: 'x',
      defaultRecipe: '{"slot": "0"}',
      versionPolicy: { preReleaseWords: { dev: 'alpha' }, otherWords: 'refuse' },
    },
  ],
  ['POST /api/v1/environments/staging/releases/$id/withdraw', { reason: 'broken' }],
  ['POST /api/v1/apps/shop/builds/1/yank', { reason: 'broken' }],
  ['POST /api/v1/apps/shop/builds/1/unyank', { reason: 'mended' }],
  ['POST /api/v1/apps/shop/builds/2/pin', { reason: 'kept' }],
  ['POST /api/v1/apps/shop/builds/2/unpin', { reason: 'not kept' }],
  [
    'POST /api/v1/apps/shop/builds',
    { upload: 'upl_none', build: 9, version: '1.2.3', recipe: '{}', promote: 'false', dryRun: true },
  ],
]
const JSON_PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '1e999',
  '-0',
  'null',
  'true',
  '\\u0000',
  '\\ud800',
  '\\',
  '"__proto__":{}',
  '\n',
  '9007199254740993',
  '"a":1,',
  '\ufeff',
  '[[[[[[[[[[',
]

/** The same keys with values of any kind. */
const anyValue = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      null,
      true,
      false,
      0,
      -1,
      1.5,
      1e300,
      2 ** 53,
      '',
      'shop',
      'staging',
      'production',
      '\0',
      '\ud800',
      '90d',
      '999999d',
      '__proto__',
    ),
    fc.string({ unit: 'binary', maxLength: 10 }),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', '__proto__', 'constructor', 'length'), tie('any'), { maxKeys: 3 }),
  ),
})).any

/** A sound body with its characters, its values or its whole changed. */
export function changedJson(sound: object): fc.Arbitrary<string> {
  return fc.oneof(
    { arbitrary: mutatedText([JSON.stringify(sound)], JSON_PIECES), weight: 2 },
    fc
      .dictionary(fc.constantFrom(...Object.keys(sound), 'x', '__proto__'), anyValue, { maxKeys: 5 })
      .map((changes) => JSON.stringify({ ...sound, ...changes })),
    anyValue.map((whole) => JSON.stringify(whole)),
    fc
      .tuple(fc.constantFrom('[', '{"a":', '"a",', ' '), fc.nat(200_000))
      .map(([piece, times]) => piece.repeat(times)),
  )
}

export const jsonTypes = fc.constantFrom(
  'application/json',
  'application/json',
  'application/json; charset=utf-16le',
  'text/plain',
  'application/x-www-form-urlencoded',
)

export function bodies(hub: FuzzedHub): Target {
  const cases = fc.constantFrom(...BODIES).chain(([call, sound]) => {
    const [method = '', route = ''] = call.split(' ')
    return fc.record({
      method: fc.constant(method),
      path: filled(route, hub.known).chain((path) => fc.constantFrom(path, `${path}?dryRun=true`)),
      text: changedJson(sound),
      type: jsonTypes,
      packed: fc.constantFrom(false, false, true),
      key: fc.constantFrom(undefined, undefined, 'a', 'b'),
    })
  })
  return target({
    name: '',
    share: 50,
    cases,
    check: async ({ method, path, text, type, packed, key }) => {
      const encoding = packed ? { 'Content-Encoding': 'gzip' } : {}
      const again = key === undefined ? {} : { 'Idempotency-Key': key }
      const body = packed ? gzipSync(text) : Buffer.from(text)
      const answer = await hub.ask({
        method,
        path,
        body,
        headers: { 'Content-Type': type, ...encoding, ...again },
      })
      return judgeAnswer(answer)
    },
  })
}
