/** Resumable uploads (tus 1.0.0): odd fields and orders of requests, held against a model of one upload. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { judgeAnswer } from '../support/exchange.ts'
import type { FuzzedHub } from '../support/hub-process.ts'
import { mutatedText } from '../support/mutate.ts'
import { same } from '../support/same.ts'
import { target } from '../support/target.ts'
import type { Target, Verdict } from '../support/target.ts'

const CHUNK = 'application/offset+octet-stream'
const printable = (text: string): string => text.replace(/[^\t\x20-\x7e]/g, '')
const number = fc.oneof(
  fc.constantFrom(
    '0',
    '1',
    '5',
    '10',
    '100',
    '4194304',
    '4194305',
    '-1',
    '',
    ' ',
    '1e3',
    '007',
    '0x10',
    '999999999999999',
    '9999999999999999999',
    '5, 5',
    '1.0',
  ),
  fc.nat(20).map(String),
)
const checksum = fc.oneof(
  fc.constantFrom(
    'sha1 ',
    'sha512 AAAA',
    'md5 1B2M2Y8AsgTpgAmY7PhCfg==',
    'sha1',
    '__proto__ AAAA',
    'sha256  x',
    'right',
    'right',
    'wrong',
  ),
  mutatedText(['sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk='], [' ', '=', 'sha', '/']).map(printable),
)
const metadata = fc.oneof(
  fc.constantFrom(
    'filename c2hvcC50YXI=',
    'a',
    'a,a',
    ',',
    'a b c',
    'a !',
    'x'.repeat(5000),
    '__proto__ eA==',
  ),
  mutatedText(['filename c2hvcC50YXI=,note eA=='], [',', ' ', '=', ',,']).map(printable),
)
const version = fc.constantFrom('1.0.0', '1.0.0', '1.0.0', '1.0.0', '0.2.2', '1.0', '', undefined)

const creation = fc.record({
  'Upload-Length': fc.oneof({ arbitrary: fc.constantFrom('10', '20', '0'), weight: 3 }, number),
  'Upload-Metadata': fc.option(metadata, { nil: undefined }),
  'Upload-Defer-Length': fc.constantFrom(undefined, undefined, undefined, '1'),
  'Upload-Concat': fc.constantFrom(undefined, undefined, undefined, 'partial', 'final;/x'),
  'Tus-Resumable': version,
})
const step = fc.record({
  method: fc.constantFrom('PATCH', 'PATCH', 'PATCH', 'PATCH', 'HEAD', 'GET', 'DELETE', 'POST', 'PUT'),
  offset: fc.oneof({ arbitrary: fc.constant('right'), weight: 4 }, number),
  bytes: fc.nat(15),
  checksum: fc.option(checksum, { nil: undefined }),
  version,
  type: fc.constantFrom(CHUNK, CHUNK, CHUNK, CHUNK, 'application/octet-stream', undefined),
  override: fc.constantFrom(undefined, undefined, undefined, 'PATCH', 'DELETE', 'HEAD', 'x'),
  query: fc.constantFrom('', '', '', '?dryRun=true', '?x'),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

interface Model {
  readonly id: string
  readonly sizeBytes: number
  offsetBytes: number
  gone: boolean
}

export function resumable(hub: FuzzedHub): Target {
  return target({
    name: '',
    share: 30,
    cases: fc.tuple(creation, fc.array(step, { maxLength: 5 })),
    check: async ([created, steps]) => {
      const before = await hub.archived()
      const answer = await hub.ask({ method: 'POST', path: '/api/v1/uploads', headers: present(created) })
      if (judgeAnswer(answer) === 'refused') {
        await hub.refuseLeftovers(before)
        return 'refused'
      }
      const { id, sizeBytes } = JSON.parse(answer.text) as { readonly id: string; readonly sizeBytes: number }
      const model: Model = { id, sizeBytes, offsetBytes: 0, gone: false }
      for (const one of steps) await take(hub, model, one)
      await hub.ask({
        method: 'DELETE',
        path: `/api/v1/uploads/${id}`,
        headers: { 'Tus-Resumable': '1.0.0' },
      })
      await hub.refuseLeftovers(before)
      return 'accepted'
    },
  })
}

/** Sends one step; afterwards the upload must be where the model is. */
async function take(hub: FuzzedHub, model: Model, one: Step): Promise<Verdict> {
  const body = Buffer.alloc(one.bytes, 'x')
  const headers = present({
    'Tus-Resumable': one.version,
    'Upload-Offset': one.offset === 'right' ? String(model.offsetBytes) : one.offset,
    'Upload-Checksum': checksumOf(one.checksum, body),
    'Content-Type': one.type,
    'X-HTTP-Method-Override': one.override,
  })
  const path = `/api/v1/uploads/${model.id}${one.query}`
  const answer = await hub.ask({
    method: one.method,
    path,
    headers,
    ...(['HEAD', 'GET', 'DELETE'].includes(one.method) ? {} : { body }),
  })
  const verdict = judgeAnswer(answer, one)
  const method = one.method === 'POST' ? (one.override ?? 'POST') : one.method
  if (verdict === 'accepted' && method === 'PATCH') {
    if (one.checksum === 'wrong' && body.length > 0) throw new Error('taken, and the checksum is another')
    if (Number(headers['Upload-Offset']) !== model.offsetBytes) throw new Error('taken at another offset')
    model.offsetBytes += body.length
    if (model.offsetBytes > model.sizeBytes) throw new Error('taken beyond the length')
  }
  if (verdict === 'accepted' && method === 'DELETE' && one.query !== '?dryRun=true') model.gone = true
  const seen = await hub.ask({
    method: 'HEAD',
    path: `/api/v1/uploads/${model.id}`,
    headers: { 'Tus-Resumable': '1.0.0' },
  })
  if (model.gone) same([404, 410].includes(seen.status), true, `an upload that is gone (${seen.status})`)
  else same(seen.headers['upload-offset'], String(model.offsetBytes), 'the offset')
  return verdict
}

function checksumOf(wanted: string | undefined, body: Buffer): string | undefined {
  if (wanted !== 'right' && wanted !== 'wrong') return wanted
  return `sha1 ${createHash('sha1')
    .update(wanted === 'right' ? body : 'other')
    .digest('base64')}`
}

function present(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}
