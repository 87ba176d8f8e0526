/** Git requests that were found by fuzzing: git itself ended with a fault, and the hub with 500. */
import { expect, test } from 'vitest'
import { parseUploadPackRequest } from '../../../src/git/upload-pack-request.ts'
import { bodyOf } from '../support/git-requests.ts'

const OID = 'a'.repeat(40)
const fetch = (...args: readonly string[]): string => bodyOf(['command=fetch', '0001', ...args, '0000'])

test.each([
  ['two filters', 2, fetch(`want ${OID}`, 'filter blob:none', 'filter tree:0')],
  ['a depth and a time', 2, fetch(`want ${OID}`, 'deepen 1', 'deepen-since 5')],
  ['a depth and a ref', 2, fetch(`want ${OID}`, 'deepen-not HEAD', 'deepen 1')],
  ['a depth that git cannot count', 2, fetch(`want ${OID}`, 'deepen 2147483648')],
  [
    'a filter that was not agreed on',
    0,
    bodyOf([`want ${OID} shallow\n`, 'filter blob:none\n', '0000', 'done\n']),
  ],
  ['a negotiation without an end', 0, bodyOf([`want ${OID}\n`, '0000', `have ${OID}\n`])],
] as const)('%s is refused before git is started', (_, version, body) => {
  expect(() => parseUploadPackRequest(Buffer.from(body), version)).toThrow(
    expect.objectContaining({ code: 'request.invalid' }),
  )
})

test.each([
  ['the largest depth', 2, fetch(`want ${OID}`, 'deepen 2147483647', 'done')],
  ['a time and a ref', 2, fetch(`want ${OID}`, 'deepen-since 5', 'deepen-not HEAD', 'done')],
  ['a filter that was agreed on', 0, bodyOf([`want ${OID} filter\n`, 'filter tree:0\n', '0000', 'done\n'])],
  ['a question for shallow commits', 0, bodyOf([`want ${OID}\n`, 'deepen 1\n', '0000'])],
  ['a negotiation that goes on', 1, bodyOf([`want ${OID}\n`, '0000', `have ${OID}\n`, '0000'])],
] as const)('%s is taken', (_, version, body) => {
  expect(parseUploadPackRequest(Buffer.from(body), version).kind).toMatch(/^fetch/)
})
