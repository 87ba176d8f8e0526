/** The overlay as a zip, which the real Portage asks for by ETag and installs from like from git. */
import { expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { listTarball, listTree } from './support/file-trees.ts'
import { openNode } from './support/gentoo-node.ts'
import { watchAnswers } from './support/hub-answers.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const SETTINGS = { HUB_CATEGORY: 'app-acme', HUB_ANONYMOUS_READ: 'staging,production' }
const BY_ZIP = { environment: 'staging', by: 'zipfile' } as const
const ZIP = '/overlays/staging.zip'

const tests = (): void => {
  test('two hosts install from the zip, ask again in vain, and update when a build came', async () => {
    await using hub = await createTestHub(SETTINGS)
    await upload(hub, 45)
    await using first = await openNode('zip')
    await using second = await openNode('zip')
    using answers = watchAnswers(hub)
    for (const node of [first, second]) {
      await client.follow(node, hub, BY_ZIP)
      expect(answers.take()).toEqual([`GET ${ZIP} 200`])
      expect(await client.sync(node, 'staging')).toContain('The repository has not changed.')
      expect(answers.take()).toEqual([`GET ${ZIP} 304`])
    }
    await upload(hub, 46)
    answers.take()
    for (const node of [first, second]) {
      await client.sync(node, 'staging')
      expect(answers.take()).toEqual([`GET ${ZIP} 200`])
    }
    await Promise.all([first, second].map((node) => client.emerge(node, 'app-acme/small')))
    for (const node of [first, second]) {
      expect(await client.installedPackages(node)).toEqual(['app-acme/small-1.0.0_p46'])
      expect(await listTree(node.path('opt/small'))).toEqual(await listTarball(smallTarball(46), 'small-1'))
      expect(await client.sourcedMetadata(node)).toEqual([])
    }
  })

  test('the zip holds the very files that git checks out', async () => {
    await using hub = await createTestHub(SETTINGS)
    await upload(hub, 45)
    await upload(hub, 46)
    await using byZip = await openNode('zip')
    await using byGit = await openNode('git')
    await client.follow(byZip, hub, BY_ZIP)
    await client.follow(byGit, hub, { environment: 'staging' })
    const { '.': top, ...zipped } = await listTree(byZip.path('var/db/repos/hub-staging'))
    const checkedOut = await listTree(byGit.path('var/db/repos/hub-staging'))
    const isOfOverlay = ([path]: readonly [string, string]): boolean => !/^\.(info|git(\/.*)?)?$/.test(path)
    expect(top).toBeDefined()
    expect(Object.entries(zipped).filter(isOfOverlay)).toEqual(Object.entries(checkedOut).filter(isOfOverlay))
  })

  test('production’s zip has nothing of a build until it is promoted', async () => {
    await using hub = await createTestHub(SETTINGS)
    await upload(hub, 45)
    await using node = await openNode('zip')
    await client.follow(node, hub, { environment: 'production', by: 'zipfile' })
    expect((await node.run('emerge', '-p', 'app-acme/small')).output).toContain(
      'there are no ebuilds to satisfy',
    )
    await hub.promote('small', 45, 'production')
    await client.sync(node, 'production')
    expect(await node.must('emerge', '-p', 'app-acme/small')).toContain('app-acme/small-1.0.0_p45')
  })
}

describeWithPortage('sync by zip and install', tests, { concurrent: true })

async function upload(hub: TestHub, build: number): Promise<void> {
  const reply = await hub.upload('small', smallTarball(build), { build: String(build), version: '1.0.0' })
  expect(reply.status, reply.text).toBe(201)
}

function smallTarball(build: number): Buffer {
  return tarball({ 'small-1/': '', 'small-1/bin/small': `build ${build}`, 'small-1/empty/': '' })
}
