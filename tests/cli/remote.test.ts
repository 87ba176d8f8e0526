/** The commands that ask a hub, as processes against a hub that runs. */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { indexFiles } from '../../src/builds/index-files.ts'
import type { Searched } from '../../src/http/openapi/search.ts'
import { createTestHub } from '../support/test-hub.ts'
import { tarball } from '../support/tarballs.ts'
import { cliOf, runCli, temporaryFolder } from './support.ts'

const SHOP = tarball({ 'shop-6/bin/shop': '#!/bin/sh\necho hi\n', 'shop-6/README': 'Shop\n' })

async function shopFile(folder: { readonly path: string }): Promise<string> {
  const path = join(folder.path, 'shop.tar.gz')
  await writeFile(path, SHOP)
  return path
}

test('a build is pushed with its digest, shown, promoted and withdrawn', async () => {
  await using hub = await createTestHub()
  await using folder = await temporaryFolder()
  const cli = cliOf(hub)
  const file = await shopFile(folder)

  const pushed = await cli('push', 'shop', file, '--build', '45', '--version', '6.1.0-rc.2')
  expect(pushed.status, pushed.stderr).toBe(0)
  expect(pushed.stdout).toBe(
    [
      'shop build 45 is archived as app-hub/shop-6.1.0_rc2_p45',
      `  tarball  hub-shop-6.1.0_rc2_p45.tar.gz, ${SHOP.byteLength} B`,
      `  sha512   ${createHash('sha512').update(SHOP).digest('hex').slice(0, 32)}…, as sent`,
      '  staging  released in revision 2 of its overlay',
      'Next: portage-hub promote shop 45 production',
      '',
    ].join('\n'),
  )
  expect(pushed.stderr).toMatch(/^\d+ B checked and sent in \S+ s\n$/)
  const again = await cli('push', 'shop', file, '--build', '45')
  expect(again.stdout).toContain('shop build 45 was archived already (2026-01-02 03:04 UTC) as')

  const promoted = await cli('promote', 'shop', '45', 'production')
  expect(promoted).toMatchObject({
    status: 0,
    stdout: 'shop build 45 is released in production: revision 2 of its overlay.\n',
  })
  expect((await cli('promote', 'shop', '45', 'production')).stdout).toBe(
    'shop build 45 is released in production already, since revision 2.\n',
  )
  const withdrawn = await cli('withdraw', 'production', 'shop', '45', '--reason', 'loses orders')
  expect(withdrawn.stdout).toBe(
    'shop build 45 (app-hub/shop-6.1.0_rc2_p45) is withdrawn from production: masked since revision 3 of its overlay.\n',
  )
  const refused = await cli('promote', 'shop', '45', 'production')
  expect(refused).toMatchObject({ status: 3, stdout: '' })
  expect(refused.stderr).toContain('loses orders. (promotion.not_eligible)\n  Ask with')
  expect((await cli('promote', 'shop', '45', 'production', '--lift-withdrawal')).status).toBe(0)
  const lists = [await cli('apps'), await cli('builds', 'shop'), await cli('builds', '--search', 'nothing')]
  expect(lists.map(({ stdout }) => stdout)).toEqual([
    'APP   PACKAGE       LAST BUILD\nshop  app-hub/shop          45\n',
    expect.stringMatching(
      /^APP {3}BUILD.*\nshop {5}45 {2}6\.1\.0-rc\.2 {2}staging production .* 2026-01-02 03:04\n$/,
    ),
    '',
  ])
})

test('what a build holds can be looked at', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', SHOP, { build: '45', version: '6.1.0' })
  const cli = cliOf(hub)
  expect((await cli('build', 'shop', '45')).stdout).toContain('  package   app-hub/shop-6.1.0_p45\n')
  expect((await cli('build', 'shop', '45', '--files')).stdout).toBe(
    'MODE   BYTES  PATH\n-0755     18  shop-6/bin/shop\n-0644      5  shop-6/README\n',
  )
  expect((await cli('build', 'shop', '45', '--files', 'shop-6/R')).stdout).not.toContain('bin')
  expect((await cli('build', 'shop', '45', '--file', 'shop-6/README')).stdout).toBe('Shop\n')
  expect((await cli('build', 'shop', '45', '--ebuild')).stdout).toMatch(/^EAPI=8$/m)
  expect(await cli('build', 'shop', '45', '--file', 'shop-6/none')).toMatchObject({ status: 5, stdout: '' })
})

