/** What git clients send to `git-upload-pack`, and what they might. Source: gitprotocol-v2(5), gitprotocol-pack(5). */
import fc from 'fast-check'
import { encodePkt } from '../../../src/git/pkt-line.ts'

const FLUSH = '0000'
const DELIM = '0001'
const SOME_OID = '0123456789abcdef0123456789abcdef01234567'

/** Lines as packets; `0000` and `0001` as they are. */
export function bodyOf(lines: readonly string[]): string {
  return lines
    .map((line) => (line === FLUSH || line === DELIM ? line : encodePkt(line).toString('latin1')))
    .join('')
}

export const GIT_REQUEST_CORPUS: readonly string[] = [
  bodyOf([
    'command=ls-refs\n',
    'agent=git/2.39\n',
    'object-format=sha1',
    DELIM,
    'peel\n',
    'symrefs\n',
    'ref-prefix HEAD\n',
    FLUSH,
  ]),
  bodyOf([
    'command=fetch',
    'agent=git/2.39',
    DELIM,
    'thin-pack',
    'ofs-delta',
    'deepen 1',
    `want ${SOME_OID}\n`,
    `have ${SOME_OID}\n`,
    'done\n',
    FLUSH,
  ]),
  bodyOf([
    'command=fetch',
    DELIM,
    `want ${SOME_OID}`,
    `shallow ${SOME_OID}`,
    'filter blob:none',
    'deepen-since 5',
    'wait-for-done',
    FLUSH,
  ]),
  bodyOf([
    `want ${SOME_OID} multi_ack_detailed side-band-64k thin-pack ofs-delta agent=git/2.39\n`,
    'deepen 1\n',
    FLUSH,
    `have ${SOME_OID}\n`,
    'done\n',
  ]),
  bodyOf([`want ${SOME_OID}\n`, `shallow ${SOME_OID}\n`, FLUSH, 'done\n']),
  FLUSH,
]

/** Requests of sound lines in any order; `oids` are the ids that they name. */
export function gitRequests(oids: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const withId = fc
    .tuple(fc.constantFrom('want', 'want', 'want', 'have', 'have', 'shallow'), oids)
    .map(([word, oid]) => `${word} ${oid}`)
  const flag = fc.constantFrom(
    ...[
      'done',
      'done',
      'thin-pack',
      'ofs-delta',
      'no-progress',
      'include-tag',
      'wait-for-done',
      'deepen-relative',
    ],
  )
  const limit = fc.constantFrom(
    ...['deepen 1', 'deepen 2', 'deepen 2147483647', 'deepen-since 1', 'deepen-since 99999999999'],
    ...['deepen-not HEAD', 'deepen-not refs/heads/main'],
  )
  const filter = fc.constantFrom(
    ...['blob:none', 'tree:0', 'tree:999999', 'blob:limit=0', 'blob:limit=999999999999g', 'object:type=tag'],
    ...['combine:tree:1+blob:none', 'combine:blob:none+blob%3Alimit=1k'],
  )
  const refused = fc.constantFrom(
    ...['deepen 0', 'deepen -1', 'deepen 2147483648', 'deepen 9999999999', 'deepen-not x', 'sideband-all'],
    ...['filter sparse:oid=x', 'filter combine:combine%3Atree%3A1', 'deepen-since 0', 'want', 'have x'],
  )
  const argument = fc.oneof(
    { arbitrary: withId, weight: 12 },
    { arbitrary: flag, weight: 8 },
    { arbitrary: limit, weight: 4 },
    { arbitrary: filter.map((one) => `filter ${one}`), weight: 3 },
    { arbitrary: refused, weight: 1 },
  )
  const args = fc.array(argument, { maxLength: 7 })
  const fetch = args.map((lines) => bodyOf(['command=fetch', 'agent=x', DELIM, ...lines, FLUSH]))
  const refs = fc
    .array(
      fc.constantFrom(
        'peel',
        'symrefs',
        'unborn',
        'ref-prefix refs/',
        'ref-prefix HEAD',
        'ref-prefix \0',
        'ref-prefix ',
      ),
      { maxLength: 5 },
    )
    .map((lines) => bodyOf(['command=ls-refs', DELIM, ...lines, FLUSH]))
  const capabilities = fc
    .array(
      fc.constantFrom(
        'multi_ack',
        'multi_ack_detailed',
        'no-done',
        'thin-pack',
        'side-band',
        'side-band-64k',
        'ofs-delta',
        'shallow',
        'deepen-since',
        'deepen-not',
        'deepen-relative',
        'filter',
        'agent=x',
        'session-id=y',
        'object-format=sha1',
        'object-format=sha256',
        'allow-tip-sha1-in-want',
        '\x7e',
      ),
      { maxLength: 5 },
    )
    .map((words) => words.join(' '))
  const old = fc
    .tuple(
      oids,
      capabilities,
      args,
      fc.array(
        fc.oneof(
          oids.map((oid) => `have ${oid}`),
          fc.constantFrom(FLUSH, 'done'),
        ),
        { maxLength: 5 },
      ),
    )
    .map(([oid, words, lines, negotiation]) =>
      bodyOf([
        `want ${oid} ${words}\n`,
        ...lines.map((line) => `${line}\n`),
        FLUSH,
        ...negotiation.map((line) => (line === FLUSH ? line : `${line}\n`)),
      ]),
    )
  return fc.oneof({ arbitrary: fetch, weight: 3 }, refs, { arbitrary: old, weight: 2 })
}

export const gitRequest = gitRequests(fc.constantFrom(SOME_OID, 'f'.repeat(40), '0'.repeat(40), 'x', ''))
