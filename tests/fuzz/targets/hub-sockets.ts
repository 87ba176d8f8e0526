/** HTTP that is none: the hub answers with a refusal or closes, and goes on. */
import { once } from 'node:events'
import { connect } from 'node:net'
import fc from 'fast-check'
import { BOUNDARY, formBody, FORM_TYPE, requestHead } from '../../support/raw-http.ts'
import type { FuzzedHub } from '../support/hub-process.ts'
import { mutated, oddBytes, place, scaled } from '../support/mutate.ts'
import type { Change } from '../support/mutate.ts'
import { target } from '../support/target.ts'
import type { Target, Verdict } from '../support/target.ts'

const FORM = formBody({ build: '77', dryRun: 'true', tarball: Buffer.from('no tar') })
const chunked = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n0\r\n\r\n`
const CORPUS = [
  requestHead('GET /healthz', {}),
  requestHead('GET /api/v1/apps?limit=1', { Connection: 'close' }),
  requestHead('GET /healthz', {}) + requestHead('GET /readyz', {}),
  requestHead('POST /api/v1/promotions?dryRun=true', {
    'Content-Type': 'application/json',
    'Content-Length': 2,
  }) + '{}',
  requestHead('POST /api/v1/promotions?dryRun=true', {
    'Content-Type': 'application/json',
    'Transfer-Encoding': 'chunked',
  }) + chunked('{"app":"shop"}'),
  requestHead('POST /api/v1/apps/shop/builds', { 'Content-Type': FORM_TYPE, 'Content-Length': FORM.length }) +
    FORM.toString('latin1'),
  requestHead('PUT /api/v1/apps/shop/builds/78/tarball?dryRun=true', {
    'Transfer-Encoding': 'chunked',
    Trailer: 'x',
  }) + chunked(BOUNDARY),
  requestHead('PUT /api/v1/apps/shop/builds/78/tarball?dryRun=true', {
    'Content-Length': 50,
    Expect: '100-continue',
  }) + 'x'.repeat(50),
  requestHead('POST /git/staging.git/git-upload-pack', { 'Content-Length': 4, 'Content-Encoding': 'gzip' }) +
    '0000',
].map((text) => Buffer.from(text, 'latin1'))

const PIECES = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    ' ',
    '\t',
    ':',
    ' HTTP/1.1',
    ' HTTP/9.9',
    'HTTP/2.0',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'CONNECT x:1 HTTP/1.1\r\n',
  ],
  ...[
    'Content-Length: 5\r\n',
    'Content-Length: -1\r\n',
    'Content-Length: 99999999999999999999\r\n',
    'Content-Length: 0x5\r\n',
    'Transfer-Encoding: chunked\r\n',
  ],
  ...[
    'Transfer-Encoding: gzip, chunked\r\n',
    'Transfer-Encoding: xchunked\r\n',
    'Host: a\r\nHost: b\r\n',
    'ffffffffffffffff\r\n',
    '-1\r\n',
    '5;x=y\r\n',
    '0\r\n',
  ],
  ...[
    'Authorization: x\0y\r\n',
    ' folded\r\n',
    'Upgrade: h2c\r\nConnection: Upgrade\r\n',
    'Expect: x\r\n',
    'GET http://[ HTTP/1.1\r\n',
    'GET ?x HTTP/1.1\r\n',
    '\0',
    '\xff',
    '\x16\x03\x01\x02\x00',
  ],
]
const changeOfRequest: fc.Arbitrary<Change> = fc
  .record({
    at: place,
    piece: fc.oneof(
      { arbitrary: fc.constantFrom(...PIECES).map((text) => Buffer.from(text, 'latin1')), weight: 4 },
      oddBytes,
    ),
    atLine: fc.boolean(),
  })
  .map(({ at, piece, atLine }): Change => {
    return (bytes) => {
      const rough = scaled(at, bytes.length)
      const line = bytes.indexOf('\r\n', rough)
      const start = atLine && line >= 0 ? line + 2 : rough
      return Buffer.concat([bytes.subarray(0, start), piece, bytes.subarray(start)])
    }
  })

export function sockets(hub: FuzzedHub): Target {
  return target({
    name: '',
    share: 20,
    cases: fc.record({
      bytes: mutated(CORPUS, [changeOfRequest, changeOfRequest]),
      cut: fc.constantFrom('end', 'end', 'end', 'reset'),
    }),
    check: async ({ bytes, cut }) => {
      const answer = await hub.watched(async (url) => await converse(url, bytes, cut))
      const verdict = judge(answer)
      const { status } = await hub.ask({ path: '/healthz', token: null })
      if (status !== 200) throw new Error(`afterwards /healthz has status ${status}`)
      return verdict
    },
  })
}

/** Writes the bytes, then says that there are no more, or breaks off; gives what came back until the hub closed. */
async function converse(url: string, bytes: Buffer, cut: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  socket.on('error', () => {})
  let received = ''
  socket.setEncoding('latin1').on('data', (text: string) => (received += text))
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  if (cut === 'reset') {
    socket.write(bytes, () => socket.resetAndDestroy())
  } else {
    socket.end(bytes)
  }
  await closed
  return received
}

function judge(answer: string): Verdict {
  const statuses = Array.from(answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm), ([, status]) => Number(status))
  if (answer !== '' && !/^HTTP\/1\.1 \d{3} /.test(answer))
    throw new Error(`no answer of HTTP: ${JSON.stringify(answer.slice(0, 200))}`)
  // Node itself knows no transfer coding but one.
  if (statuses.some((status) => status >= 500 && status !== 501)) throw new Error(answer.slice(0, 2000))
  return statuses.some((status) => status < 400) ? 'accepted' : 'refused'
}
