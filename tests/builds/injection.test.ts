import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test, vi } from 'vitest'
import { ebuildModel } from '../../src/builds/ebuild-from-recipe.ts'
import type { EbuildSource } from '../../src/builds/ebuild-from-recipe.ts'
import { parseRecipe, recipeFromJson } from '../../src/builds/recipe.ts'
import { HubError } from '../../src/errors.ts'
import { parseAppName, parseCategory } from '../../src/gentoo/cpv.ts'
import { checkEbuild, renderEbuild } from '../../src/gentoo/ebuild.ts'
import type { EbuildModel } from '../../src/gentoo/ebuild.ts'
import { parseMd5Cache, renderMd5Cache } from '../../src/gentoo/md5-cache.ts'
import { parsePv } from '../../src/gentoo/version.ts'
import { EVERYTHING, leafPaths, withValueAt } from '../support/everything-recipe.ts'
import { injectionCorpus } from '../support/injection-corpus.ts'
import { sourceEbuilds } from '../support/source-ebuilds.ts'
import type { Sourced } from '../support/source-ebuilds.ts'

const CANARY = join(tmpdir(), `portage-hub-canary-${process.pid}`)
const CORPUS = injectionCorpus(CANARY)
const CACHE_KEYS = [
  'BDEPEND', 'DEFINED_PHASES', 'DESCRIPTION', 'EAPI', 'HOMEPAGE', 'KEYWORDS', 'LICENSE', 'RDEPEND', 'RESTRICT', 'SLOT', 'SRC_URI', '_md5_',
] // prettier-ignore

interface Carried {
  readonly what: string
  readonly model: EbuildModel
  readonly ebuild: string
  readonly cache: string
}

function build(what: string, recipe: unknown, change: Partial<EbuildSource> = {}): Carried {
  const model = ebuildModel({
    recipe: recipeFromJson(JSON.stringify(recipe)),
    category: parseCategory('app-acme'),
    pn: parseAppName('shop'),
    pv: parsePv('6.1.0_rc2_p45'),
    semver: '6.1.0-rc.2',
    build: 45,
    commit: 'c0ffee',
    distfileName: 'hub-shop-6.1.0_rc2_p45.tar.zst',
    mirrorName: 'hub',
    contents: { format: 'tar.zst', topDirectory: 'package' },
    defaultKeywords: ['amd64'],
    ...change,
  })
  const ebuild = renderEbuild(model)
  return { what, model, ebuild, cache: renderMd5Cache(model, ebuild) }
}

/** The outcome, or null if it was refused; anything but a refusal fails the test. */
function carriedOrRefused(what: string, make: () => Carried): Carried | null {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof HubError))
      throw new Error(`${what} is neither refused nor carried`, { cause: error })
    return null
  }
}

function names({ calls }: Sourced): readonly (string | undefined)[] {
  return calls.map(([name]) => name)
}

function expectInert(all: readonly Carried[]): void {
  const plain = build('plain', EVERYTHING)
  // Much of a recipe is stored only: many hostile recipes have the same ebuild.
  const distinct = [...new Map([plain, ...all].map((one) => [one.ebuild, one])).values()]
  const sourced = sourceEbuilds(
    distinct.map(({ ebuild }) => ebuild),
    CANARY,
  )
  const [usual] = sourced
  expect(sourced).toHaveLength(distinct.length)
  for (const [index, { what, model, cache }] of distinct.entries()) {
    const one = sourced[index]!
    expect(names(one), what).toEqual(names(usual!))
    expect(one.calls.flat(), what).not.toContain('UNKNOWN')
    expectSameMetadata(one, cache, what)
    const commands = one.calls.filter(([name]) => name === 'timeout').map((call) => call.at(-1))
    expect(commands, what).toEqual(model.backup?.commands)
  }
}

function expectSameMetadata(one: Sourced, cache: string, what: string): void {
  const { DEFINED_PHASES, _md5_, ...cached } = Object.fromEntries(parseMd5Cache(cache))
  expect([...parseMd5Cache(cache).keys()], what).toEqual(CACHE_KEYS)
  const { S: _s, QA_PREBUILT: _qa, ...echoed } = one.echoed
  expect(Object.fromEntries(Object.entries(echoed).filter(([, value]) => value !== '')), what).toEqual(cached)
  const phases = one.functions.map((name) => name.slice('src_'.length)).toSorted()
  expect(DEFINED_PHASES, what).toBe(phases.join(' '))
  expect(_md5_).toMatch(/^[0-9a-f]{32}$/)
}

// Thousands of shells are started: how fast a machine does that is not what is judged.
vi.setConfig({ testTimeout: 600_000 })
afterAll(() => vi.resetConfig())

test('the sourcing of these tests notices what it must', () => {
  const { ebuild } = build('plain', EVERYTHING)
  const [usual] = sourceEbuilds([ebuild], CANARY)
  expect(names(usual!)).toEqual(
    expect.arrayContaining(['tar', 'cp', 'newins', 'newenvd', 'dosym', 'keepdir', 'timeout', 'useradd']),
  )
  for (const evil of [`touch ${CANARY}`, `: > ${CANARY}`, `DESCRIPTION=$(touch ${CANARY})`, 'a b)']) {
    expect(() => sourceEbuilds([`${ebuild}${evil}\n`], CANARY), evil).toThrow()
    rmSync(CANARY, { force: true })
  }
  const [other] = sourceEbuilds([`${ebuild}curl evil.example\n`], CANARY)
  expect(other?.calls[0]).toEqual(['UNKNOWN', 'curl', 'evil.example'])
})

