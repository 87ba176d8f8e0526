/** Uploads by form and by PUT, their parts, fields and digests changed: what is refused leaves nothing. */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { formBody, FORM_TYPE } from '../../support/raw-http.ts'
import { judgeAnswer } from '../support/exchange.ts'
import type { Exchange } from '../support/exchange.ts'
import type { FuzzedHub } from '../support/hub-process.ts'
import { mutated, oddBytes, place, scaled } from '../support/mutate.ts'
import type { Change } from '../support/mutate.ts'
import { changeOfHeader, tarCorpus } from '../support/tar-corpus.ts'
import { target } from '../support/target.ts'
import type { Target, Verdict } from '../support/target.ts'

const FIELD_VALUES = [
  ...[
    '1',
    '0',
    '-1',
    '1e3',
    '007',
    '999999999999999',
    '1.4.0',
    '1.4.0-rc.2',
    'v1',
    'latest',
    '',
    ' ',
    '\0',
    '\u202e',
    'true',
    'false',
  ],
  ...[
    'staging',
    'production',
    'nowhere',
    '{"slot":"0"}',
    'slot: [',
    'https://ci.example/1',
    'javascript:x',
    'main',
    'é',
    'x'.repeat(300),
  ],
]
const FIELD_NAMES = [
  ...[
    'build',
    'version',
    'recipe',
    'ebuild.template',
    'sha512',
    'commit',
    'branch',
    'ciUrl',
    'promote',
    'dryRun',
    'upload',
  ],
  ...[
    'x',
    '',
    '__proto__',
    'constructor',
    'build[]',
    'build[a]',
    'recipe[__proto__][x]',
    'tarball',
    'a'.repeat(120),
  ],
]

/** Names and values as a form has them, and then the bytes of the form changed where its grammar is. */
export function forms(hub: FuzzedHub): Target {
  const field = fc.tuple(
    fc.constantFrom(...FIELD_NAMES),
    fc.oneof(fc.constantFrom(...FIELD_VALUES), fc.string({ unit: 'binary', maxLength: 8 })),
  )
  const form = fc
    .tuple(
      fc.array(field, { maxLength: 2 }),
      fc.constantFrom(undefined, hub.known.tarball, Buffer.alloc(0), Buffer.from('no tar')),
    )
    .map(([fields, tarball]) =>
      formBody({ ...Object.fromEntries(fields), dryRun: 'true', ...(tarball && { tarball }) }),
    )
  const body = fc.oneof(
    form,
    form.chain((bytes) => mutated([bytes], [changeOfForm])),
  )
  const type = fc.oneof(
    { arbitrary: fc.constant(FORM_TYPE), weight: 10 },
    fc.constantFrom(
      'multipart/form-data',
      'multipart/form-data; boundary=',
      'multipart/form-data; boundary="',
      'multipart/mixed; boundary=x',
      `${FORM_TYPE}; boundary=y`,
      `multipart/form-data; boundary=${'x'.repeat(500)}`,
      'multipart/form-data; boundary=a; charset=\xff',
    ),
  )
  const cases = fc.record({
    body,
    type,
    digest: fc.constantFrom(undefined, undefined, 'sha-256=:AAAA:', 'right', 'wrong'),
  })
  return target({
    name: '',
    share: 30,
    cases,
    check: async ({ body, type, digest }) => {
      const headers = { 'Content-Type': type, ...contentDigest(digest, body) }
      return await leavingNothing(hub, {
        method: 'POST',
        path: '/api/v1/apps/shop/builds?dryRun=true',
        headers,
        body,
      })
    },
  })
}

const FORM_PIECES = [
  ...[
    '\r\n',
    '\r\n\r\n',
    '--',
    'Content-Disposition: form-data; name="',
    '"; filename="',
    "; filename*=utf-8''%ff",
    '; name*=x',
    'Content-Type: ',
  ],
  ...[
    'Content-Transfer-Encoding: base64\r\n',
    'name="__proto__"',
    'name=""',
    '--the-line-between-the-parts--',
    '\r\n--the-line-between-the-parts\r\n',
    '\n\n',
    '\0',
  ],
]
/** Only where the names of the parts are: changes in the tarball are the matter of other targets. */
export const changeOfForm: fc.Arbitrary<Change> = fc
  .record({
    at: place,
    piece: fc.oneof(
      fc.constantFrom(...FORM_PIECES).map((text) => Buffer.from(text)),
      oddBytes,
    ),
    cut: fc.nat(12),
  })
  .map(({ at, piece, cut }): Change => {
    return (bytes) => {
      const start = scaled(at, Math.min(bytes.length, 600))
      return Buffer.concat([bytes.subarray(0, start), piece, bytes.subarray(start + cut)])
    }
  })

const QUERIES = [
  '',
  'version=1.2.3',
  'version=',
  'dryRun=true',
  'promote=false',
  'promote=production',
  'x=1',
  'version=1&version=2',
  'ciUrl=x',
  '__proto__=x',
]

export function uploads(hub: FuzzedHub): Target {
  const tars = tarCorpus()
  const body = fc.oneof(
    mutated(tars, [changeOfHeader], true),
    mutated(tars, [changeOfHeader]).map((bytes) => gzipSync(bytes)),
    mutated(tars.map((bytes) => gzipSync(bytes))),
    fc.constantFrom(
      Buffer.alloc(0),
      Buffer.alloc(5 * 1024 * 1024),
      Buffer.from('PK\x03\x04'),
      hub.known.tarball,
    ),
  )
  const cases = fc.record({
    body,
    build: fc.constantFrom('9', '10', '11', '12', '1', '0', 'x', '999999999999999'),
    query: fc.oneof(
      fc.constant('dryRun=true'),
      fc.constantFrom(...QUERIES).map((one) => `dryRun=true&${one}`),
    ),
    digest: fc.constantFrom(
      undefined,
      undefined,
      'right',
      'right',
      'right',
      'wrong',
      'sha-512=:AA==:',
      'md5=:AA==:',
    ),
    encoding: fc.constantFrom(undefined, undefined, undefined, undefined, undefined, 'gzip', 'identity'),
  })
  return target({
    name: '',
    share: 25,
    cases,
    check: async ({ body, build, query, digest, encoding }) => {
      const headers = {
        'Content-Type': 'application/octet-stream',
        ...contentDigest(digest, body),
        ...(encoding === undefined ? {} : { 'Content-Encoding': encoding }),
      }
      const verdict = await leavingNothing(hub, {
        method: 'PUT',
        path: `/api/v1/apps/shop/builds/${build}/tarball?${query}`,
        headers,
        body,
      })
      if (digest === 'wrong' && verdict === 'accepted') throw new Error('taken, and the digest is another')
      return verdict
    },
  })
}

/** A dry run and a refusal leave the archive and the folder of uploads as they were. */
async function leavingNothing(hub: FuzzedHub, wanted: Exchange): Promise<Verdict> {
  const before = await hub.archived()
  const verdict = judgeAnswer(await hub.ask(wanted))
  await hub.refuseLeftovers(before)
  return verdict
}

function contentDigest(wanted: string | undefined, body: Buffer): Readonly<Record<string, string>> {
  if (wanted === undefined) return {}
  const digest = createHash('sha256')
    .update(wanted === 'wrong' ? 'other bytes' : body)
    .digest('base64')
  return { 'Content-Digest': ['right', 'wrong'].includes(wanted) ? `sha-256=:${digest}:` : wanted }
}