test('two builds are compared', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', SHOP, { build: '45', version: '6.1.0', commit: 'c0ffee' })
  const newer = tarball({ 'shop-7/bin/shop': '#!/bin/sh\necho ho\n', 'shop-7/NEWS': 'New\n' })
  await hub.upload('shop', newer, { build: '46', version: '6.2.0', commit: 'c0ffee' })
  const cli = cliOf(hub)
  const compared = await cli('diff', 'shop', '46', '45')
  expect(compared.status, compared.stderr).toBe(0)
  expect(compared.stdout).toContain('shop build 46, compared with build 45\n')
  expect(compared.stdout).toMatch(/ {2}version +6\.1\.0 -> 6\.2\.0\n {2}commit +c0ffee\n/)
  expect(compared.stdout).toMatch(/ {2}files +1 added, 1 removed, 1 changed, 0 the same\n/)
  expect(compared.stdout).toMatch(/\nadded +4 +NEWS\nremoved +5 +README\nchanged +content +18 +bin\/shop\n$/)
  expect((await cli('diff', 'shop', '46', '45', '--file', 'bin/shop')).stdout).toContain(
    '-echo hi\n+echo ho\n',
  )
  expect((await cli('diff', 'shop', '46', '45', '--ebuild')).stdout).toContain('-SRC_URI=')
  const recipes = await cli('diff', 'shop', '46', '45', '--recipe')
  expect([recipes.status, recipes.stderr]).toEqual([0, 'No difference.\n'])
  expect(await cli('diff', 'shop', '46', '7')).toMatchObject({ status: 5, stdout: '' })
  const json = JSON.parse((await cli('diff', 'shop', '46', '45', '--json')).stdout) as { changes: unknown[] }
  expect(json).toMatchObject({ files: { added: 1 }, changes: [{ path: 'NEWS' }, {}, {}] })
})

test('a dry run of each change says what would happen and leaves nothing', async () => {
  await using hub = await createTestHub()
  await using folder = await temporaryFolder()
  await hub.upload('shop', SHOP, { build: '45', version: '6.1.0' })
  const before = { files: await hub.storedFiles(), log: (await hub.as().get('/api/v1/promotions')).text }
  const cli = cliOf(hub, { input: '=app-hub/foo-1\n' })
  const file = await shopFile(folder)
  const mask = 'profiles/package.mask/site'
  const runs = [
    [
      ['push', 'shop', file, '--version', '6.2.0'],
      /^shop build 46 would be archived as app-hub\/shop-6\.2\.0_p46/,
    ],
    [
      ['promote', 'shop', '45', 'production'],
      /^shop build 45 would be released in production, in revision 2/,
    ],
    [['withdraw', 'staging', 'shop', '45', '-r', 'x'], /would be withdrawn from staging, in revision 3/],
    [
      ['overlay', 'put', 'staging', mask, '-'],
      /^Revision 3 of staging would be:\n {2}\+ profiles\/package.mask\/site/,
    ],
    [['token', 'create', '--role', 'reader', '--name', 'r'], /^A reader token "r" would be made\.$/m],
  ] as const
  for (const [args, said] of runs) {
    const ended = await cli(...args, '--dry-run')
    expect(ended.status, ended.stderr).toBe(0)
    expect(ended.stdout).toMatch(said)
  }
  const after = { files: await hub.storedFiles(), log: (await hub.as().get('/api/v1/promotions')).text }
  expect(after).toEqual(before)
  expect((await cli('overlay', 'log', 'staging', '--json')).stdout).not.toContain('"revision": 3')
})

test('hand-kept files are put, listed, compared and removed', async () => {
  await using hub = await createTestHub()
  const cli = cliOf(hub, { input: '=app-hub/foo-1\n' })
  const path = 'profiles/package.mask/site'
  expect((await cli('overlay', 'put', 'staging', path, '-')).stdout).toBe(
    `Revision 2 of staging:\n  + ${path}\n`,
  )
  expect((await cli('overlay', 'put', 'staging', path, '-')).stdout).toMatch(
    /^Nothing changes: staging has this/,
  )
  expect((await cli('overlay', 'ls', 'staging')).stdout).toBe(`${path}\n`)
  const diff = await cli('overlay', 'diff', 'staging', '2')
  expect(diff.stdout).toContain(`--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+=app-hub/foo-1\n`)
  expect((await cli('overlay', 'rm', 'staging', path)).stdout).toBe(`Revision 3 of staging:\n  - ${path}\n`)
  const log = (await cli('overlay', 'log', 'staging')).stdout.split('\n')
  expect(log[1]).toMatch(/^ {2}3 {2}2026-01-02 03:04 {2}[0-9a-f]{10} {2}HUB_ADMIN_TOKEN {2}Remove profiles/)
  expect(await cli('overlay', 'diff', 'staging', '99')).toMatchObject({ status: 5, stdout: '' })
  const refused = await cli('overlay', 'put', 'staging', 'profiles/../x/y', '-')
  expect(refused.stderr).toContain('(overlay.path_refused)')
  expect((await cli('overlay', 'ls', 'production')).stderr).toBe('production has no hand-kept files.\n')
})

