/** Enrolment on real hosts: one command makes a node of a machine, and the token that it gets goes nowhere else. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { openNode } from './support/gentoo-node.ts'
import type { GentooNode, Ran } from './support/gentoo-node.ts'
import { watchAnswers } from './support/hub-answers.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const SETTINGS = { HUB_CATEGORY: 'app-acme' }
const PROGRAM = Buffer.from('#!/usr/bin/env python3\nprint("hub-node of a test")\n')
const UNSIGNED = 'could not be synced with a signature that holds'

/** What differs between the hub's entry of its program and the one that Portage makes from the ebuild. */
const OWN_CACHE = `
  cp -r /var/db/repos/hub-staging /tmp/copy
  rm -r /tmp/copy/metadata/md5-cache
  egencache --update --repo=hub-staging --repositories-configuration="[DEFAULT]
main-repo = gentoo
[gentoo]
location = /var/db/repos/gentoo
[hub-staging]
location = /tmp/copy" > /dev/null 2>&1
  diff -r /var/db/repos/hub-staging/metadata/md5-cache/app-portage /tmp/copy/metadata/md5-cache/app-portage`

async function upload(hub: TestHub, build: number): Promise<void> {
  const bytes = tarball({ 'small/run': `build ${String(build)}\n` })
  const reply = await hub.upload('small', bytes, { build: String(build), version: '1.0.0' })
  if (reply.status !== 201) throw new Error(reply.text)
}

/** As the documentation has it. */
async function enrol(node: GentooNode, hub: TestHub, ...options: readonly string[]): Promise<Ran> {
  const command = 'curl -fsS "$1/enroll.sh" | sh -s -- "${@:2}"'
  return await node.run('bash', '-o', 'pipefail', '-c', command, 'bash', hub.url, ...options)
}

async function newToken(hub: TestHub): Promise<string> {
  return await hub.token('enrol', { environments: ['staging'] })
}

async function enrolled(hub: TestHub, name: string): Promise<GentooNode> {
  const node = await openNode(name)
  const options = ['--environment', 'staging', '--name', name, '--token', await newToken(hub), '--yes']
  const { status, output } = await enrol(node, hub, ...options)
  if (status !== 0) throw new Error(output)
  return node
}

async function tokenOf(node: GentooNode): Promise<string> {
  return (await node.read('etc/portage/hub/.netrc')).trim().split(' ').at(-1) ?? ''
}

/** Every file of /etc/portage with its mode and content, and the time of its last change. */
async function settingsOf(node: GentooNode): Promise<string> {
  return await node.bash(
    'cd /etc/portage && find . -type f ! -name "*.lock" -exec stat -c "%n %a %U %Y" {} + -exec sha256sum {} + | sort',
  )
}