test('every text of the corpus in every value of a recipe is refused or inert', () => {
  const carried = leafPaths().flatMap((path) =>
    CORPUS.flatMap((text) => {
      const what = `${path.join('.')} = ${JSON.stringify(text).slice(0, 80)}`
      return carriedOrRefused(what, () => build(what, withValueAt(path, text))) ?? []
    }),
  )
  expect(carried.length).toBeGreaterThan(300)
  expectInert(carried)
})

test('a recipe is refused alike as YAML and as JSON, and reads the same', () => {
  for (const path of [['description'], ['install', 'prefix'], ['backup', 'commands', 0]]) {
    for (const text of CORPUS) {
      const json = JSON.stringify(withValueAt(path, text))
      const read = (parse: (text: string) => unknown): unknown => {
        try {
          return parse(json)
        } catch (error) {
          return (error as HubError).message
        }
      }
      expect(read(parseRecipe)).toEqual(read(recipeFromJson))
    }
  }
})

test('a value that is no text is refused in every place, and so is a key of the corpus', () => {
  for (const path of leafPaths()) {
    for (const value of [null, {}, [], { a: 1 }, -1, 1.5]) {
      expect(() => recipeFromJson(JSON.stringify(withValueAt(path, value))), path.join('.')).toThrow(HubError)
    }
  }
  for (const key of CORPUS) {
    for (const recipe of [
      { [key]: 'x' },
      { install: { [key]: 'x' } },
      { backup: { commands: ['x'], [key]: 'x' } },
    ]) {
      expect(() => recipeFromJson(JSON.stringify(recipe))).toThrow(HubError)
    }
  }
})

test('every text of the corpus in what comes beside the recipe is refused or inert', () => {
  const carried = CORPUS.flatMap((text) => {
    const changes: readonly (readonly [string, Partial<EbuildSource>])[] = [
      ['commit', { commit: text }],
      ['semver', { semver: text }],
      ['distfileName', { distfileName: text }],
      ['mirrorName', { mirrorName: text }],
      ['topDirectory', { contents: { format: 'tar.zst', topDirectory: text } }],
      ['defaultKeywords', { defaultKeywords: [text] }],
      ['pn', { pn: text as never }],
    ]
    const recipe = { ...EVERYTHING, keywords: undefined }
    return changes.flatMap(([name, change]) => {
      const what = `${name} = ${JSON.stringify(text).slice(0, 80)}`
      return carriedOrRefused(what, () => build(what, recipe, change)) ?? []
    })
  })
  expect(carried.length).toBeGreaterThan(200)
  expectInert(carried)
})

test('a top folder of any visible name is the S of the ebuild, to the letter', () => {
  const names = [
    "My 'App' $(id)",
    "'",
    "''",
    'a\\',
    "\\'",
    '-n',
    '~',
    '*',
    '"',
    ' ',
    'é',
    '..a',
    '$HOME',
    '`id`',
    '!x',
    '#',
  ]
  const all = names.map((topDirectory) =>
    build(topDirectory, EVERYTHING, { contents: { format: 'tar', topDirectory } }),
  )
  const sourced = sourceEbuilds(
    all.map(({ ebuild }) => ebuild),
    CANARY,
  )
  expect(sourced.map(({ variables }) => variables['S'])).toEqual(
    names.map((name) => `/work dir/tree/${name}`),
  )
})

const hostile = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...CORPUS) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  {
    weight: 3,
    arbitrary: fc.string({
      unit: fc.constantFrom(...Array.from('\'"\\$`(){};&|<> \n\t#!*?~[]=-%a/.')),
      maxLength: 40,
    }),
  },
)

test('a recipe made of hostile texts is refused, or its ebuild passes the check and is inert', () => {
  const carried: Carried[] = []
  const free = leafPaths().filter((path) =>
    /description|commands|command|probe|executables|from|to|runtime/.test(path.join('.')),
  )
  const changes = fc.array(fc.tuple(fc.constantFrom(...leafPaths(), ...free, ...free), hostile), {
    minLength: 1,
    maxLength: 3,
  })
  fc.assert(
    fc.property(changes, (all) => {
      const recipe = all.reduce<unknown>((whole, [path, text]) => withValueAt(path, text, whole), EVERYTHING)
      const one = carriedOrRefused(JSON.stringify(all), () => build(JSON.stringify(all), recipe))
      if (one !== null) carried.push(one)
    }),
    { numRuns: 3000 },
  )
  expect(carried.length).toBeGreaterThan(100)
  expectInert(carried)
})

test('an ebuild with one change anywhere is refused, or still does nothing else', () => {
  const { ebuild, model } = build('plain', EVERYTHING)
  const accepted: string[] = []
  const insertion = fc.constantFrom(
    ...Array.from('\'"\\$`(){};&|<> \n\t#!*?~[]=-%a/.\r'), `$(touch ${CANARY})`, `\`touch ${CANARY}\``, `'; touch ${CANARY}; '`, `\ntouch ${CANARY}\n`, `"$(touch ${CANARY})"`,
  ) // prettier-ignore
  fc.assert(
    fc.property(fc.nat(ebuild.length), fc.nat(3), insertion, (at, cut, inserted) => {
      const text = ebuild.slice(0, at) + inserted + ebuild.slice(at + cut)
      try {
        checkEbuild(text)
        accepted.push(text)
      } catch (error) {
        expect(error).toBeInstanceOf(HubError)
      }
    }),
    { numRuns: 5000 },
  )
  const usual = names(sourceEbuilds([ebuild], CANARY)[0]!)
  expect(model.backup?.commands).toHaveLength(2)
  for (const one of sourceEbuilds(accepted, CANARY)) {
    const known = new Set(usual)
    expect(names(one).filter((name) => !known.has(name))).toEqual([])
  }
})
