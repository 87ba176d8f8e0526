/** Git's wire protocol, trees and deltas; and links and pax records, which are as small. */
import fc from 'fast-check'
import { refuseEscapingLinks } from '../../../src/builds/archive-links.ts'
import type { ArchiveEntry } from '../../../src/builds/archive-contents.ts'
import { readPaxRecords } from '../../../src/builds/pax-records.ts'
import { parseProtocolVersion } from '../../../src/git/advertisement.ts'
import { encodeTreeDelta } from '../../../src/git/delta.ts'
import { parseOid } from '../../../src/git/objects.ts'
import type { Oid } from '../../../src/git/objects.ts'
import { decodePkts, encodePkt } from '../../../src/git/pkt-line.ts'
import { diffTrees } from '../../../src/git/tree-diff.ts'
import { applyChanges, EMPTY_TREE, listFiles, lookup } from '../../../src/git/tree.ts'
import { parseUploadPackRequest } from '../../../src/git/upload-pack-request.ts'
import { applyDelta } from '../support/apply-delta.ts'
import { followAsKernel } from '../support/follow-links.ts'
import { gitRequest, GIT_REQUEST_CORPUS } from '../support/git-requests.ts'
import { flooded, mutated, mutatedText } from '../support/mutate.ts'
import { outcomeNow } from '../support/refusal.ts'
import { same, sameJson } from '../support/same.ts'
import { target } from '../support/target.ts'
import type { Target } from '../support/target.ts'

const REQUEST = /^request\.invalid$/

const requests = target({
  name: 'git-request',
  share: 50,
  cases: fc.tuple(
    fc.oneof(
      mutated(GIT_REQUEST_CORPUS.map((body) => Buffer.from(body))),
      gitRequest.map((body) => Buffer.from(body)),
      flooded(
        [
          '0000',
          '0001',
          '0004',
          '0005a',
          '0009done\n',
          '0032want 0123456789012345678901234567890123456789\n',
        ],
        300_000,
      ).map((body) => Buffer.from(body)),
    ),
    fc.constantFrom(undefined, 'version=2', 'version=1', 'version=2:version=1', 'x', ':'),
  ),
  check: ([body, header]) => {
    const pkts = outcomeNow(REQUEST, () => decodePkts(body))
    if (pkts.verdict === 'accepted') {
      const special = { flush: '0000', delim: '0001', 'response-end': '0002' }
      const parts = pkts.value.map((pkt) =>
        typeof pkt === 'string' ? Buffer.from(special[pkt]) : encodePkt(pkt),
      )
      // Lengths may be written in capitals.
      same(
        Buffer.concat(parts).toString('latin1').toLowerCase(),
        body.toString('latin1').toLowerCase(),
        'the lines of a request',
      )
    }
    return outcomeNow(REQUEST, () => parseUploadPackRequest(body, parseProtocolVersion(header))).verdict
  },
})

const name = fc.oneof(
  { arbitrary: fc.constantFrom('a', 'b', 'a.b', 'a-b', 'ab', 'é', '\u{10000}', '\uffee', 'A'), weight: 30 },
  fc.constantFrom('.git', '..', '', 'x\\y'),
)
const treePath = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'))
const oid = fc.constantFrom('a', 'b', 'c').map((digit) => parseOid(digit.repeat(40)))
const change = fc.tuple(treePath, fc.option(oid, { freq: 4 }))
const trees = target({
  name: 'git-trees',
  share: 20,
  cases: fc.tuple(fc.array(change, { maxLength: 12 }), fc.array(change, { maxLength: 6 })),
  check: ([first, second]) => {
    const codes = /^overlay\.path_refused$/
    const base = outcomeNow(codes, () => applyChanges(EMPTY_TREE, new Map(first)))
    if (base.verdict === 'refused') return 'refused'
    const next = outcomeNow(codes, () => applyChanges(base.value, new Map(second)))
    if (next.verdict === 'refused') return 'refused'
    const expected = new Map<string, Oid>(listFiles(base.value))
    for (const [path, content] of new Map(second))
      if (content === null) expected.delete(path)
      else expected.set(path, content)
    sameJson([...listFiles(next.value)].toSorted(), [...expected].toSorted())
    for (const [path, content] of expected) same(lookup(next.value, path)?.oid, content, path)
    const changed = diffTrees(base.value, next.value).map(({ path, after }) => [path, after] as const)
    same(applyChanges(base.value, new Map(changed)).oid, next.value.oid, 'the difference of two trees')
    const delta = encodeTreeDelta(base.value, next.value)
    if (!applyDelta(base.value.content, delta).equals(next.value.content))
      throw new Error('the delta makes another tree')
    return 'accepted'
  },
})

