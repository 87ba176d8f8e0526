/** Where a node's token can be read: in one file of a real host, and in no other, nor in what any program was given. */
import { expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { findSecret, formsOf, watchPrograms } from './support/exposure.ts'
import { openNode } from './support/gentoo-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

async function upload(hub: TestHub, build: number): Promise<void> {
  const bytes = tarball({ 'small/run': `build ${String(build)}\n` })
  const reply = await hub.upload('small', bytes, { build: String(build), version: '1.0.0' })
  if (reply.status !== 201) throw new Error(reply.text)
}

const NETRC = '/etc/portage/hub/.netrc'

const tests = (): void => {
  test('enrolment, syncs and installs tell the token to nobody: all files are searched, all programs watched', async () => {
    await using hub = await createTestHub({ HUB_CATEGORY: 'app-acme' })
    await upload(hub, 45)
    await using node = await openNode('credentials')
    const watch = await watchPrograms(node)
    const secret = await hub.token('enrol', { environments: ['staging'] })
    await node.write('etc/enrolment', `${secret}\n`, 0o600)
    const words = ['--environment', 'staging', '--name', 'web1', '--token-file', '/etc/enrolment', '--yes']
    const command = 'curl -fsS "$1/enroll.sh" | sh -s -- "${@:2}"'
    const output = [await node.must('bash', '-o', 'pipefail', '-c', command, 'bash', hub.url, ...words)]
    const token = (await node.read(NETRC.slice(1))).trim().split(' ').at(-1) ?? ''
    expect((await hub.as(token).get('/api/v1/whoami')).body).toMatchObject({ node: 'web1' })

    expect((await watch.read()).arguments).toMatch(/^head -c 32 \/dev\/urandom$/m)
    await watch.leaveTools()
    output.push(
      await client.sync(node, 'staging'),
      await client.emerge(node, '--getbinpkg', 'app-acme/small'),
      await node.must('emerge', '--info', '--verbose', 'app-acme/small'),
    )
    await upload(hub, 46)
    // The version before is packed, with its whole environment, by FEATURES=unmerge-backup.
    output.push(
      await client.sync(node, 'staging'),
      await client.emerge(node, '--update', '--getbinpkg', 'app-acme/small'),
      await node.must('emerge', '--info', '--verbose'),
    )
    const packed = await node.bash('find /var/cache/binpkgs -name "small-1.0.0_p45*.gpkg.tar"')
    expect(packed).not.toBe('')

    const seen = await watch.read()
    expect(seen.arguments).toMatch(/^git .*fetch /m)
    expect(seen.arguments).toContain(`curl -q -sS --netrc-file ${NETRC}`)
    expect(seen.arguments).toMatch(
      /^wget --max-redirect=0 .*portagehub|^wget --max-redirect=0 .*\/distfiles\//m,
    )
    expect(seen.arguments).toMatch(/^python3 .*emaint sync -r hub-staging$/m)
    expect(seen.git).toContain('git remote-http')
    expect(seen.variables).toContain(`HOME="/etc/portage/hub"`)
    for (const form of [...formsOf(token), ...formsOf(secret)]) {
      for (const told of [...output, ...Object.values(seen)]) expect(told).not.toContain(form)
    }
    expect(findSecret(node, formsOf(token))).toEqual([`${NETRC} 640 0 0`])
    expect(findSecret(node, formsOf(secret))).toEqual(['/etc/enrolment 600 0 0'])

    // What there would be to find.
    await node.write('var/tmp/leak', token)
    await node.bash(
      'cd /var/tmp && tar cf leak.tar leak && bzip2 leak.tar && ln -s "$(cat leak)" link && rm leak',
    )
    expect(findSecret(node, formsOf(token))).toEqual([
      `${NETRC} 640 0 0`,
      '/var/tmp/leak.tar.bz2!bz2 644 0 0',
      '/var/tmp/leak.tar.bz2!bz2!leak 644 0 0',
      '/var/tmp/link 777 0 0',
    ])
    await node.run('curl', '-q', '--user', `web1:${token}`, `${hub.url}/healthz`)
    expect((await watch.read()).arguments).toContain(token)
  })
}

describeWithPortage('credentials', tests, { timeoutMs: 400_000 })