test('a token is made, shown once, used from a file, and revoked', async () => {
  await using hub = await createTestHub()
  await using folder = await temporaryFolder()
  const cli = cliOf(hub)
  const scope = [
    '--role',
    'developer',
    '--name',
    'CI of shop',
    '--app',
    'shop',
    'cart',
    '--expires-in',
    '90d',
  ]
  const made = await cli('token', 'create', '--quiet', ...scope)
  expect(made.stdout).toMatch(/^phub_[\w-]{43}\n$/)
  const tokenFile = join(folder.path, 'token')
  await writeFile(tokenFile, made.stdout)
  const whoami = await cli('whoami', '--token-file', tokenFile)
  const id = /\((tok_\w+)\)/.exec(whoami.stdout)?.[1] ?? ''
  expect(whoami.stdout).toBe(`CI of shop: developer of shop cart (${id})\n`)
  const list = await cli('token', 'list')
  expect(list.stdout).toContain(`${id}  CI of shop       developer of shop cart  2026-04-02 03:04`)
  expect(list.stdout).not.toContain(made.stdout.trim())
  expect((await cli('token', 'revoke', id, '--dry-run')).stdout).toBe(`${id} would be revoked.\n`)
  expect((await cli('token', 'revoke', id)).stdout).toBe(`${id} (CI of shop) is revoked.\n`)
  expect((await cli('whoami', '--token-file', tokenFile)).status).toBe(4)
  expect((await cli('token', 'create', '--role', 'reader', '--name', 'r')).stdout).toContain(
    'is shown this once',
  )
})

test('with --json, programs read the answers of the API, also of a refusal', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', SHOP, { build: '45', version: '6.1.0' })
  const cli = cliOf(hub)
  const json = async (...args: readonly string[]): Promise<unknown> =>
    JSON.parse((await cli(...args, '--json')).stdout)
  expect(await json('builds')).toMatchObject({ items: [{ app: 'shop', build: 45 }], nextCursor: null })
  expect(await json('build', 'shop', '45')).toEqual((await hub.as().get('/api/v1/apps/shop/builds/45')).body)
  expect(await json('environments')).toMatchObject({ items: [{ name: 'staging' }, { name: 'production' }] })
  const refused = await cli('build', 'shop', '46', '--json')
  expect(refused.status).toBe(5)
  expect(JSON.parse(refused.stdout)).toMatchObject({ code: 'build.unknown', status: 404 })
  expect(refused.stderr).toContain('there is no build 46 of "shop"')
})

test('a list goes over pages and tells when it stops before the end', async () => {
  await using hub = await createTestHub()
  for (const build of ['1', '2', '3']) await hub.upload('shop', SHOP, { build, promote: 'false' })
  const two = await cliOf(hub)('builds', 'shop', '--limit', '2')
  expect(two.stdout.trimEnd().split('\n')).toHaveLength(3)
  expect(two.stderr).toBe('There are more: give a higher --limit.\n')
  expect((await cliOf(hub)('builds', 'shop', '--limit', '3')).stderr).toBe('')
})

test('the recipe, the facts of the CI job and an own ebuild go with the upload', async () => {
  await using hub = await createTestHub()
  await using folder = await temporaryFolder()
  const file = await shopFile(folder)
  const recipe = join(folder.path, 'recipe.yaml')
  await writeFile(recipe, 'category: app-acme\ndescription: Acme web shop\n')
  const cli = cliOf(hub, {
    env: { GIT_COMMIT: 'abc123', BRANCH_NAME: 'main', BUILD_URL: 'https://ci.example/7' },
  })
  await cli('push', 'shop', file, '-b', '1', '--recipe', recipe, '--branch', 'release')
  expect((await hub.as().get('/api/v1/apps/shop/builds/1')).body).toMatchObject({
    cpv: 'app-acme/shop-0_p1',
    recipeSource: 'upload',
    commit: 'abc123',
    branch: 'release',
    ciUrl: 'https://ci.example/7',
  })
  const template = join(folder.path, 'x.ebuild')
  await writeFile(template, 'EAPI=8\nSLOT=0\n')
  await cli('push', 'other', file, '-b', '1', '--ebuild-template', template, '--no-ci-facts')
  expect((await hub.as().get('/api/v1/apps/other/builds/1')).body).toMatchObject({
    recipeSource: 'template',
    commit: null,
    ciUrl: null,
  })
})