const tests = (): void => {
  test('one command makes a node, which installs by plain emerge; again it changes nothing; removed, its token is dead', async () => {
    await using hub = await createTestHub(SETTINGS, { hubNode: PROGRAM })
    await upload(hub, 45)
    await using node = await openNode('enrol')
    await node.bash('echo "# mine" >> /etc/portage/make.conf')
    const secret = await newToken(hub)
    const options = ['--environment', 'staging', '--name', 'web1', '--token', secret, '--yes']
    const first = await enrol(node, hub, ...options)
    expect(first.status, first.output).toBe(0)
    expect(first.output).toContain('Trusted signature found on top commit')
    expect(first.output).toContain(`web1 is a node of staging at ${hub.url}.`)
    expect(await node.must('hub-node')).toBe('hub-node of a test\n')
    expect(await client.sourcedMetadata(node)).toEqual([])
    expect(await node.bash(OWN_CACHE)).toBe('')

    // Portage checks binary packages as this user, who must find the key, and trust in it.
    const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'gpg', '--batch']
    const keys = await node.must(
      ...[
        ...asNobody,
        '--no-auto-check-trustdb',
        '--homedir',
        '/etc/portage/gnupg',
        '--list-keys',
        '--with-colons',
      ],
    )
    expect(keys).toMatch(/^pub:u:/m)
    expect(keys).toContain(hub.hub.binhostKeys.current.fingerprint)

    using answers = watchAnswers(hub)
    await client.emerge(node, 'app-acme/small')
    expect(await node.must('cat', '/opt/small/run')).toBe('build 45\n')
    expect(answers.take()).toEqual([
      'GET /distfiles/staging/hub-small-1.0.0_p45.tar.gz 401',
      'GET /distfiles/staging/hub-small-1.0.0_p45.tar.gz 200',
    ])

    const before = await settingsOf(node)
    const again = await enrol(node, hub, ...options)
    expect(again.status, again.output).toBe(0)
    expect(again.output).toContain(`Nothing changed: web1 is a node of staging at ${hub.url} already.`)
    expect(await settingsOf(node)).toBe(before)
    const makeConf = await node.read('etc/portage/make.conf')
    expect(makeConf.match(/# portage-hub begin/g)).toHaveLength(1)
    expect(makeConf).toContain('# mine\n')

    const removed = await hub.as().delete('/api/v1/nodes/web1')
    expect(removed.body).toMatchObject({ name: 'web1', state: 'left' })
    expect((await node.run('emaint', 'sync', '-r', 'hub-staging')).status).toBe(1)
    expect((await hub.as(await tokenOf(node)).get('/api/v1/whoami')).status).toBe(401)
  })

  test('an upgrade leaves a package of the version before, and the index of a hub that is down is no failure', async () => {
    await using hub = await createTestHub(SETTINGS)
    await upload(hub, 45)
    await using node = await enrolled(hub, 'web1')
    await client.emerge(node, 'app-acme/small')
    await upload(hub, 46)
    await client.sync(node, 'staging')
    await client.emerge(node, '--update', '--getbinpkg', 'app-acme/small')
    expect(await node.bash('cd /var/cache/binpkgs && find . -name "*.gpkg.tar"')).toBe(
      './app-acme/small/small-1.0.0_p45-1.gpkg.tar\n',
    )
    await hub[Symbol.asyncDispose]()
    const down = await node.must(
      'emerge',
      '--pretend',
      '--getbinpkg',
      '--usepkg',
      '=app-acme/small-1.0.0_p45',
    )
    expect(down).toContain('the one that was read last is used')
    expect(down).not.toContain('Traceback')
  })

  test('neither output of Portage, nor a file that others read, nor another server gets the token', async () => {
    await using hub = await createTestHub(SETTINGS)
    await upload(hub, 45)
    await using thief = await openThief()
    await using node = await enrolled(hub, 'web1')
    const token = await tokenOf(node)
    const output = [
      await client.sync(node, 'staging'),
      await client.emerge(node, '--getbinpkg', 'app-acme/small'),
      await node.must('emerge', '--info', '--verbose', 'app-acme/small'),
      await node.bash('portageq envvar -v FETCHCOMMAND_PORTAGEHUB; env; cat /var/log/emerge.log'),
      await node.bash(
        'cat /var/db/repos/hub-staging/.git/config; bzcat /var/db/pkg/app-acme/*/environment.bz2',
      ),
    ].join('')
    expect(output).toContain(`${hub.url}/binhost/nodes/web1`)
    expect(output).not.toContain(token)
    const { output: holders } = await node.run('grep', '-rlF', token, '/etc', '/var', '/opt', '/root', '/tmp')
    expect(holders).toBe('/etc/portage/hub/.netrc\n')
    expect(await node.bash('stat -c "%a %U %G" /etc/portage/hub/.netrc')).toBe('640 root root\n')

    // Same machine, another port: what a .netrc cannot tell apart. It asks everybody for a password, and sends them on.
    const asked: readonly (readonly string[])[] = [
      ['/etc/portage/hub/fetch', `${thief.url}/distfiles/x`, '/tmp/x'],
      ['/etc/portage/hub/fetch', `${hub.url}.evil.example/x`, '/tmp/x'],
      ['env', 'HOME=/root', 'wget', '-t', '1', '-O', '/tmp/x', `${thief.url}/x`],
    ]
    for (const command of asked) expect((await node.run(...command)).status).not.toBe(0)
    thief.seen.length = 0
    await node.write('etc/portage/mirrors/first', `hub ${thief.url}\n`)
    await node.bash('rm -f /var/cache/distfiles/*')
    await client.emerge(node, '--oneshot', 'app-acme/small')
    expect(thief.seen).toEqual([undefined])
    // What the usual way, a fetch command for all sites that reads the .netrc, would have told it.
    await node.run('env', 'HOME=/etc/portage/hub', 'wget', '-t', '1', '-O', '/tmp/x', `${thief.url}/x`)
    expect(thief.seen.at(-1)).toMatch(/^Basic /)
  })

  test('a hub that redirects to another server is not followed there', async () => {
    await using hub = await createTestHub(SETTINGS)
    await upload(hub, 45)
    await using node = await enrolled(hub, 'web1')
    await using thief = await openThief()
    await using redirecting = await openServer((_authorization, path) => ({
      status: 302,
      headers: { Location: `${thief.url}${path}` },
    }))
    // As if the hub itself did it: its address on the node becomes that of the server that redirects.
    await node.bash(
      'sed -i "s|$1|$2|" /etc/portage/hub/fetch /etc/portage/repos.conf/portage-hub.conf',
      hub.url,
      redirecting.url,
    )
    const fetched = await node.run('/etc/portage/hub/fetch', 'portagehub://distfiles/staging/x', '/tmp/x')
    expect(fetched.status).not.toBe(0)
    expect((await node.run('emaint', 'sync', '-r', 'hub-staging')).status).toBe(1)
    expect(redirecting.seen.length).toBeGreaterThan(1)
    expect(thief.seen).toEqual([])
  })

  test('an overlay that the hub did not sign is removed again, section and all', async () => {
    await using hub = await createTestHub(SETTINGS)
    await upload(hub, 45)
    // Another key than the one that signed is the hub's: what a tampered overlay looks like to whoever knows the hub.
    await using other = await createTestHub()
    await using node = await openNode('tampered')
    // What root trusts for its own purposes does not count.
    await client.trustHub(node, hub)
    Object.assign(hub.hub, { overlayKeys: other.hub.overlayKeys })
    const options = ['--environment', 'staging', '--name', 'web1', '--token', await newToken(hub), '--yes']
    const { status, output } = await enrol(node, hub, ...options)
    expect(status).toBe(1)
    expect(output).toContain('No valid signature found')
    expect(output).toContain(UNSIGNED)
    const left = await node.bash('ls -A /var/db/repos /etc/portage/repos.conf')
    expect(left).not.toContain('hub')
    expect((await node.run('emaint', 'sync', '-A')).output).not.toContain('hub-staging')
  })

  test('keys that the script does not name are not trusted, and nothing is installed', async () => {
    await using hub = await createTestHub(SETTINGS)
    await using node = await openNode('keys')
    const secret = await newToken(hub)
    const fingerprint = hub.hub.overlayKeys.current.fingerprint
    const text = await node.bash('curl -fsS "$1/enroll.sh"', hub.url)
    await node.write('tmp/enroll.sh', text.replaceAll(fingerprint, fingerprint.replaceAll(/[0-9]/g, '0')))
    const options = ['--environment', 'staging', '--name', 'web1', '--token', secret, '--yes']
    const { status, output } = await node.run('sh', '/tmp/enroll.sh', ...options)
    expect(status).toBe(1)
    expect(output).toContain('the hub serves other keys than this script names')
    expect(await node.bash('ls -A /etc/portage/hub /etc/portage/repos.conf')).toBe(
      '/etc/portage/hub:\n.netrc\n\n/etc/portage/repos.conf:\ngentoo.conf\n',
    )
  })

  test('without --yes it says what it will do, and does nothing where it cannot ask', async () => {
    await using hub = await createTestHub(SETTINGS)
    await using node = await openNode('ask')
    const before = await settingsOf(node)
    const { status, output } = await node.run(
      ...['env', `HUB_ENROL_TOKEN=${await newToken(hub)}`, 'setsid', '-w', 'bash', '-o', 'pipefail', '-c'],
      'curl -fsS "$1/enroll.sh" | sh -s -- --environment staging --name web1',
      ...['bash', hub.url],
    )
    expect(status).toBe(1)
    expect(output).toContain(`This machine becomes the node web1 of staging at ${hub.url}:`)
    expect(output).toContain('there is no terminal to ask on: say --yes')
    expect(await settingsOf(node)).toBe(before)
    expect((await hub.as().get('/api/v1/nodes')).body.items).toEqual([])
  })
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

interface WatchedServer extends AsyncDisposable {
  readonly url: string
  /** The Authorization of each request. */
  readonly seen: (string | undefined)[]
}

async function openServer(
  answer: (authorization: string | undefined, path: string) => Answer,
): Promise<WatchedServer> {
  const seen: (string | undefined)[] = []
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization)
    const { status, headers } = answer(request.headers.authorization, request.url ?? '')
    response.writeHead(status, headers).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A server beside the hub that asks whoever comes for a password. */
async function openThief(): Promise<WatchedServer> {
  return await openServer(() => ({
    status: 401,
    headers: { 'WWW-Authenticate': 'Basic realm="portage-hub"' },
  }))
}

describeWithPortage('enrolment', tests, { timeoutMs: 400_000 })
