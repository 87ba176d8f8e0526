/** The addresses of the hub with places for names, and what may be put there. tests/access has the table that is whole. */
import fc from 'fast-check'
import type { Known } from './hub-process.ts'

/** `$name` is a place for a value. */
export const READ_ROUTES = [
  '/api/v1/whoami',
  '/api/v1/apps',
  '/api/v1/apps/$app',
  '/api/v1/builds',
  '/api/v1/apps/$app/builds',
  '/api/v1/apps/$app/builds/$build',
  '/api/v1/apps/$app/builds/$build/tarball',
  '/api/v1/apps/$app/builds/$build/files',
  '/api/v1/apps/$app/builds/$build/files/$file',
  '/api/v1/apps/$app/builds/$build/ebuild',
  '/api/v1/apps/$app/builds/$build/eligibility/$environment',
  '/api/v1/apps/$app/builds/$build/checks',
  '/api/v1/apps/$app/builds/$build/checks/$id',
  '/api/v1/apps/$app/builds/$build/checks/$id/results',
  '/api/v1/environments',
  '/api/v1/environments/$environment',
  '/api/v1/environments/$environment/policy',
  '/api/v1/environments/$environment/releases',
  '/api/v1/environments/$environment/revisions',
  '/api/v1/environments/$environment/revisions/$revision',
  '/api/v1/environments/$environment/revisions/$revision/diff',
  '/api/v1/environments/$environment/files',
  '/api/v1/digests/$digest',
  '/api/v1/promotions',
  '/api/v1/promotions/$id',
  '/api/v1/nodes',
  '/api/v1/nodes/$node',
  '/nodes/$node/etc/portage/$setup',
  '/enroll.sh',
  '/api/v1/keys',
  '/api/v1/tokens',
  '/api/v1/uploads/$id',
  '/git/$environment.git/info/refs',
  '/overlays/$environment.zip',
  '/overlays/$environment@$revision.zip',
  '/overlays/$environment/tree',
  '/overlays/$environment/tree/$tree',
  '/distfiles/$environment/$distfile',
  '/distfiles/$environment/layout.conf',
  '/',
  '/healthz',
  '/readyz',
  '/keys/hub.asc',
  '/keys/statement.json',
]
export const WRITE_ROUTES = [
  'PATCH /api/v1/apps/$app',
  'POST /api/v1/apps/$app/builds',
  'PUT /api/v1/apps/$app/builds/$build/tarball',
  'POST /api/v1/apps/$app/builds/$build/checks',
  'PUT /api/v1/environments/$environment/files/$tree',
  'DELETE /api/v1/environments/$environment/files/$tree',
  'PUT /api/v1/environments/$environment/policy',
  'POST /api/v1/environments/$environment/releases/$id/withdraw',
  'POST /api/v1/promotions',
  'POST /api/v1/nodes',
  'DELETE /api/v1/nodes/$node',
  'POST /api/v1/nodes/$node/report',
  'POST /api/v1/tokens',
  'POST /api/v1/keys',
  'DELETE /api/v1/tokens/$id',
  'POST /api/v1/uploads',
  'PATCH /api/v1/uploads/$id',
  'DELETE /api/v1/uploads/$id',
  'POST /git/$environment.git/git-upload-pack',
]

const HOSTILE = [
  ...[
    '..',
    '.',
    '%2e%2e',
    '%2E%2E%2F',
    '..%2f..',
    '%00',
    '%',
    '%zz',
    '%ff',
    '%c3%28',
    '%ed%a0%80',
    '%25',
    '%5c',
    '\\',
    ';',
    '@',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '-1',
    '0',
    '1e3',
    '0x1',
    '999999999999999',
    '9007199254740993',
  ],
  ...[
    '00000000000000000000000001',
    '%E2%80%AE',
    "'",
    '"',
    '`',
    '<script>',
    '$(id)',
    '{}',
    '*',
    '~',
    'a'.repeat(300),
  ],
  ...[
    '%20',
    '+',
    ':',
    '=',
    '&',
    '|',
    '^',
    '%0a',
    '%0d%0a',
    '.git',
    '.git%2fconfig',
    'staging',
    'production',
    '1',
    '2',
    'shop',
    '%F0%9F%92%A9',
  ],
]

/** Anything that can stand in the line of a request; what Node itself refuses there is for sockets to try. */
export const segment = fc.oneof(
  { arbitrary: fc.constantFrom(...HOSTILE), weight: 5 },
  fc.array(fc.constantFrom(...HOSTILE), { minLength: 2, maxLength: 4 }).map((all) => all.join('')),
  fc
    .uint8Array({ maxLength: 12 })
    .map((bytes) => Array.from(bytes, (byte) => String.fromCharCode(0x21 + (byte % 0x5e))).join('')),
  fc
    .uint8Array({ maxLength: 6 })
    .map((bytes) => Array.from(bytes, (byte) => `%${byte.toString(16)}`).join('')),
)

/** A route with values in its places: mostly such as are there, else hostile ones. */
export function filled(route: string, known: Known): fc.Arbitrary<string> {
  const places = route
    .split(/(\$\w+)/)
    .map((part) => (part.startsWith('$') ? valueFor(part, known) : fc.constant(part)))
  return fc.tuple(...places).map((parts) => parts.join(''))
}

function valueFor(place: string, { build, ids }: Known): fc.Arbitrary<string> {
  const { tarball } = build as { readonly tarball: Readonly<Record<string, string>> }
  const good: Readonly<Record<string, readonly string[]>> = {
    $app: ['shop'],
    $build: ['1', '2', '3'],
    $file: ['shop/readme', 'shop/data', 'shop/bin/run', 'shop/bin', 'shop'],
    $environment: ['staging', 'production'],
    $revision: ['1', '2', '4'],
    $digest: [String(tarball['sha512']), String(tarball['sha256'])],
    $id: ids,
    $node: ['web1'],
    $setup: ['hub/fetch', 'hub/hub-node.json', 'repos.conf/portage-hub.conf'],
    $tree: ['profiles/repo_name', 'profiles', 'metadata/layout.conf', 'app-hub/shop', 'profiles/package.use'],
    $distfile: [String(tarball['name']), `distfiles/${String(tarball['name'])}`],
  }
  const values = good[place] ?? []
  return fc.oneof({ arbitrary: fc.constantFrom(...values), weight: 3 }, { arbitrary: segment, weight: 2 })
}
