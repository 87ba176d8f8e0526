/**
 * Builds of an app that has everything a restore point is about: files, links, modes, configuration, data, a service. Each
 * phase of its ebuild runs `/var/lib/shop-test/hooks/<phase>-<build>` where a test has put one.
 */
import { expect } from 'vitest'
import { tarball } from '../../support/tarballs.ts'
import type { TestHub } from '../../support/test-hub.ts'

export interface ShopBuild {
  readonly build: number
  /** What the build tells hub-node besides the defaults; undefined takes a key away. */
  readonly says?: Readonly<Record<string, unknown>>
  /** Runtime dependencies. */
  readonly depends?: string
}

/** Sends a build as an ebuild of one's own: `app-acme/shop-1.0.0_p<build>`. */
export async function uploadShop(hub: TestHub, shop: ShopBuild): Promise<void> {
  const { build } = shop
  const bytes = tarball({ 'shop-1/bin/shop': `build ${build}`, 'shop-1/shop.toml': `default of ${build}\n` })
  const fields = { build: String(build), version: '1.0.0', 'ebuild.template': renderEbuild(shop) }
  const reply = await hub.upload('shop', bytes, fields)
  expect(reply.status, reply.text).toBe(201)
}

function renderEbuild({ build, says = {}, depends = '' }: ShopBuild): string {
  const told = {
    ...{ v: 1, app: 'shop', build, service: 'shop' },
    schema: { version: build, reversibleFrom: 1 },
    backup: {
      commands: ['cp /var/lib/shop/data "$HUB_BACKUP_DIR/shop.dump"', '. /var/lib/shop-test/backup'],
      timeoutSec: 2,
      expect: ['shop.dump'],
    },
    restore: {
      commands: ['cp "$HUB_BACKUP_DIR/shop.dump" /var/lib/shop/data'],
      timeoutSec: 5,
      probe: 'comm -13 "$HUB_BACKUP_DIR/shop.dump" /var/lib/shop/data',
    },
    rehearse: { commands: ['grep -q row "$HUB_BACKUP_DIR/shop.dump"'], timeoutSec: 5 },
    health: { command: `test ! -e /var/lib/shop-test/unhealthy-${build}`, timeoutSec: 5 },
    ...says,
  }
  return `# portage-hub: ${JSON.stringify(told)}
EAPI=8

DESCRIPTION="Acme web shop"
HOMEPAGE="https://shop.acme.example"
SRC_URI="mirror://hub/hub-\${P}.tar.gz"
S="\${WORKDIR}/shop-1"
LICENSE="all-rights-reserved"
SLOT="0"
KEYWORDS="amd64"
RDEPEND="${depends}"
RESTRICT="bindist mirror strip"

src_install() {
	exeinto /opt/shop/bin
	doexe bin/shop
	dosym bin/shop /opt/shop/current
	echo only > only || die
	insinto /opt/shop
	newins only only-${build}
	fperms 0640 /opt/shop/only-${build}
	fowners 12:34 /opt/shop/only-${build}
	insinto /etc
	doins shop.toml
	insinto /etc/shop
	newins shop.toml plain.toml
	newins shop.toml gone.toml
	newins shop.toml only-${build}.toml
	fperms 0600 /etc/shop/plain.toml
	dosym plain.toml /etc/shop/link.toml
	keepdir /var/lib/shop
}

run_hook() {
	[[ ! -x /var/lib/shop-test/hooks/$1-${build} ]] || /var/lib/shop-test/hooks/$1-${build} || die "hook $1"
}
pkg_preinst() { run_hook preinst; }
pkg_postinst() { run_hook postinst; }
pkg_prerm() { run_hook prerm; }
pkg_postrm() { run_hook postrm; }
`
}
