import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { git } from '../git/support.ts'
import { send } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

let hub: TestHub
let folder: string
beforeAll(async () => {
  hub = await createTestHub()
  folder = await mkdtemp(join(tmpdir(), 'portage-hub-git-'))
  await hub.upload('shop', tarball({ f: '1' }), { build: '1' })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

function withToken(token: string): readonly string[] {
  return ['-c', `http.extraHeader=Authorization: Bearer ${token}`]
}

/** The address with the token as the password of HTTP Basic, as a node's repos.conf may have it. */
function basicUrl(token: string, environment = 'staging'): string {
  return `${hub.url.replace('://', `://node:${token}@`)}/git/${environment}.git`
}

test('a shallow clone with a bearer token has the published tree', async () => {
  const token = await hub.token('node', { environments: ['staging'] })
  await git(folder, [
    ...withToken(token),
    'clone',
    '-q',
    '--depth',
    '1',
    `${hub.url}/git/staging.git`,
    'bearer',
  ])
  const clone = join(folder, 'bearer')
  expect(await readFile(join(clone, 'profiles/repo_name'), 'utf8')).toBe('hub-staging\n')
  expect(await readdir(join(clone, 'app-hub/shop'))).toEqual(['Manifest', 'metadata.xml', 'shop-0_p1.ebuild'])
  expect(await git(clone, ['rev-list', '--count', 'HEAD'])).toBe('1')
  const { body } = await hub.as().get('/api/v1/environments/staging')
  expect(await git(clone, ['rev-parse', 'HEAD'])).toBe(body.overlay.commit)
})

test('the token as the password of HTTP Basic does too, and a fetch brings the next revision', async () => {
  const token = await hub.token('reader')
  await git(folder, ['clone', '-q', '--depth', '1', basicUrl(token), 'basic'])
  const clone = join(folder, 'basic')
  const before = await git(clone, ['rev-parse', 'HEAD'])
  await git(clone, ['fetch', '-q', '--depth', '1'])
  expect(await git(clone, ['rev-parse', 'origin/main'])).toBe(before)
  await hub.upload('shop', tarball({ f: '2' }), { build: '2' })
  await git(clone, ['fetch', '-q', '--depth', '1'])
  expect(await git(clone, ['rev-parse', 'origin/main'])).not.toBe(before)
  await git(clone, ['reset', '-q', '--hard', 'origin/main'])
  expect(await readdir(join(clone, 'app-hub/shop'))).toContain('shop-0_p2.ebuild')
  expect(await git(clone, ['fsck', '--strict'])).toBe('')
})

test('the whole history is there for who wants it', async () => {
  const token = await hub.token('reader')
  await git(folder, ['clone', '-q', basicUrl(token), 'whole'])
  const { body } = await hub.as().get('/api/v1/environments/staging/revisions')
  const log = await git(join(folder, 'whole'), ['log', '--format=%H'])
  expect(log.split('\n')).toEqual(body.items.map(({ commit }: { commit: string }) => commit))
})

test('without a token git is asked for one, and with that of another environment it is refused', async () => {
  const path = '/git/staging.git/info/refs?service=git-upload-pack'
  const anonymous = await send(hub.url, { path, token: null })
  expect(anonymous.json).toMatchObject({ status: 401, code: 'auth.required' })
  expect(anonymous.headers['www-authenticate']).toMatch(/^Basic realm=/)
  const production = await hub.token('node', { environments: ['production'] })
  const other = await send(hub.url, { path, token: production })
  expect(other.json).toMatchObject({ status: 403, code: 'auth.forbidden' })
  await expect(git(folder, ['clone', '-q', basicUrl(production), 'none'])).rejects.toThrow(/403/)
  await expect(git(folder, ['clone', '-q', `${hub.url}/git/staging.git`, 'none'])).rejects.toThrow(/Username/)
})

test('nothing can be pushed', async () => {
  const path = '/git/staging.git/info/refs?service=git-receive-pack'
  expect((await send(hub.url, { path })).json).toMatchObject({ status: 400, code: 'request.invalid' })
  const push = await send(hub.url, { method: 'POST', path: '/git/staging.git/git-receive-pack' })
  expect(push.json).toMatchObject({ status: 404, code: 'request.unknown_route' })
})

test.each([
  ['GET', '/git/moon.git/info/refs?service=git-upload-pack', undefined, 404, 'environment.unknown'],
  ['GET', '/git/staging/info/refs?service=git-upload-pack', undefined, 404, 'environment.unknown'],
  ['GET', '/git/..%2f..%2fvar.git/info/refs?service=git-upload-pack', undefined, 404, 'environment.unknown'],
  ['GET', '/git/staging.git/info/refs', undefined, 400, 'request.invalid'],
  ['GET', '/git/staging.git/HEAD', undefined, 404, 'request.unknown_route'],
  ['POST', '/git/staging.git/git-upload-pack', Buffer.from('nonsense'), 400, 'request.invalid'],
  ['POST', '/git/staging.git/git-upload-pack', Buffer.from('zzzz'), 400, 'request.invalid'],
  ['POST', '/git/staging.git/git-upload-pack', Buffer.alloc(5 * 2 ** 20), 413, 'request.too_large'],
] as const)('%s %s is refused', async (method, path, body, status, code) => {
  const headers = { 'Git-Protocol': 'version=2' }
  const reply = await send(hub.url, { method, path, headers, ...(body ? { body } : {}) })
  expect(reply.json).toMatchObject({ status, code })
})

test.each([
  ['gzip', Buffer.from('no gzip')],
  ['br', Buffer.from('x')],
])('a body said to be %s and that is not is refused', async (encoding, body) => {
  const path = '/git/staging.git/git-upload-pack'
  const reply = await send(hub.url, { method: 'POST', path, body, headers: { 'Content-Encoding': encoding } })
  expect(reply.json).toMatchObject({ status: 400, code: 'request.invalid' })
})
