import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testWith } from '../support/programs.ts'
import { git } from '../git/support.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const run = promisify(execFile)

interface Revision {
  readonly revision: number
  readonly commit: string
  readonly parent: string | null
  readonly author: string
  readonly message: string
  readonly publishedAt: string
}

async function revisions(hub: TestHub, environment = 'staging'): Promise<readonly Revision[]> {
  return (await hub.as().get(`/api/v1/environments/${environment}/revisions`)).body.items
}

describe('a history of uploads, a withdrawal and a hand-kept file', () => {
  let hub: TestHub
  let repository: string
  beforeAll(async () => {
    hub = await createTestHub()
    repository = join(hub.directory, 'overlays', 'staging.git')
    const ci = await hub.token('developer', { name: 'ci of shop' })
    const fields = { build: '1', version: '1.0.0', commit: 'abc123' }
    await hub.upload('shop', tarball({ f: '1' }), fields, ci)
    hub.clock.set('2026-01-02T05:00:00Z')
    await hub.upload('shop', tarball({ f: '2' }), { build: '2', recipe: 'description: The second' }, ci)
    hub.clock.set('2026-01-02T06:00:00Z')
    await hub.as().put('/api/v1/environments/staging/files/profiles/package.use/mine').send('a/b c\n')
    const release = (await hub.as().get('/api/v1/environments/staging/releases')).body.items[0].id
    await hub.as().post(`/api/v1/environments/staging/releases/${release}/withdraw`).send({ reason: 'bad' })
  })
  afterAll(async () => {
    await hub[Symbol.asyncDispose]()
  })

  test('has one revision for each change', async () => {
    const list = await revisions(hub)
    expect(list.map(({ revision, message }) => [revision, message.split('\n', 1)[0]])).toEqual([
      [5, 'app-hub/shop: withdraw 0_p2'],
      [4, 'Put profiles/package.use/mine'],
      [3, 'app-hub/shop: add 0_p2'],
      [2, 'app-hub/shop: add 1.0.0_p1'],
      [1, 'Begin the overlay of staging'],
    ])
    expect(await git(repository, ['rev-list', 'main'])).toBe(list.map(({ commit }) => commit).join('\n'))
    expect(list.map(({ parent }) => parent)).toEqual([...list.slice(1).map(({ commit }) => commit), null])
  })

  test('says in each commit who, when and what, as the records do', async () => {
    const [newest, , , added] = await revisions(hub)
    const format = '--format=%an|%ae|%cn|%at|%ct%n%B'
    const show = async (oid = '') => (await git(repository, ['show', '-s', format, oid])).split('\n')
    const [head, ...message] = await show(added?.commit)
    const seconds = String(Date.parse(added?.publishedAt ?? '') / 1000)
    expect(head).toBe(`policy|portage-hub@localhost|Portage Hub|${seconds}|${seconds}`)
    expect(message.join('\n')).toBe(
      'app-hub/shop: add 1.0.0_p1\n\nBuild: 1\nVersion: 1.0.0\nSource-commit: abc123',
    )
    expect((await show(newest?.commit))[0]).toMatch(/^HUB_ADMIN_TOKEN\|/)
    expect(newest?.publishedAt).toBe('2026-01-02T06:00:00Z')
  })

  testWith('gpg')('is signed: git verifies each commit with the key that the hub serves', async () => {
    const home = await mkdtemp(join(tmpdir(), 'portage-hub-gpg-'))
    try {
      const env = { PATH: process.env['PATH'], GNUPGHOME: home, HOME: home }
      const key = (await hub.as(null).get('/keys/hub.asc').buffer(true)).text
      await writeFile(join(home, 'hub.asc'), key)
      await run('gpg', ['--batch', '--quiet', '--import', 'hub.asc'], { env, cwd: home })
      for (const { commit } of await revisions(hub)) {
        const { stderr } = await run('git', ['-C', repository, 'verify-commit', '--raw', commit], {
          env: { ...env, GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*' },
        })
        expect(stderr).toContain(`VALIDSIG ${hub.hub.overlayKeys.current.fingerprint}`)
      }
    } finally {
      await run('gpgconf', ['--kill', 'all'], { env: { ...process.env, GNUPGHOME: home } }).catch(() => {})
      await rm(home, { recursive: true, force: true })
    }
  })

  test('shows over the API what each revision changed', async () => {
    const get = async (path: string) =>
      (await hub.as().get(`/api/v1/environments/staging/revisions/${path}`)).body
    expect((await get('3')).changes).toEqual([
      { path: 'app-hub/shop/Manifest', action: 'write' },
      { path: 'app-hub/shop/shop-0_p2.ebuild', action: 'write' },
      { path: 'metadata/md5-cache/app-hub/shop-0_p2', action: 'write' },
    ])
    const { files } = await get('3/diff')
    expect(files).toHaveLength(3)
    expect(files[0]).toMatchObject({ path: 'app-hub/shop/Manifest', action: 'change' })
    const distfiles = (text: string) => text.match(/^DIST /gm)?.length
    expect([distfiles(files[0].before), distfiles(files[0].after)]).toEqual([1, 2])
    expect(files[1]).toMatchObject({ action: 'add', before: null })
    expect(files[1].after).toContain("DESCRIPTION='The second'")
  })

  test('is what the folder beside the repository shows', async () => {
    await hub.hub.settled()
    for (const path of ['app-hub/shop/Manifest', 'profiles/package.use/mine', 'profiles/repo_name']) {
      const shown = await readFile(join(hub.directory, 'overlays', 'staging', path), 'utf8')
      expect(shown).toBe((await hub.as().get(`/overlays/staging/tree/${path}`)).text)
    }
  })

  test('has nothing wrong that git could find', async () => {
    expect(await git(repository, ['fsck', '--strict', '--full'])).toBe('')
  })
})

test('a clock that goes back does not make a commit older than its parent', async () => {
  await using hub = await createTestHub()
  hub.clock.set('2020-01-01T00:00:00Z')
  await hub.upload('shop', tarball({ f: '1' }))
  const [newest, first] = await revisions(hub)
  expect(newest?.publishedAt).toBe(first?.publishedAt)
})

test('a start with other settings publishes what follows from them, and one with the same publishes nothing', async () => {
  const address = { HUB_PUBLIC_URL: 'https://hub.example' }
  await using hub = await createTestHub(address)
  await using same = await hub.restart()
  expect(await revisions(same)).toHaveLength(1)
  await using moved = await same.restart({
    HUB_PUBLIC_URL: 'https://other.example',
    HUB_FREE_LICENSES: 'acme',
  })
  expect((await revisions(moved))[0]?.message).toBe('Follow the settings of the hub')
  const profile = async (name: string) =>
    (await moved.as().get(`/overlays/staging/tree/profiles/${name}`)).text
  expect(await profile('thirdpartymirrors')).toBe('hub https://other.example/distfiles/staging\n')
  expect(await profile('license_groups')).toBe('FREE acme\n')
})

test('a description of an upload that is no plain text stays out of commits and files', async () => {
  await using hub = await createTestHub()
  const reply = await hub.upload('shop', tarball({ f: '1' }), { commit: 'x\u2028Signed-off-by: evil' })
  expect(reply.body).toMatchObject({ status: 400, code: 'request.invalid' })
})
