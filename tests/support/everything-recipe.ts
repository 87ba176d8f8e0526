/** A recipe that uses every key, and the same with one text put in the place of each value. */

/** As plain data, so that a test can put anything anywhere. */
export const EVERYTHING = {
  category: 'app-acme',
  description: 'Acme web shop',
  homepage: 'https://shop.acme.example',
  license: ['all-rights-reserved', 'Apache-2.0'],
  slot: '0',
  keywords: ['amd64', '~arm64'],
  depends: { runtime: ['dev-db/postgresql:*', '>=net-libs/nodejs-22'], build: ['app-arch/unzip'] },
  install: {
    prefix: '/opt/shop',
    executables: ['bin/shop', 'bin/tool'],
    files: [
      { from: 'conf/shop.toml', to: '/etc/shop/shop.toml', mode: '0640', owner: 'root:shop', config: true },
      { from: 'conf/shop.toml', to: '/opt/shop/live.toml', config: true },
    ],
    symlinks: [{ from: '/opt/shop/bin/shop', to: '/usr/bin/shop' }],
    keepdirs: ['/var/lib/shop', { path: '/var/log/shop', mode: '0750', owner: 'shop:shop' }],
  },
  user: { name: 'shop', home: '/var/lib/shop' },
  service: { openrc: 'deploy/shop.initd', systemd: 'deploy/shop.service', restart: true },
  backup: { commands: ['pg_dump shop', 'echo done'], timeout: '10m', expect: ['shop.dump'] },
  restore: { commands: ['pg_restore shop'], timeout: '30m', probe: 'psql -c "select 1"' },
  rehearse: { commands: ['pg_restore scratch'], timeout: '30m' },
  migrate: { commands: ['/opt/shop/bin/shop migrate'], timeout: '10m' },
  schema: { version: 12, reversible_from: 11 },
  health: { command: '/opt/shop/bin/shop check', timeout: '30s' },
} as const

type Path = readonly (string | number)[]

/** The path of every value in EVERYTHING that is not a group or a list. */
export function leafPaths(value: unknown = EVERYTHING, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([key, inner]) =>
    leafPaths(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  )
}

/** EVERYTHING with another value at one path. */
export function withValueAt(path: Path, value: unknown, whole: unknown = EVERYTHING): unknown {
  const [first, ...rest] = path
  if (first === undefined) return value
  if (Array.isArray(whole))
    return whole.map((item, index) => (index === first ? withValueAt(rest, value, item) : item))
  const group = whole as Readonly<Record<string, unknown>>
  return { ...group, [first]: withValueAt(rest, value, group[first]) }
}
