/** Trusted publishing by the command line: whom an app trusts, and pushes that bring an identity in place of a token. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GITHUB_JOB, openIdentityProvider } from '../support/identity-provider.ts'
import type { IdentityProvider } from '../support/identity-provider.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { cliOf, runCli, temporaryFolder } from './support.ts'

let hub: TestHub
let ci: IdentityProvider
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let file: string

beforeAll(async () => {
  hub = await createTestHub({ HUB_IDENTITY_ALLOW: '127.0.0.1' })
  ci = await openIdentityProvider([hub.hub.config.publicUrl])
  hub.clock.set(new Date().toISOString())
  folder = await temporaryFolder()
  file = join(folder.path, 'shop.tar')
  writeFileSync(file, tarball({ f: 'x' }))
  const github = ['--github', 'acme/shop', '--workflow', 'release.yml', '--issuer', ci.issuer]
  const added = await cliOf(hub)('trust', 'add', 'shop', ...github)
  expect(added.stdout).toContain('shop trusts github from now on.')
})
afterAll(async () => {
  await folder[Symbol.asyncDispose]()
  await ci[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

let job = 0
const identity = async (claims: object = {}) =>
  await ci.identity({ ...GITHUB_JOB, jti: String(++job), ...claims })

test('whom an app trusts is added, listed and removed', async () => {
  const cli = cliOf(hub)
  const claims = ['--claim', 'sub=pipeline:cart', 'branch=release-*', '--no-commands']
  const other = ['trust', 'add', 'cart', '--issuer', 'https://ci.acme.example', ...claims]
  expect((await cli(...other, '--dry-run')).stdout).toBe(
    'cart would trust https://ci.acme.example: branch release-*, sub pipeline:cart.\n',
  )
  expect((await cli('trust', 'list', 'cart')).stderr).toBe('cart trusts nobody.\n')
  const made = await cli(...other)
  const [, id = ''] = /id +(tru_\w+)\n/.exec(made.stdout) ?? []
  expect(made.stdout).toMatch(
    /issuer +https:\/\/ci\.acme\.example\n.*branch +release-\*\n[^]*may not be sent/,
  )
  const gitlab = ['--gitlab', 'acme/cart', '--ref', 'refs/tags/v*', '--protected']
  await cli('trust', 'add', 'cart', ...gitlab)
  const jenkins = ['--jenkins', 'https://ci.acme.example', '--job', 'cart/*']
  await cli('trust', 'add', 'cart', ...jenkins)
  const listed = await cli('trust', 'list', 'cart')
  expect(listed.stdout).toMatch(new RegExp(`^${id} .* no +https://ci.acme.example: branch release-\\*`, 'm'))
  expect(listed.stdout).toContain('gitlab: project_path acme/cart, ref_path refs/tags/v*, ref_protected true')
  expect(listed.stdout).toContain('jenkins: sub https://ci.acme.example/job/cart/job/*/')
  expect((await cli('trust', 'remove', 'cart', id, '--dry-run')).stdout).toContain('would trust')
  expect((await cli('trust', 'remove', 'cart', id)).stdout).toContain('cart trusts https://ci.acme.example')
  expect(await cli('trust', 'remove', 'cart', id)).toMatchObject({ status: 5, stdout: '' })
})

test.each([
  [['--github', 'acme/shop', '--gitlab', 'acme/shop'], 2, 'say which CI it is'],
  [[], 2, 'say which CI it is'],
  [['--issuer', 'https://ci.example', '--claim', 'sub'], 2, 'name=pattern'],
  [['--github', '*/*'], 3, 'repository'],
  [['--github', 'acme/shop', '--job', 'x'], 3, 'job'],
  [['--issuer', 'https://ci.example', '--claim', 'branch=main'], 3, '(trust.too_wide)'],
])('trust add %j is refused', async (args, status, text) => {
  const ended = await cliOf(hub)('trust', 'add', 'shop', ...args)
  expect(ended).toMatchObject({ status, stderr: expect.stringContaining(text) as string })
})

test('push and check bring HUB_OIDC_TOKEN where there is no token', async () => {
  const env = async () => ({ HUB_URL: hub.url, HUB_OIDC_TOKEN: await identity() })
  const pushed = await runCli(['push', 'shop', file, '--build', '1', '--json'], { env: await env() })
  expect(pushed.status, pushed.stderr).toBe(0)
  expect(JSON.parse(pushed.stdout)).toMatchObject({ uploadedBy: 'GitHub acme/shop run 812.2' })
  const checked = await runCli(['check', 'shop', '1', 'commit', 'unit', '--status', 'passed'], {
    env: await env(),
  })
  expect(checked.status, checked.stderr).toBe(0)
})

test('a token that is there is shown, and the identity kept', async () => {
  const HUB_OIDC_TOKEN = await identity()
  const cli = cliOf(hub, { env: { HUB_OIDC_TOKEN } })
  expect((await cli('push', 'shop', file, '--build', '2')).status).toBe(0)
  const env = { HUB_URL: hub.url, HUB_OIDC_TOKEN }
  const exchanged = await runCli(['trust', 'exchange', 'shop'], { env })
  expect(exchanged.stdout).toMatch(/^phub_\S+\n$/)
  const again = await runCli(['trust', 'exchange', 'shop'], { env })
  expect(again).toMatchObject({ status: 3, stdout: '' })
  expect(again.stderr).toContain('(identity.used)')
  const whoami = await runCli(['whoami'], { env: { HUB_URL: hub.url, HUB_TOKEN: exchanged.stdout.trim() } })
  expect(whoami.stdout).toContain('GitHub acme/shop run 812.2')
})

test('what the hub refuses is told, and nothing is pushed', async () => {
  const env = { HUB_URL: hub.url, HUB_OIDC_TOKEN: await identity({ repository: 'acme/shop2' }) }
  const ended = await runCli(['push', 'shop', file, '--build', '9'], { env })
  expect(ended).toMatchObject({ status: 4, stdout: '' })
  expect(ended.stderr).toContain('(identity.untrusted)')
  expect(ended.stderr).not.toContain(env.HUB_OIDC_TOKEN)
})

test('in GitHub Actions an identity for this hub is asked for', async () => {
  const asked: string[] = []
  const github = createServer((request, response) => {
    asked.push(`${request.headers.authorization ?? ''} ${request.url ?? ''}`)
    void identity().then((value) => response.end(JSON.stringify({ value })))
  })
  github.listen(0, '127.0.0.1')
  await once(github, 'listening')
  const address = `http://127.0.0.1:${String((github.address() as AddressInfo).port)}`
  const env = {
    HUB_URL: `${hub.url}/`,
    ACTIONS_ID_TOKEN_REQUEST_URL: `${address}/token?api-version=2.0`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-the-job',
  }
  const pushed = await runCli(['push', 'shop', file, '--build', '3'], { env })
  github.close()
  expect(pushed.status, pushed.stderr).toBe(0)
  const audience = encodeURIComponent(hub.url)
  expect(asked).toEqual([`Bearer of-the-job /token?api-version=2.0&audience=${audience}`])
  const gone = await runCli(['push', 'shop', file, '--build', '4'], { env })
  expect(gone.status).toBe(6)
  expect(gone.stderr).toContain('GitHub gives this job no identity')
})

test('without a CI there is nothing to exchange', async () => {
  const ended = await runCli(['trust', 'exchange', 'shop'], { env: { HUB_URL: hub.url } })
  expect(ended).toMatchObject({ status: 2, stderr: expect.stringContaining('HUB_OIDC_TOKEN') as string })
})
