/** The three apps of a demo: what their tarballs hold, and how that changes from build to build. */
import { stripes } from './png.ts'
import type { Files } from './tarball.ts'

export interface DemoBuild {
  readonly build: number
  readonly version: string
  /** What is new, a line each, newest first: the changelog of the tarball. */
  readonly news: readonly string[]
}

export interface DemoApp {
  readonly name: 'shop' | 'billing' | 'handbook'
  readonly description: string
  /** The file of a restore point that has its data; null: it has none. */
  readonly dump: string | null
  readonly suites: readonly { readonly name: string; readonly tests: readonly string[] }[]
  /** Files below the tarball's own folder. */
  readonly files: (build: DemoBuild) => Files
  /** Of the recipe's schema, for restore points. */
  readonly schemaVersion: (build: number) => number | null
}

/** Since this build the shop writes its log to a folder of its own. */
const SHOP_LOGS_SINCE = 45
/** Since this one its tables are others. */
const SHOP_SCHEMA_SINCE = 49
/** Since this one the bills are sent by a service that systemd knows too. */
const BILLING_SYSTEMD_SINCE = 12

const shop: DemoApp = {
  name: 'shop',
  description: 'The web shop: catalogue, cart and checkout.',
  dump: 'shop.sql',
  suites: [
    { name: 'cart', tests: ['adds_a_line', 'merges_equal_lines', 'keeps_the_price_of_the_day', 'empties'] },
    { name: 'checkout', tests: ['needs_an_address', 'charges_once', 'sends_the_receipt'] },
    { name: 'catalogue', tests: ['finds_by_name', 'hides_what_is_sold_out'] },
  ],
  schemaVersion: (build) => (build < SHOP_SCHEMA_SINCE ? 11 : 12),
  files: (build) => ({
    'portage-hub.yaml': shopRecipe(build.build),
    'CHANGELOG.md': changelog('Shop', build),
    'bin/shop': script('shop', build, 'exec python3 /opt/shop/lib/serve.py "$@"'),
    'lib/serve.py': servePy(build),
    'lib/prices.py': pricesPy(build),
    'conf/shop.toml': shopToml(build),
    'static/logo.png': stripes([200, 40 + build.build, 60]),
    'static/style.css': `:root {\n  --brand: hsl(${String((build.build * 7) % 360)} 60% 40%);\n}\n`,
    'deploy/shop.initd': initd('shop'),
  }),
}

const billing: DemoApp = {
  name: 'billing',
  description: 'Writes the bills, and sends them each night.',
  dump: 'billing.sql',
  suites: [
    { name: 'bills', tests: ['adds_the_tax', 'numbers_have_no_gap', 'rounds_once'] },
    { name: 'mail', tests: ['is_sent_once', 'waits_for_the_server'] },
  ],
  schemaVersion: () => 4,
  files: (build) => ({
    'portage-hub.yaml': billingRecipe(build.build),
    'CHANGELOG.md': changelog('Billing', build),
    'bin/billing': script('billing', build, 'exec /opt/billing/bin/nightly "$@"'),
    'bin/nightly': script('nightly', build, 'for bill in "$BILLS"/*.json; do send "$bill"; done'),
    'conf/billing.toml': `[tax]\nrate = 0.19\n\n[mail]\nserver = "mail.acme.example"\nretry_minutes = ${String(build.build)}\n`,
    'templates/bill.html': `<!doctype html>\n<title>Bill</title>\n<p>Made by billing ${build.version}.</p>\n`,
    'deploy/billing.initd': initd('billing'),
    'deploy/billing.service': '[Service]\nExecStart=/opt/billing/bin/billing\nUser=billing\n',
  }),
}

const handbook: DemoApp = {
  name: 'handbook',
  description: 'The handbook for those who answer the phone.',
  dump: null,
  suites: [{ name: 'links', tests: ['lead_somewhere', 'have_a_text'] }],
  schemaVersion: () => null,
  files: (build) => ({
    'portage-hub.yaml': HANDBOOK_RECIPE,
    'CHANGELOG.md': changelog('Handbook', build),
    'site/index.html': `<!doctype html>\n<title>Handbook ${build.version}</title>\n<h1>Handbook</h1>\n`,
    'site/returns.html': `<!doctype html>\n<h1>Returns</h1>\n<p>${build.news[0] ?? ''}</p>\n`,
    'site/cover.png': stripes([30, 90, 40 + build.build]),
  }),
}

export const DEMO_APPS: readonly DemoApp[] = [shop, billing, handbook]

