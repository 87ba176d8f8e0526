/** Everything that a recipe can say, and every format of tarball, judged by the real Portage. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SourceFormat } from '../../src/gentoo/ebuild.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { listTarball, listTree } from './support/file-trees.ts'
import { openNode } from './support/gentoo-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import { oddTarball } from './support/odd-tarball.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const RECIPES = join(import.meta.dirname, '..', 'golden', 'ebuilds')
const FORMATS: Readonly<Record<string, SourceFormat>> = {
  'format-tar': 'tar',
  'format-tar-bz2': 'tar.bz2',
  'format-tar-xz': 'tar.xz',
  'format-tar-zst': 'tar.zst',
}
const TOPS: Readonly<Record<string, string | null>> = {
  'no-top-folder': null,
  'odd-top-folder': "My 'App' $(id)",
}
/** Those that leave something of their own on a host, and no file that another one has. */
const INSTALLED = [
  ...Object.keys(FORMATS),
  ...Object.keys(TOPS),
  ...['all-features', 'defaults', 'executables', 'symlinks', 'user-without-home'],
]
const OVERLAY = 'var/db/repos/hub-staging'
const PROVIDED = 'app-arch/zstd-1.5.6\napp-misc/runtime-thing-1\n'

describeWithPortage('recipe features', () => {
  let hub: TestHub
  let node: GentooNode
  let features: readonly string[]
  const stack = new AsyncDisposableStack()

  beforeAll(async () => {
    hub = stack.use(await createTestHub({ HUB_CATEGORY: 'app-acme', HUB_ANONYMOUS_READ: 'staging' }))
    node = stack.use(await openNode('recipes'))
    const entries = await readdir(RECIPES, { withFileTypes: true })
    features = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    for (const feature of features) await upload(hub, feature)
    await node.write('etc/portage/profile/package.provided', PROVIDED)
    await client.follow(node, hub, { environment: 'staging' })
  })
  afterAll(async () => await stack.disposeAsync())

  test('egencache writes the very cache entries that the hub published', async () => {
    const published = await readFiles(node.path(`${OVERLAY}/metadata/md5-cache/app-acme`))
    expect(Object.keys(published)).toEqual(features.map((feature) => `${feature}-6.1.0_rc2_p45`).sort())
    await node.bash(REGENERATE_CACHE)
    expect(await readFiles(node.path('tmp/copy/metadata/md5-cache/app-acme'))).toEqual(published)
  })

  test('everything installs without a complaint, as it was packed, and no ebuild was sourced for its metadata', async () => {
    await client.emerge(node, ...INSTALLED.map((feature) => `app-acme/${feature}`))
    expect(await client.installedPackages(node)).toEqual(INSTALLED.map(cpvOf).sort())
    expect(await client.sourcedMetadata(node)).toEqual([])
    const packed = await listTarball(await oddTarball(), 'package')
    for (const feature of ['defaults', 'user-without-home', ...Object.keys({ ...FORMATS, ...TOPS })]) {
      expect(await listTree(node.path(`opt/${feature}`)), feature).toEqual(packed)
    }
    const { 'bin/tool': tool = '' } = packed
    const withExecutables = { ...packed, 'bin/tool': tool.replace('file 644', 'file 755') }
    expect(await listTree(node.path('opt/acme/shop'))).toEqual(withExecutables)
  })

  test('user, folders, services, configuration and links of a recipe are where it says, with their owners and modes', async () => {
    expect(await status(node, FILES_OF_ALL_FEATURES)).toEqual([
      "755 root:root directory '/opt/shop'",
      "755 root:root regular file '/opt/shop/bin/shop'",
      "600 root:root regular file '/opt/shop/conf/shop.toml'",
      "660 shop:shop regular file '/opt/shop/conf/live.toml'",
      "640 root:shop regular file '/etc/shop/shop.toml'",
      "777 root:root symbolic link '/usr/bin/shop' -> '../../opt/shop/bin/shop'",
      "755 shop:shop directory '/var/lib/shop'",
      "750 shop:shop directory '/var/log/shop'",
      "755 root:root regular file '/etc/init.d/all-features'",
      "644 root:root regular file '/usr/lib/systemd/system/all-features.service'",
      "777 root:root symbolic link '/usr/bin/symlinks-shop' -> '../../opt/symlinks/bin/shop'",
      "777 root:root symbolic link '/opt/bin/symlinks-tool' -> '../symlinks/bin/tool'",
      "777 root:root symbolic link '/opt/symlinks/bin/tool2' -> 'tool'",
    ])
    expect(await node.must('shop')).toBe('shop\n')
    expect(await node.bash('getent passwd shop acmebare | cut -d: -f1,6,7')).toBe(
      'shop:/var/lib/shop:/sbin/nologin\nacmebare:/dev/null:/sbin/nologin\n',
    )
    expect(await node.must('portageq', 'envvar', 'CONFIG_PROTECT')).toContain('/opt/shop/conf/live.toml')
  })

  test('a complete ebuild of one’s own is published as it was sent, sourced by the client, and its faults are seen', async () => {
    const { raw } = EBUILDS
    const fields = { build: '7', version: '1.0.0', 'ebuild.template': raw }
    const reply = await hub.upload('raw', await oddTarball({ top: 'raw-1' }), fields)
    expect(reply.status, reply.text).toBe(201)
    await client.sync(node, 'staging')
    expect(await node.read(`${OVERLAY}/app-acme/raw/raw-1.0.0_p7.ebuild`)).toBe(raw)
    expect(await readdir(node.path(`${OVERLAY}/metadata/md5-cache/app-acme`))).not.toContain('raw-1.0.0_p7')
    await expect(client.emerge(node, 'app-acme/raw')).rejects.toThrow('QA Notice: world writable')
    expect(await node.must('raw')).toBe('shop\n')
    expect(await client.sourcedMetadata(node)).toEqual([expect.stringContaining('app-acme/raw-1.0.0_p7')])
  })

  test('a hand-kept ebuild makes the user that an app’s recipe depends on', async () => {
    const url = '/api/v1/environments/staging/files/acct-user/clerk/clerk-0.ebuild'
    const put = await hub.as().put(url).type('text/plain').send(EBUILDS.clerk)
    expect(put.status, put.text).toBe(200)
    const recipe =
      'depends: {runtime: [acct-user/clerk], build: [acct-user/clerk]}\n' +
      'install: {keepdirs: [{path: /var/lib/desk, owner: "clerk:clerk"}]}\n'
    const reply = await hub.upload('desk', await oddTarball(), { build: '1', recipe })
    expect(reply.status, reply.text).toBe(201)
    await client.sync(node, 'staging')
    expect(await node.read(`${OVERLAY}/profiles/categories`)).toBe('acct-user\napp-acme\n')
    await client.emerge(node, 'app-acme/desk')
    expect(await client.installedPackages(node)).toEqual(
      expect.arrayContaining(['acct-user/clerk-0', 'app-acme/desk-0_p1']),
    )
    expect(await status(node, ['/var/lib/desk'])).toEqual(["755 clerk:clerk directory '/var/lib/desk'"])
  })
})

