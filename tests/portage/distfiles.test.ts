/** The hub as a distfile mirror of the real Portage: every layout, resumed downloads, and bytes that are not right. */
import { createHash } from 'node:crypto'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { openNode } from './support/gentoo-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import { watchAnswers } from './support/hub-answers.ts'
import type { HubAnswers } from './support/hub-answers.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const NAME = 'hub-big-1.0.0_p1.tar.gz'
const BYTES = tarball({ 'big-1/noise': noise(2 * 1024 * 1024) })
const DISTDIR = 'var/cache/distfiles'
/** Below 350 KiB Portage does not resume. */
const PART_BYTES = 400 * 1024
const MIRROR = '/distfiles/staging'

/** Without RESTRICT=mirror, as Gentoo's own ebuilds are: the client then asks GENTOO_MIRRORS first. */
const UNRESTRICTED = `EAPI=8

DESCRIPTION="Fetched like a package of Gentoo"
SRC_URI="mirror://hub/hub-\${P}.tar.gz"
S="\${WORKDIR}"
LICENSE="all-rights-reserved"
SLOT="0"
KEYWORDS="amd64"
`

describeWithPortage('distfiles', () => {
  let hub: TestHub
  let node: GentooNode
  let answers: HubAnswers
  const stack = new AsyncDisposableStack()

  beforeAll(async () => {
    hub = stack.use(await createTestHub({ HUB_CATEGORY: 'app-acme', HUB_ANONYMOUS_READ: 'staging' }))
    node = stack.use(await openNode('distfiles'))
    answers = stack.use(watchAnswers(hub))
    await upload(hub, 'big', {})
    await upload(hub, 'open', { 'ebuild.template': UNRESTRICTED })
    await client.follow(node, hub, { environment: 'staging' })
  })
  afterAll(async () => await stack.disposeAsync())
  beforeEach(async () => {
    await node.bash('find /var/cache/distfiles -mindepth 1 -delete; rm -f /etc/portage/mirrors')
    answers.take()
  })

  test('a file is fetched from the address that the overlay’s mirror name stands for, in one request', async () => {
    await fetchBig(node)
    expect(answers.take()).toEqual([`GET ${MIRROR}/${NAME} 200`])
  })

  test('a site’s mirror entry is followed by its layout: filename-hash, asked for once', async () => {
    await node.write('etc/portage/mirrors', `local ${hub.url}${MIRROR}\n`)
    await fetchBig(node)
    const hashed = `GET ${MIRROR}/distfiles/${filenameHash(NAME)}/${NAME} 200`
    expect(answers.take()).toEqual([`GET ${MIRROR}/distfiles/layout.conf 200`, hashed])
    await node.must('rm', `/${DISTDIR}/${NAME}`)
    await fetchBig(node)
    expect(answers.take()).toEqual([hashed])
  })

  test.each([
    ['content-hash SHA512 8:8', contentHash(BYTES)],
    ['flat', NAME],
  ])('the same mirror answers the layout %s', async (layout, path) => {
    await node.write('etc/portage/mirrors', `local ${hub.url}${MIRROR}\n`)
    await node.must('python3', '-c', REMEMBER_LAYOUT, `${hub.url}${MIRROR}`, layout)
    await fetchBig(node)
    expect(answers.take()).toEqual([`GET ${MIRROR}/distfiles/${path} 200`])
  })

  test('an ebuild that allows mirrors gets its file from the hub as one of GENTOO_MIRRORS', async () => {
    const name = 'hub-open-1.0.0_p1.tar.gz'
    const mirrors = `GENTOO_MIRRORS=${hub.url}${MIRROR}`
    await node.must('env', mirrors, 'emerge', '--fetchonly', 'app-acme/open')
    expect(answers.take()).toEqual([
      `GET ${MIRROR}/distfiles/layout.conf 200`,
      `GET ${MIRROR}/distfiles/${filenameHash(name)}/${name} 200`,
    ])
  })

  test('a download that was cut goes on where it stopped', async () => {
    await node.write(`${DISTDIR}/${NAME}.__download__`, BYTES.subarray(0, PART_BYTES))
    const output = await fetchBig(node)
    expect(answers.take()).toEqual([`GET ${MIRROR}/${NAME} 206`])
    expect(output).toContain('206 Partial Content')
  })

  test('a file with other bytes of the same size in DISTDIR is put aside and fetched', async () => {
    await node.write(`${DISTDIR}/${NAME}`, altered(BYTES))
    await fetchBig(node)
    expect(answers.take()).toEqual([`GET ${MIRROR}/${NAME} 200`])
  })

  test('bytes that changed in the hub’s archive are installed nowhere', async () => {
    const blob = hub.hub.blobs.path(createHash('sha512').update(BYTES).digest('hex'))
    await chmod(blob, 0o600)
    await writeFile(blob, altered(await readFile(blob)))
    const { status, output } = await node.run('emerge', '--quiet-build=n', 'app-acme/big')
    expect(status).toBe(1)
    expect(output).toContain('Failed on BLAKE2B verification')
    expect(output).toContain(`Couldn't download '${NAME}'. Aborting.`)
    expect(await client.installedPackages(node)).toEqual([])
  })
})

/** What `layout.conf` of a mirror says, in the client's own memory of it. */
const REMEMBER_LAYOUT = `
import json, sys, time
with open("/var/cache/distfiles/.mirror-cache.json", "w") as file:
    json.dump({sys.argv[1]: (time.time(), [sys.argv[2].split()])}, file)
`

async function fetchBig(node: GentooNode): Promise<string> {
  const output = await node.must('emerge', '--fetchonly', 'app-acme/big')
  expect((await client.distfile(node, NAME)).equals(BYTES)).toBe(true)
  return output
}

async function upload(hub: TestHub, app: string, fields: Readonly<Record<string, string>>): Promise<void> {
  const reply = await hub.upload(app, BYTES, { build: '1', version: '1.0.0', ...fields })
  expect(reply.status, reply.text).toBe(201)
}

function filenameHash(name: string): string {
  return createHash('blake2b512').update(name).digest('hex').slice(0, 2)
}

function contentHash(bytes: Buffer): string {
  const digest = createHash('sha512').update(bytes).digest('hex')
  return `${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`
}

function altered(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1
  return copy
}

/** Bytes that no compression makes smaller, the same at each call. */
function noise(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  let state = 1
  for (let index = 0; index < sizeBytes; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[index] = state >>> 16
  }
  return bytes
}