/** The whole tree of a build, in the folder that its tarball unpacks to. */
export function treeOf(app: DemoApp, build: DemoBuild): Files {
  const folder = `${app.name}-${build.version}`
  return Object.fromEntries(
    Object.entries(app.files(build)).map(([path, content]) => [`${folder}/${path}`, content]),
  )
}

function shopRecipe(build: number): string {
  const logs =
    build < SHOP_LOGS_SINCE ? '' : "    - { path: /var/log/shop, mode: '0750', owner: 'shop:shop' }\n"
  const migrate =
    build < SHOP_SCHEMA_SINCE
      ? 'schema: { version: 11, reversible_from: 10 }\n'
      : "migrate: { commands: ['/opt/shop/bin/shop migrate'], timeout: 10m }\nschema: { version: 12, reversible_from: 11 }\n"
  return `category: app-acme
description: Acme web shop
homepage: https://shop.acme.example
license: all-rights-reserved
depends:
  runtime: ['dev-lang/python', 'dev-db/postgresql:*']
install:
  executables: [bin/shop]
  files:
    - { from: conf/shop.toml, to: /etc/shop/shop.toml, mode: '0640', owner: 'root:shop', config: true }
  symlinks:
    - { from: /opt/shop/bin/shop, to: /usr/bin/shop }
  keepdirs:
    - /var/lib/shop
${logs}user: { name: shop, home: /var/lib/shop }
service: { openrc: deploy/shop.initd, restart: true }
backup: { commands: ['pg_dump --file="$HUB_BACKUP_DIR/shop.sql" shop'], timeout: 10m, expect: [shop.sql] }
restore: { commands: ['psql --file="$HUB_BACKUP_DIR/shop.sql" shop'], timeout: 30m }
${migrate}health: { command: '/opt/shop/bin/shop check', timeout: 30s }
`
}

function billingRecipe(build: number): string {
  const systemd = build < BILLING_SYSTEMD_SINCE ? '' : ', systemd: deploy/billing.service'
  return `category: app-acme
description: Acme bills
license: all-rights-reserved
depends:
  runtime: ['dev-db/postgresql:*', 'mail-mta/nullmailer']
install:
  executables: [bin/billing, bin/nightly]
  files:
    - { from: conf/billing.toml, to: /etc/billing/billing.toml, config: true }
user: { name: billing, home: /var/lib/billing }
service: { openrc: deploy/billing.initd${systemd} }
backup: { commands: ['pg_dump --file="$HUB_BACKUP_DIR/billing.sql" billing'], expect: [billing.sql] }
restore: { commands: ['psql --file="$HUB_BACKUP_DIR/billing.sql" billing'] }
schema: { version: 4, reversible_from: 4 }
`
}

const HANDBOOK_RECIPE = `category: app-acme
description: Acme handbook
license: CC-BY-4.0
install: { prefix: /var/www/handbook }
`

function changelog(title: string, { version, news }: DemoBuild): string {
  return `# ${title}\n\n## ${version}\n\n${news.map((line) => `- ${line}\n`).join('')}`
}

function script(name: string, { build, version }: DemoBuild, work: string): string {
  return `#!/bin/sh\nset -eu\n# ${name} ${version}, build ${String(build)}\nexport APP_VERSION=${version}\n${work}\n`
}

function initd(name: string): string {
  return `#!/sbin/openrc-run\ncommand=/opt/${name}/bin/${name}\ncommand_user=${name}\ncommand_background=true\npidfile=/run/${name}.pid\n`
}

function shopToml({ build }: DemoBuild): string {
  const log = build < SHOP_LOGS_SINCE ? '' : '\n[log]\nfolder = "/var/log/shop"\n'
  return `[server]\nport = 8000\nworkers = ${String(2 + (build % 5))}\n\n[database]\nname = "shop"\n${log}`
}

function servePy({ version }: DemoBuild): string {
  return `"""Serves the shop."""
from http.server import HTTPServer, BaseHTTPRequestHandler

VERSION = "${version}"


class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"shop {VERSION}\\n".encode())


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", 8000), Shop).serve_forever()
`
}

function pricesPy({ build }: DemoBuild): string {
  const rounding = build < SHOP_SCHEMA_SINCE ? 'round(total, 2)' : 'int(total * 100 + 0.5) / 100'
  const offers = Array.from(
    { length: build % 7 },
    (_, at) => `    "offer-${String(at + 1)}": ${String(at + 5)},`,
  )
  return `"""What things cost."""\n\nOFFERS = {\n${offers.map((line) => `${line}\n`).join('')}}\n\n\ndef total_of(lines):\n    total = sum(line.price * line.count for line in lines)\n    return ${rounding}\n`
}