function cpvOf(feature: string): string {
  return `app-acme/${feature}-6.1.0_rc2_p45`
}

async function upload(hub: TestHub, feature: string): Promise<void> {
  const bytes = await oddTarball({
    format: FORMATS[feature] ?? 'tar.gz',
    top: feature in TOPS ? (TOPS[feature] ?? null) : 'package',
  })
  const recipe = await readFile(join(RECIPES, feature, 'recipe.yaml'), 'utf8')
  const reply = await hub.upload(feature, bytes, { build: '45', version: '6.1.0-rc.2', recipe })
  expect(reply.status, reply.text).toBe(201)
}

/** On a copy of the overlay without its cache. */
const REGENERATE_CACHE = `
  cp -r /var/db/repos/hub-staging /tmp/copy
  rm -r /tmp/copy/metadata/md5-cache
  egencache --update --jobs=2 --repo=hub-staging --repositories-configuration="[DEFAULT]
main-repo = gentoo
[gentoo]
location = /var/db/repos/gentoo
[hub-staging]
location = /tmp/copy"
`

async function readFiles(folder: string): Promise<Readonly<Record<string, string>>> {
  const names = (await readdir(folder)).sort()
  const texts = names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)
  return Object.fromEntries(await Promise.all(texts))
}

/** Mode, owner, type and name of each file, as `stat` puts it. */
async function status(node: GentooNode, paths: readonly string[]): Promise<readonly string[]> {
  return (await node.must('stat', '-c', '%a %U:%G %F %N', ...paths)).trim().split('\n')
}

const FILES_OF_ALL_FEATURES = [
  ...['/opt/shop', '/opt/shop/bin/shop', '/opt/shop/conf/shop.toml', '/opt/shop/conf/live.toml'],
  ...['/etc/shop/shop.toml', '/usr/bin/shop', '/var/lib/shop', '/var/log/shop'],
  ...['/etc/init.d/all-features', '/usr/lib/systemd/system/all-features.service'],
  ...['/usr/bin/symlinks-shop', '/opt/bin/symlinks-tool', '/opt/symlinks/bin/tool2'],
]

/** Ebuilds as somebody would write them by hand. */
const EBUILDS = {
  raw: `# By hand.
EAPI=8

DESCRIPTION="An ebuild of our own"
HOMEPAGE="https://shop.acme.example"
SRC_URI="mirror://hub/hub-\${P}.tar.gz"
S="\${WORKDIR}/raw-1"
LICENSE="all-rights-reserved"
SLOT="0"
KEYWORDS="amd64"
RESTRICT="mirror"

src_configure() { :; }
src_compile() { :; }

src_install() {
	newbin bin/shop \${PN}
	insinto /usr/share/\${PN}
	doins README
	fperms 0666 /usr/share/\${PN}/README
}
`,
  clerk: `EAPI=8

DESCRIPTION="The user clerk"
S="\${WORKDIR}"
LICENSE="public-domain"
SLOT="0"
KEYWORDS="amd64 arm64"

pkg_preinst() {
	getent passwd clerk > /dev/null || useradd --system --user-group --home-dir /dev/null clerk || die
}
`,
} as const
