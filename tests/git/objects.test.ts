import { expect, test } from 'vitest'
import { commitParents, commitPayload, encodeCommit, objectId, parseOid } from '../../src/git/objects.ts'
import type { CommitFields } from '../../src/git/objects.ts'
import { EMPTY_TREE } from '../../src/git/tree.ts'
import { git, temporaryFolder } from './support.ts'

const FIELDS: CommitFields = {
  tree: EMPTY_TREE.oid,
  parent: null,
  author: { name: 'Zoë CI', email: 'ci@example.org' },
  committer: { name: 'Portage Hub', email: 'hub@example.org' },
  timeSec: 1_700_000_000,
  message: 'shop: add 1.0.0_p1\n\nBuild 1 of main.',
}
const SIGNATURE = '-----BEGIN PGP SIGNATURE-----\r\n\r\nabc=\r\n-----END PGP SIGNATURE-----\r\n'

test('git reads a signed commit as it was meant', async () => {
  await using folder = await temporaryFolder()
  await git(folder.path, ['init', '-q', '--bare', '-b', 'main'])
  const hashObject = async (type: string, input: Buffer): Promise<string> =>
    await git(folder.path, ['hash-object', '-w', '--stdin', '-t', type], { input })
  await hashObject('tree', EMPTY_TREE.content)
  const first = encodeCommit(FIELDS)
  const parent = objectId('commit', first)
  expect(await hashObject('commit', first)).toBe(parent)
  const second = encodeCommit({ ...FIELDS, parent, signature: SIGNATURE })
  expect(await hashObject('commit', second)).toBe(objectId('commit', second))
  await git(folder.path, ['update-ref', 'refs/heads/main', objectId('commit', second)])
  expect(await git(folder.path, ['fsck', '--strict'])).toBe('')
  const format = '--format=%P|%an|%ae|%at|%ad|%cn|%ce|%B'
  expect(await git(folder.path, ['log', '-1', '--date=iso', format])).toBe(
    `${parent}|Zoë CI|ci@example.org|1700000000|2023-11-14 22:13:20 +0000|Portage Hub|hub@example.org|${FIELDS.message}`,
  )
})

test('a signature adds its header and nothing else', () => {
  const signed = encodeCommit({ ...FIELDS, signature: SIGNATURE }).toString()
  const header = 'gpgsig -----BEGIN PGP SIGNATURE-----\n \n abc=\n -----END PGP SIGNATURE-----\n'
  expect(signed).toContain(`${header}\nshop: add`)
  expect(signed.replace(header, '')).toBe(commitPayload({ ...FIELDS, signature: SIGNATURE }).toString())
})

test('parents are read from the header only', () => {
  const parent = objectId('blob', Buffer.from('x'))
  const message = `parent ${EMPTY_TREE.oid}\n`
  expect(commitParents(encodeCommit({ ...FIELDS, parent, message }))).toEqual([parent])
  expect(commitParents(encodeCommit({ ...FIELDS, message }))).toEqual([])
})

test.each([
  { author: { name: 'a\nparent x', email: 'b' } },
  { author: { name: 'a <b>', email: 'c' } },
  { committer: { name: '', email: 'c' } },
  { timeSec: -1 },
  { timeSec: 1.5 },
  { message: 'a\0b' },
])('%j would break out of its line of the commit', (fields) => {
  expect(() => encodeCommit({ ...FIELDS, ...fields })).toThrow(/commit/)
})

test('an object id is forty lower-case hexadecimal digits', () => {
  expect(parseOid('a'.repeat(40))).toBe('a'.repeat(40))
  for (const text of ['A'.repeat(40), 'a'.repeat(39), `${'a'.repeat(40)}\n`, '']) {
    expect(() => parseOid(text)).toThrow(expect.objectContaining({ code: 'request.invalid' }))
  }
})
