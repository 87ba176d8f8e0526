/** Git's requests over HTTP, those included that the hub hands to git itself. */
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { decodePkts } from '../../../src/git/pkt-line.ts'
import { judgeAnswer } from '../support/exchange.ts'
import type { FuzzedHub } from '../support/hub-process.ts'
import { gitRequests, GIT_REQUEST_CORPUS } from '../support/git-requests.ts'
import { mutated } from '../support/mutate.ts'
import { target } from '../support/target.ts'
import type { Target } from '../support/target.ts'

const RESULT = 'application/x-git-upload-pack-result'

export function gitOverHttp(hub: FuzzedHub): Target {
  // The first one is the commit of now: a request that has it is one that clients make.
  const [tip = '', ...others] = hub.known.oids
  const oid = fc.oneof(
    { arbitrary: fc.constant(tip), weight: 12 },
    { arbitrary: fc.constantFrom(...others), weight: 6 },
    { arbitrary: fc.constantFrom('f'.repeat(40), '0'.repeat(40)), weight: 2 },
    fc.constant('x'),
  )
  const real = GIT_REQUEST_CORPUS.map((body) => Buffer.from(body.replaceAll(/\b[0-9a-f]{40}\b/g, tip)))
  const sound = gitRequests(oid).map((body) => Buffer.from(body))
  const body = fc.oneof(
    { arbitrary: sound, weight: 3 },
    { arbitrary: mutated(real), weight: 2 },
    sound.chain((bytes) => mutated([bytes])),
  )
  const packed = fc.oneof(
    body.map((bytes) => [bytes, undefined] as const),
    body.map((bytes) => [gzipSync(bytes), 'gzip'] as const),
    body.chain((bytes) => mutated([gzipSync(bytes)])).map((bytes) => [bytes, 'gzip'] as const),
    fc.tuple(body, fc.constantFrom('gzip', 'br', 'deflate', 'identity', '')),
    fc.constant([gzipSync(Buffer.alloc(20_000_000)), 'gzip'] as const),
  )
  const wild = fc.record({
    repository: fc.constantFrom('staging.git', 'staging.git', 'production.git', 'staging', 'x.git', '..'),
    packed,
    protocol: fc.constantFrom('version=2', 'version=2', 'version=1', 'version=0', ''),
    type: fc.constantFrom('application/x-git-upload-pack-request', 'text/plain'),
  })
  const orderly = sound.map((bytes) => ({
    repository: 'staging.git',
    packed: [bytes, undefined] as const,
    protocol: bytes.includes('command=') ? 'version=2' : '',
    type: 'application/x-git-upload-pack-request',
  }))
  const cases = fc.oneof({ arbitrary: orderly, weight: 2 }, { arbitrary: wild, weight: 3 })
  return target({
    name: '',
    share: 40,
    cases,
    check: async ({ repository, packed: [body, encoding], protocol, type }) => {
      const coded = encoding === undefined ? {} : { 'Content-Encoding': encoding }
      const headers = { 'Git-Protocol': protocol, 'Content-Type': type, ...coded }
      const answer = await hub.ask({
        method: 'POST',
        path: `/git/${repository}/git-upload-pack`,
        headers,
        body,
      })
      const verdict = judgeAnswer(answer)
      if (verdict === 'refused') return verdict
      if (answer.headers['content-type'] !== RESULT)
        throw new Error(`an answer of the type ${String(answer.headers['content-type'])}`)
      if (protocol === 'version=2') decodePkts(answer.body)
      return verdict
    },
  })
}