const paxKey = fc.oneof(
  fc.constantFrom(
    'path',
    'linkpath',
    'size',
    'mtime',
    'uid',
    'comment',
    'GNU.sparse.name',
    'SCHILY.xattr.user.a',
    ' path',
    '\tpath',
    'a\0b',
    '',
  ),
  fc.string({ unit: 'binary', maxLength: 8 }),
)
const paxValue = fc.oneof(
  fc.constantFrom('', '5', 'a/b', '-1', '1.5', 'a\nb', 'a\0b', '99999999999999999999'),
  fc.string({ unit: 'binary', maxLength: 12 }),
)
const paxBody = fc
  .array(fc.tuple(paxKey, paxValue, fc.constantFrom(0, 0, 0, 0, 1, -1)), { maxLength: 4 })
  .map((records) => Buffer.concat(records.map(([key, value, off]) => paxRecord(key, value, off))))
const pax = target({
  name: 'pax-records',
  share: 20,
  cases: fc.oneof(
    paxBody,
    fc.array(paxBody, { minLength: 1, maxLength: 3 }).chain((corpus) => mutated(corpus)),
    mutatedText(
      ['11 path=ab\n', '9 size=5\n19 comment=a comment\n'.slice(0)],
      ['\n', ' ', '=', '11 path=ab\n', '0', '\t'],
    ).map((body) => Buffer.from(body)),
    flooded(['6 a=b\n', '9', '\n', '5 a=\n', ' '], 200_000).map((body) => Buffer.from(body)),
  ),
  check: (body) => outcomeNow(/^archive\.(?:corrupt|unsafe_type)$/, () => readPaxRecords(body)).verdict,
})

const linkName = fc.constantFrom('a', 'b', 'c', 'd')
const linkPath = fc
  .array(linkName, { minLength: 1, maxLength: 3 })
  .map((names) => ['top', ...names].join('/'))
const linkTarget = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd', '..', '..', '.', '', 'top', 'x'), { minLength: 1, maxLength: 6 })
  .map((names) => names.join('/'))
const links = target({
  name: 'links',
  share: 20,
  cases: fc.tuple(fc.array(fc.tuple(linkPath, linkTarget), { minLength: 1, maxLength: 8 }), fc.boolean()),
  check: ([pairs, hasTop]) => {
    const all = new Map(pairs.filter(([path, goal]) => goal !== '' && !below(path, pairs)))
    const entries = Array.from(all, ([path, goal]): ArchiveEntry => ({
      path,
      type: 'symlink',
      mode: 0o777,
      sizeBytes: 0,
      target: goal,
    }))
    const top = hasTop ? 'top' : ''
    const { verdict } = outcomeNow(/^archive\.unsafe_link$/, () => refuseEscapingLinks(entries, top))
    const worst = [...all.keys()].map((path) => followAsKernel(path, all, top))
    // What tidies a path by its text alone may be refused besides; what the kernel lets out must be.
    if (verdict === 'accepted' && worst.some((end) => end !== 'inside'))
      throw new Error(`the kernel says ${worst.join(', ')}`)
    if (
      verdict === 'refused' &&
      worst.every((end) => end === 'inside') &&
      ![...all.values()].some((goal) => leavesByText(goal, all, top))
    )
      throw new Error('refused, and nothing leaves')
    return verdict
  },
})

function below(path: string, pairs: readonly (readonly [string, string])[]): boolean {
  return pairs.some(([other]) => path.startsWith(`${other}/`))
}

/** Whether some target has a `..` that could go out if the names before it were folders of their own. */
function leavesByText(goal: string, all: ReadonlyMap<string, string>, top: string): boolean {
  const room = Math.min(
    ...[...all]
      .filter(([, other]) => other === goal)
      .map(([path]) => path.split('/').length - 1 - (top === '' ? 0 : 1)),
  )
  if (goal.startsWith('/')) return true
  let depth = room
  return goal.split('/').some((part) => {
    if (part === '..') depth--
    else if (part !== '' && part !== '.') depth++
    return depth < 0
  })
}

function paxRecord(key: string, value: string, off: number): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`)
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length++
  return Buffer.concat([Buffer.from(String(length + off)), rest])
}

export const GIT_TARGETS: readonly Target[] = [requests, trees, pax, links]
