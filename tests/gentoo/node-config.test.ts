import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import {
  renderBinreposConf,
  renderFetchProgram,
  renderMakeConf,
  renderMirrors,
  renderReposConf,
} from '../../src/gentoo/node-config.ts'

const HUB = 'https://hub.example:8443/sub'

test('repos.conf checks signatures with the hub’s keys alone, and keeps git from following or asking anybody', () => {
  expect(renderReposConf({ name: 'hub-staging', syncUri: `${HUB}/git/staging.git` })).toBe(
    `# portage-hub begin
[hub-staging]
location = /var/db/repos/hub-staging
sync-type = git
sync-uri = ${HUB}/git/staging.git
auto-sync = yes
volatile = no
priority = 50
sync-git-env = HOME=/etc/portage/hub GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http.followRedirects GIT_CONFIG_VALUE_0=false
sync-git-clone-extra-opts = --config gpg.program=/etc/portage/hub/gpg
sync-git-verify-commit-signature = true
# portage-hub end
`,
  )
})

test('binrepos.conf takes signed packages of the hub’s categories only', () => {
  const text = renderBinreposConf({ name: 'portage-hub', syncUri: HUB, categories: ['app-acme', 'app-b'] })
  expect(text).toContain('verify-signature = true\n')
  expect(text).toContain('getbinpkg-include = app-acme/* app-b/*\n')
  expect(text).toContain('fetchcommand = /etc/portage/hub/fetch "${URI}" "${DISTDIR}/${FILE}"\n')
  expect(() => renderBinreposConf({ name: 'x', syncUri: HUB, categories: [] })).toThrow(/of no category/)
})

test('a percent sign of an address is doubled: configparser would take it for the beginning of a name', () => {
  expect(renderReposConf({ name: 'a', syncUri: 'https://h/%20x' })).toContain('sync-uri = https://h/%%20x\n')
})

test('mirrors and make.conf send the hub’s own scheme to its program, and leave every other one', () => {
  expect(renderMirrors({ mirrorName: 'hub', path: 'distfiles/staging' })).toBe(
    '# portage-hub begin\nhub portagehub://distfiles/staging\n# portage-hub end\n',
  )
  const names = Array.from(renderMakeConf().matchAll(/^(\w+)=/gm), ([, name]) => name)
  expect(names).toEqual([
    'FEATURES',
    'QUICKPKG_DEFAULT_OPTS',
    'FETCHCOMMAND_PORTAGEHUB',
    'RESUMECOMMAND_PORTAGEHUB',
  ])
})

const HOSTILE = [
  'https://h/x\n[gentoo]',
  'https://h/ x',
  "https://h/'; id; '",
  'https://h/$(id)',
  'https://h/`id`',
  'https://h/"x',
  'https://h/\\x',
  'ftp://h/x',
  'file:///etc',
  'https://user:secret@h/x',
  '',
]

describe.each(HOSTILE)('the address %j', (address) => {
  test('stands nowhere', () => {
    for (const render of [
      () => renderReposConf({ name: 'a', syncUri: address }),
      () => renderBinreposConf({ name: 'a', syncUri: address, categories: ['app-a'] }),
      () => renderFetchProgram(address),
    ])
      expect(render).toThrow(/no address of a hub/)
  })
})

test.each(['a]\n[b', 'a b', '', '-a', 'a/b', '%(x)s'])('the name %j stands nowhere', (name) => {
  expect(() => renderReposConf({ name, syncUri: HUB })).toThrow(/no name that Portage takes/)
  expect(() => renderMirrors({ mirrorName: name, path: 'x' })).toThrow(/no name that Portage takes/)
})

describe('the program that fetches', () => {
  /** Runs it with a wget that says how it was called. */
  function fetch(...args: readonly string[]): { readonly status: number | null; readonly said: string } {
    const script = `wget() { echo "HOME=$HOME wget $*"; }\n${renderFetchProgram(HUB)}`
    const { status, stdout, stderr } = spawnSync('sh', ['-c', script, 'fetch', ...args], { encoding: 'utf8' })
    return { status, said: stdout + stderr }
  }
  const WGET = 'HOME=/etc/portage/hub wget --max-redirect=0 --no-hsts'

  test.each([
    [
      'portagehub://distfiles/staging/a.tar',
      [],
      `${WGET} -t 3 -T 60 -O /tmp/f ${HUB}/distfiles/staging/a.tar`,
    ],
    [`${HUB}/binhost/a`, ['resume'], `${WGET} -t 3 -T 60 -c -O /tmp/f ${HUB}/binhost/a`],
    [`${HUB}/b/Packages.gz`, [], `${WGET} -nv -t 1 -T 10 -O /tmp/f ${HUB}/b/Packages.gz`],
  ])('asks the hub for %s', (uri, more, said) => {
    expect(fetch(uri, '/tmp/f', ...more)).toEqual({ status: 0, said: `${said}\n` })
  })

  test.each([
    'https://evil.example/x',
    'https://hub.example/x',
    `${HUB}.evil.example/x`,
    `${HUB}x`,
    'http://hub.example:8443/sub/x',
    'portagehub:x',
    '-i/etc/passwd',
  ])('asks nobody for %s', (uri) => {
    const { status, said } = fetch(uri, '/tmp/f')
    expect(status).toBe(1)
    expect(said).toBe(`hub/fetch: ${uri} is not an address of ${HUB}\n`)
  })
})
