import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkEbuild, renderEbuild } from '../../src/gentoo/ebuild.ts'
import { parseMd5Cache, renderMd5Cache } from '../../src/gentoo/md5-cache.ts'
import { goldenModel, goldenPf } from '../support/golden-ebuilds.ts'
import { sourceEbuilds } from '../support/source-ebuilds.ts'

const GOLDEN = join(import.meta.dirname, '../golden/ebuilds')
const FEATURES = readdirSync(GOLDEN).filter((name) => name !== 'README.md')
const UNSAFE = expect.objectContaining({ code: 'ebuild.unsafe' })

function golden(feature: string, file: string): string {
  return readFileSync(join(GOLDEN, feature, file), 'utf8')
}

const full = golden('all-features', `${goldenPf('all-features')}.ebuild`)

describe.each(FEATURES)('the ebuild of %s', (feature) => {
  const model = goldenModel(feature, golden(feature, 'recipe.yaml'))
  const ebuild = golden(feature, `${goldenPf(feature)}.ebuild`)

  test('is the one that the client installed', () => {
    expect(renderEbuild(model)).toBe(ebuild)
  })

  test('has the md5-cache that egencache wrote', () => {
    expect(renderMd5Cache(model, ebuild)).toBe(golden(feature, 'md5-cache'))
  })

  test('gives bash what the md5-cache says', () => {
    const [sourced] = sourceEbuilds([ebuild], '/nonexistent/canary')
    const { DEFINED_PHASES, _md5_, ...cached } = Object.fromEntries(
      parseMd5Cache(golden(feature, 'md5-cache')),
    )
    const { S: _s, QA_PREBUILT: _qa, ...echoed } = sourced!.echoed
    expect(Object.fromEntries(Object.entries(echoed).filter(([, value]) => value !== ''))).toEqual(cached)
    const phases = sourced!.functions.map((name) => name.slice('src_'.length)).toSorted()
    expect(phases.join(' ')).toBe(DEFINED_PHASES)
  })
})

test('the phases of an ebuild with everything call what the recipe asks for, in order', () => {
  const [sourced] = sourceEbuilds([full], '/nonexistent/canary')
  const calls = sourced!.calls.map((call) => call.join(' '))
  expect(calls).toEqual(
    expect.arrayContaining([
      'tar -x -p -o -z -f /dist dir/hub-all-features-6.1.0_rc2_p45.tar.gz -C /work dir/tree',
      'cp -pPR /work dir/tree/package/. /image dir/opt/shop/',
      'fowners root:shop /etc/shop/shop.toml',
      'newenvd - 99all-features CONFIG_PROTECT="/opt/shop/conf/live.toml"',
      'dosym -r /opt/shop/bin/shop /usr/bin/shop',
      'fowners shop:shop /var/lib/shop',
      'keepdir /opt/a b',
    ]),
  )
  expect(calls.indexOf('pkg_setup')).toBeLessThan(calls.indexOf('src_unpack'))
})

test('an ebuild with anything appended to one of its lines is refused', () => {
  for (const [index, line] of full.slice(0, -1).split('\n').entries()) {
    for (const more of ['$(id)', ';', '`id`', "'", '"', ' # x', '\\', ' ', '\r', '\u202e', '; id', '\0']) {
      const lines = full.split('\n').with(index, line + more)
      expect(() => checkEbuild(lines.join('\n')), lines[index]).toThrow(UNSAFE)
    }
  }
})

test('an ebuild with a line too many is refused, by its number', () => {
  const lines = full.split('\n')
  for (const index of lines.keys()) {
    for (const extra of [
      'id',
      '\tid',
      '',
      'IUSE=x',
      'inherit evil',
      'EAPI=8',
      '}',
      "\tcp -pPR /etc/shadow '/x'",
      '# comment',
    ]) {
      expect(() => checkEbuild(lines.toSpliced(index, 0, extra).join('\n'))).toThrow(UNSAFE)
    }
  }
  expect(() => checkEbuild(lines.toSpliced(3, 0, 'id').join('\n'))).toThrow(
    'line 4 of the ebuild is not of the known form: "id"',
  )
})

test('an ebuild that lacks a line it needs is refused', () => {
  const lines = full.slice(0, -1).split('\n')
  const mayBeMissing =
    /^(?:# portage-hub: |(HOMEPAGE|RDEPEND|BDEPEND)=)|^\t(fperms|fowners|insinto|newins|newinitd|dosym|keepdir|printf|HOME=)/
  for (const [index, line] of lines.entries()) {
    if (mayBeMissing.test(line)) continue
    expect(() => checkEbuild(`${lines.toSpliced(index, 1).join('\n')}\n`), line).toThrow(UNSAFE)
  }
  for (const text of ['', '\n', 'EAPI=8\n', full.slice(0, -1), full.slice(0, 300)])
    expect(() => checkEbuild(text)).toThrow(UNSAFE)
})

test('a value that breaks its grammar never leaves the renderer', () => {
  const model = goldenModel('defaults', '{}')
  for (const change of [
    { prefix: '/opt/$(id)' },
    { prefix: '/opt/../etc' },
    { executables: ['/opt/x y'] },
    { slot: "0'" },
    { homepage: 'https://a/$(id)' },
    { homepage: "https://a/'" },
    { keywords: [] },
    { licenses: ['a b;c'] },
    { description: '\u200b' },
    { topDirectory: '..' },
    { topDirectory: 'a/b' },
    { topDirectory: "'/../x" },
    { topDirectory: 'a\u202eb' },
    { user: { name: 'x;id', home: null } },
    { symlinks: [{ from: '-s', to: '/x' }] },
    { keepdirs: [{ path: '/x', mode: '4755' }] },
    { backup: { commands: ['a\0b'], timeoutSec: 1 } },
    { backup: { commands: ['a\u202eb'], timeoutSec: 1 } },
    { backup: { commands: ['a'], timeoutSec: -1 } },
    { runtimeDepends: ["a/b'"] },
    { source: { ...model.source, distfileName: '../x' } },
  ]) {
    expect(() => renderEbuild({ ...model, ...change }), JSON.stringify(change)).toThrow(HAS_CODE)
  }
})

const HAS_CODE = expect.objectContaining({ code: 'ebuild.unsafe' })

test('nothing that is shown in the comment can end it', () => {
  const origin = { build: 45, version: '1\n2', commit: 'abc\nEAPI=7\r' }
  expect(
    renderEbuild({ ...goldenModel('defaults', '{}'), origin })
      .split('\n')
      .slice(0, 2),
  ).toEqual([
    '# Generated by Portage Hub from defaults build 45 (version 1 2, commit abc EAPI=7). Do not edit.',
    'EAPI=8',
  ])
})