test('a build that cannot be released where it was asked for is archived, and the status says no', async () => {
  await using hub = await createTestHub()
  await using folder = await temporaryFolder()
  const file = await shopFile(folder)
  const cli = cliOf(hub)
  await cli('push', 'shop', file, '-b', '1')
  await cli('withdraw', 'staging', 'shop', '1', '-r', 'broken')
  const ended = await cli('push', 'shop', file, '-b', '2', '--promote', 'production')
  expect(ended.status, ended.stderr).toBe(0)
  await using strict = await createTestHub({ HUB_ENVIRONMENTS: 'staging production' })
  const refused = await cliOf(strict)('push', 'shop', file, '-b', '1', '--promote', 'production')
  expect(refused.status).toBe(3)
  expect(refused.stdout).toContain('NOT released: refused: It is not released in staging.')
})

test.each([
  ['no token', {}, ['apps'], 4, /this needs a token \(auth\.required\)\n {2}set HUB_TOKEN/],
  ['a wrong token', { HUB_TOKEN: 'x' }, ['apps'], 4, /\(auth\.invalid\)/],
  ['no such token file', {}, ['apps', '--token-file', '/nonexistent'], 2, /token file cannot be read/],
])('%s: the status is told', async (_name, env, args, status, said) => {
  await using hub = await createTestHub()
  const ended = await runCli(args, { env: { HUB_URL: hub.url, ...env } })
  expect(ended).toMatchObject({ status, stdout: '' })
  expect(ended.stderr).toMatch(said)
})

test('a token without the right, and a field that does not hold, are told before the tarball is read', async () => {
  await using hub = await createTestHub()
  await using folder = await temporaryFolder()
  const file = await shopFile(folder)
  const reader = cliOf(hub, { env: { HUB_TOKEN: await hub.token('reader') } })
  const forbidden = await reader('push', 'shop', file)
  expect(forbidden).toMatchObject({ status: 4, stdout: '' })
  expect(forbidden.stderr).toBe(
    'portage-hub: the reader token "a reader" may not upload shop; ask an administrator for one that may (auth.forbidden)\n',
  )
  const invalid = await cliOf(hub)('push', 'shop', file, '--ci-url', 'nowhere')
  expect(invalid.status).toBe(3)
  expect(invalid.stderr).toMatch(/^portage-hub: the fields of the upload: ciUrl: /)
  expect(await hub.storedFiles()).toEqual([])
})

test('wrong usage ends with 2 and says what is wrong', async () => {
  const [unknown, missing, number, role, none] = await Promise.all([
    runCli(['pusch']),
    runCli(['push', 'shop']),
    runCli(['promote', 'shop', 'x', 'production']),
    runCli(['token', 'create', '--name', 'a', '--role', 'king']),
    runCli([]),
  ])
  expect([unknown, missing, number, role, none].map((ended) => ended.status)).toEqual([2, 2, 2, 2, 2])
  expect(unknown.stderr).toContain("unknown command 'pusch'\n(Did you mean push?)")
  expect(missing.stderr).toContain("missing required argument 'tarball'")
  expect(number.stderr).toContain('must be an integer of 1 or more')
  expect(role.stderr).toContain(
    'Allowed choices are administrator, release-manager, approver, developer, reader, node, enrol.',
  )
})

test('no hub, and no file, are told apart', async () => {
  const [silent, missing, folder] = await Promise.all([
    runCli(['apps', '--url', 'http://127.0.0.1:1']),
    runCli(['push', 'shop', '/nonexistent.tar']),
    runCli(['push', 'shop', '/']),
  ])
  expect(silent).toMatchObject({ status: 6, stdout: '' })
  expect(silent.stderr).toContain(
    'no hub answers at http://127.0.0.1:1: nothing listens there (hub.unreachable)',
  )
  expect(missing).toMatchObject({ status: 1, stdout: '' })
  expect(missing.stderr).toMatch(/^portage-hub: \/nonexistent\.tar cannot be read: ENOENT/)
  expect(folder.stderr).toBe('portage-hub: / is no ordinary file; name the tarball itself\n')
})

test('everything is searched for by words, and finding nothing has a status of its own', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', SHOP, { build: '45', version: '6.1.0-rc.2' })
  await indexFiles(hub.hub)
  const cli = cliOf(hub)
  expect((await cli('search', 'shop', '45')).stdout).toMatch(
    /^KIND .*\nbuild {2}shop\/45 {2}6\.1\.0-rc\.2 {2}2026-01-02 03:04\n$/,
  )
  expect((await cli('search', 'bin/')).stdout).toContain('file  shop/45/shop-6/bin/shop')
  const { groups } = JSON.parse((await cli('search', 'shop', '--json', '--limit', '1')).stdout) as Searched
  expect(groups.map(({ kind }) => kind)).toEqual(['app', 'build', 'file'])
  const none = await cli('search', 'nothing of the kind')
  expect(none).toMatchObject({ status: 5, stdout: '' })
  expect(none.stderr).toBe('Nothing that you may see has this.\n')
})
