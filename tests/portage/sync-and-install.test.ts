/** The main job as nodes see it: the real Portage syncs a verified overlay by git and installs what CI uploaded. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { listTarball, listTree } from './support/file-trees.ts'
import { openNode } from './support/gentoo-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import { watchAnswers } from './support/hub-answers.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'
import { fetchRealTarball } from './support/real-tarball.ts'

const CPV = 'app-acme/webshop-6.1.0_rc2_p45'
const DISTFILE = 'hub-webshop-6.1.0_rc2_p45.tar.gz'
const SETTINGS = { HUB_CATEGORY: 'app-acme' }

const tests = (): void => {
  test('a tarball made elsewhere is installed from staging on two hosts, and from production once it is promoted', async (context) => {
    const bytes = await fetchRealTarball()
    if (bytes === null) return context.skip('no npm cache and no network')
    await using hub = await createTestHub(SETTINGS)
    using answers = watchAnswers(hub)
    const reply = await hub.upload('webshop', bytes, { build: '45', version: '6.1.0-rc.2' })
    expect(reply.body, reply.text).toMatchObject({ cpv: CPV, tarball: { name: DISTFILE } })

    await using first = await openHost(hub, 'staging')
    await using second = await openHost(hub, 'staging')
    await using live = await openHost(hub, 'production')
    const expected = await listTarball(bytes, 'package')
    await Promise.all([first, second].map((node) => client.emerge(node, 'app-acme/webshop')))
    for (const node of [first, second]) {
      await expectInstalled(node, bytes)
      expect(await listTree(node.path('opt/webshop'))).toEqual(expected)
    }
    expect(answers.take()).toContain(`GET /distfiles/staging/${DISTFILE} 200`)

    await client.sync(live, 'production')
    const refused = await live.run('emerge', '--pretend', 'app-acme/webshop')
    expect(refused.status).toBe(1)
    expect(refused.output).toContain('there are no ebuilds to satisfy "app-acme/webshop"')
    const early = await hub.as().get(`/distfiles/production/${DISTFILE}`)
    expect(early.status).toBe(404)

    const promoted = await hub.promote('webshop', 45, 'production')
    expect(promoted.body, promoted.text).toMatchObject({ state: 'released' })
    await client.sync(live, 'production')
    await client.emerge(live, 'app-acme/webshop')
    await expectInstalled(live, bytes)
    expect(await listTree(live.path('opt/webshop'))).toEqual(expected)
    expect(answers.take()).toContain(`GET /distfiles/production/${DISTFILE} 200`)
  })

  test('the token that git and wget use is in no output of Portage and not in the overlay', async () => {
    await using hub = await createTestHub(SETTINGS)
    await uploadSmall(hub, 45)
    await using node = await openNode('token')
    const token = await hub.token('node', { environments: ['staging'] })
    await client.giveToken(node, token)
    await client.useOverlay(node, hub, { environment: 'staging' })
    await client.trustHub(node, hub)
    const output = [
      await client.sync(node, 'staging'),
      await client.emerge(node, 'app-acme/small'),
      await node.must('emerge', '--info', '--verbose', 'app-acme/small'),
      await node.bash('cat /var/db/repos/hub-staging/.git/config; env; cat /var/log/emerge.log'),
    ]
    expect(output.join('')).toContain('sync-git-verify-commit-signature: true')
    expect(output.join('')).not.toContain(token)
    const { output: holders } = await node.run('grep', '-rlF', token, '/etc', '/var', '/opt')
    expect(holders).toBe('/etc/portage/hub/.netrc\n')
  })

  test('a host without a token, or with one for another environment, gets neither the overlay nor the tarball', async () => {
    await using hub = await createTestHub(SETTINGS)
    await uploadSmall(hub, 45)
    await using node = await openNode('stranger')
    await client.useOverlay(node, hub, { environment: 'staging' })
    await client.trustHub(node, hub)
    const url = `${hub.url}/distfiles/staging/hub-small-1.0.0_p45.tar.gz`
    for (const token of [null, await hub.token('node', { environments: ['production'] })]) {
      if (token !== null) await client.giveToken(node, token)
      expect((await node.run('emaint', 'sync', '-r', 'hub-staging')).status).toBe(1)
      expect((await node.run('wget', '-q', '-O', '/tmp/got', url)).status).not.toBe(0)
    }
    expect((await node.run('emerge', '-p', 'app-acme/small')).status).toBe(1)
  })

  test('an update is verified, and asking for one that is not there takes three requests', async () => {
    await using hub = await createTestHub(SETTINGS)
    using answers = watchAnswers(hub)
    await uploadSmall(hub, 45)
    await using node = await openHost(hub, 'staging')
    await uploadSmall(hub, 46)
    expect(await client.sync(node, 'staging')).toContain('Trusted signature found on top commit')
    expect(await node.must('emerge', '-p', 'app-acme/small')).toContain('small-1.0.0_p46')
    answers.take()
    expect(await client.sync(node, 'staging')).toContain(
      'Action: sync for repo: hub-staging, returned code = 0',
    )
    expect(answers.take()).toEqual([
      'GET /git/staging.git/info/refs?service=git-upload-pack 401',
      'GET /git/staging.git/info/refs?service=git-upload-pack 200',
      'POST /git/staging.git/git-upload-pack 200',
      'POST /git/staging.git/git-upload-pack 200',
    ])
  })

  test('an overlay with a commit that the hub did not sign is refused, and a synced host keeps the last good one', async () => {
    await using hub = await createTestHub(SETTINGS)
    await uploadSmall(hub, 45)
    await using node = await openHost(hub, 'staging')
    const good = await node.bash('git -C /var/db/repos/hub-staging rev-parse HEAD')
    await node.bash(FORGE, `${hub.url}/git/staging.git`)
    for (const forged of ['tampered', 'unsigned', 'foreign']) {
      await client.useOverlay(node, hub, { environment: 'staging', uri: `file:///tmp/${forged}` })
      const { status, output } = await node.run('emaint', 'sync', '-r', 'hub-staging')
      expect(status, output).toBe(1)
      expect(output).toContain(
        { tampered: 'bad signature', unsigned: 'no signature', foreign: 'unable to verify' }[forged],
      )
      expect(await node.bash('git -C /var/db/repos/hub-staging rev-parse HEAD')).toBe(good)
      expect((await node.run('grep', '-r', 'evil', '/var/db/repos/hub-staging')).output).toBe('')
    }
  })

  test('a host that does not have the hub’s key refuses its overlay', async () => {
    await using hub = await createTestHub({ ...SETTINGS, HUB_ANONYMOUS_READ: 'staging' })
    await uploadSmall(hub, 45)
    await using node = await openNode('keyless')
    await client.useOverlay(node, hub, { environment: 'staging' })
    const { status, output } = await node.run('emaint', 'sync', '-r', 'hub-staging')
    expect(status, output).toBe(1)
    expect(output).toContain('unable to verify signature')
  })
}

describeWithPortage('sync by git and install', tests, { concurrent: true })

/** Three copies of the overlay: a signature on other content, no signature, and one by somebody else's key. */
const FORGE = `
  export GIT_AUTHOR_NAME=e GIT_AUTHOR_EMAIL=e@example.org GIT_COMMITTER_NAME=e GIT_COMMITTER_EMAIL=e@example.org
  cd /tmp
  git clone -q "$1" tampered
  cd tampered
  echo 'evil() { :; }' >> app-acme/small/small-1.0.0_p45.ebuild
  git add --all
  tree=$(git write-tree)
  git cat-file commit HEAD | sed "s/^tree .*/tree $tree/" | git hash-object -t commit -w --stdin > /tmp/tampered-commit
  git reset -q --hard "$(cat /tmp/tampered-commit)"
  cp -r /tmp/tampered /tmp/unsigned
  cd /tmp/unsigned
  git commit -q --amend --no-gpg-sign -m evil
  cp -r /tmp/tampered /tmp/foreign
  cd /tmp/foreign
  mkdir -m 700 /tmp/foreign-keys
  export GNUPGHOME=/tmp/foreign-keys
  gpg -q --batch --passphrase '' --quick-generate-key 'Portage Hub (hub)' ed25519 sign never
  git commit -q --amend --gpg-sign='Portage Hub (hub)' -m evil
`

async function openHost(hub: TestHub, environment: string): Promise<GentooNode> {
  const node = await openNode(environment)
  try {
    await client.giveToken(node, await hub.token('node', { environments: [environment] }))
    await client.follow(node, hub, { environment })
    return node
  } catch (error) {
    await node[Symbol.asyncDispose]()
    throw error
  }
}

async function expectInstalled(node: GentooNode, bytes: Buffer): Promise<void> {
  expect(await client.installedPackages(node)).toEqual([CPV])
  expect(sha256(await client.distfile(node, DISTFILE))).toBe(sha256(bytes))
  expect(await client.sourcedMetadata(node)).toEqual([])
}

async function uploadSmall(hub: TestHub, build: number): Promise<void> {
  const files = { 'small-1/bin/small': `build ${build}`, 'small-1/README': 'read me' }
  const reply = await hub.upload('small', tarball(files), { build: String(build), version: '1.0.0' })
  expect(reply.status, reply.text).toBe(201)
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
