/** Versions, names, atoms and the small files of an overlay: what is taken is written back as it came, and orders well. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { compare as compareSemver } from 'semver'
import {
  atomsOf,
  formatAtom,
  formatDependencies,
  parseAtom,
  parseDependencies,
} from '../../../src/gentoo/atom.ts'
import {
  formatCpv,
  parseAppName,
  parseCategory,
  parseCpv,
  parsePn,
  splitPf,
} from '../../../src/gentoo/cpv.ts'
import { contentHashPath, filenameHashPath, renderLayoutConf } from '../../../src/gentoo/layout-conf.ts'
import { checkDistfileName, parseManifest, renderManifest } from '../../../src/gentoo/manifest.ts'
import { parseMd5Cache } from '../../../src/gentoo/md5-cache.ts'
import { renderMetadataXml } from '../../../src/gentoo/metadata-xml.ts'
import * as profiles from '../../../src/gentoo/profiles.ts'
import { cleanText, hasHiddenCharacters, quoteShell } from '../../../src/gentoo/quote.ts'
import { pvFromSemver } from '../../../src/gentoo/semver-to-pv.ts'
import { comparePvr, parsePvr, pvOf, splitPvr, withRevision } from '../../../src/gentoo/version.ts'
import { flooded, mutatedText } from '../support/mutate.ts'
import { naiveCompare } from '../support/naive-versions.ts'
import { outcomeNow } from '../support/refusal.ts'
import { same, sameJson } from '../support/same.ts'
import { target } from '../support/target.ts'
import type { Target, Verdict } from '../support/target.ts'

const REQUEST = /^request\.invalid$/
const golden = (name: string): readonly string[][] =>
  readFileSync(new URL(`../../golden/${name}.tsv`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))
const firstOf = (name: string): readonly string[] => golden(name).map(([first = '']) => first)

const digits = fc.oneof(
  fc.constantFrom('0', '1', '00', '01', '10', '100', '9', '09', '90', '1234567890123456789012'),
  fc.nat(200).map(String),
)
const suffix = fc
  .tuple(fc.constantFrom('alpha', 'beta', 'pre', 'rc', 'p'), fc.option(digits, { nil: '' }))
  .map(([word, number]) => `_${word}${number}`)
const version = fc
  .tuple(
    fc.array(digits, { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', '', 'a', 'z'),
    fc.array(suffix, { maxLength: 3 }),
    fc.option(
      digits.map((number) => `-r${number}`),
      { nil: '' },
    ),
  )
  .map(([numbers, letter, suffixes, revision]) => numbers.join('.') + letter + suffixes.join('') + revision)
const versionText = fc.oneof(
  mutatedText(
    golden('vercmp').flatMap((row) => row.slice(0, 2)),
    ['.', '_p', '_', '-r', '-r0', 'a', '0', '\n', '_rc', '*'],
  ),
  flooded(['0', '.0', '_p', '_p0', '1', '.', '-r0'], 2000, [
    ['', ''],
    ['1.', '1'],
  ]),
)

const versions = target({
  name: 'versions',
  share: 60,
  cases: fc.oneof(fc.tuple(version, version, version), fc.tuple(versionText, version, version)),
  check: ([first, second, third]) => {
    const outcome = outcomeNow(/^version\.invalid$/, () => parsePvr(first))
    if (outcome.verdict === 'refused') return 'refused'
    const [a, b, c] = [outcome.value, parsePvr(second), parsePvr(third)]
    same(String(a), first, 'a version is kept as it came')
    same(comparePvr(a, a), 0, 'a version equals itself')
    for (const [left, right] of [
      [a, b],
      [b, c],
      [a, c],
    ] as const) {
      same(comparePvr(left, right), naiveCompare(left, right), `${left} and ${right}`)
      same(comparePvr(left, right) + comparePvr(right, left), 0, `${left} and ${right} turned round`)
    }
    if (comparePvr(a, b) <= 0 && comparePvr(b, c) <= 0 && comparePvr(a, c) > 0) throw new Error('no order')
    const split = outcomeNow(/^version\.invalid$/, () => splitPvr(a))
    if (split.verdict === 'accepted')
      same(
        comparePvr(withRevision(pvOf(a), split.value.revision), a),
        0,
        'a revision taken off and put on again',
      )
    return 'accepted'
  },
})

const core = fc.tuple(fc.nat(12), fc.nat(3), fc.nat(3)).map((numbers) => numbers.join('.'))
const semver = fc
  .tuple(
    core,
    fc.option(
      fc.tuple(
        fc.constantFrom('alpha', 'beta', 'rc', 'RC', 'pre', 'a', 'dev', 'rc-x'),
        fc.option(fc.nat(20)),
      ),
    ),
  )
  .map(([numbers, pre]) => numbers + (pre === null ? '' : `-${pre[0]}${pre[1] === null ? '' : `.${pre[1]}`}`))
const semverText = fc.oneof(
  semver,
  mutatedText(
    ['1.4.0', 'v1.4.0-rc.2', '1.4.0+build.5', '2.0.0-alpha.beta.1', '1.4'],
    ['-', '.', '+', 'rc', '0', '_', 'v', ' ', '99999999999999999999'],
  ),
  flooded(['0', '.0', '-', '.', '+', 'a', 'rc.', '9'], 400, [
    ['', ''],
    ['1.0.0-', ''],
    ['1.0.0+', ''],
  ]),
)

const semvers = target({
  name: 'semver',
  share: 30,
  cases: fc.tuple(semverText, semver, fc.integer({ min: -1, max: 2 ** 40 }), fc.integer({ min: 1, max: 60 })),
  check: ([text, other, build, otherBuild]) => {
    const codes = /^(?:version\.(?:invalid|no_lossless_form)|build\.invalid_number)$/
    const outcome = outcomeNow(codes, () => pvFromSemver(text, build))
    if (outcome.verdict === 'refused') return 'refused'
    const { pv, semver: canonical } = outcome.value
    sameJson(pvFromSemver(canonical, build), outcome.value)
    const second = outcomeNow(codes, () => pvFromSemver(other, otherBuild))
    if (second.verdict === 'refused' || canonical === null) return 'accepted'
    // Gentoo's words are ordered as semver orders them (alpha, beta, rc); only pre stands elsewhere, and case and short
    // forms are not compared.
    if (/pre|[A-Z]|-a\b/.test(canonical + other)) return 'accepted'
    const bySemver = compareSemver(canonical, second.value.semver ?? '')
    same(
      comparePvr(pv, second.value.pv),
      bySemver === 0 ? Math.sign(build - otherBuild) : bySemver,
      `${pv} and ${second.value.pv}`,
    )
    return 'accepted'
  },
})

const ATOM_PIECES = [
  '!',
  '!!',
  '>=',
  '<',
  '=',
  '~',
  '*',
  ':',
  ':0',
  ':=',
  ':*',
  '/',
  '[',
  ']',
  '[a,-b]',
  '(+)',
  '-1',
  '-r1',
  '?',
  ',',
  ' ',
  '::x',
]
const atoms = target({
  name: 'atoms',
  share: 40,
  cases: fc.oneof(
    { arbitrary: mutatedText(firstOf('atoms'), ATOM_PIECES), weight: 5 },
    flooded(['a', '/', '-1', '[', 'a,', '-', ':', '!', '0'], 5000, [
      ['', ''],
      ['a/b[', ']'],
      ['=a/b-', ''],
    ]),
  ),
  check: (text) => {
    const outcome = outcomeNow(REQUEST, () => parseAtom(text))
    if (outcome.verdict === 'accepted') sameJson(parseAtom(formatAtom(outcome.value)), outcome.value)
    return outcome.verdict
  },
})

const dependency = fc.letrec<{ all: string; item: string }>((tie) => ({
  item: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(
      'a/b',
      '>=dev-db/postgresql-16:*',
      'a/b[ssl,-test(+)]',
      '!!x/y',
      'a/b:=',
      'ssl?',
      '||',
      '(',
      ')',
      '^^',
      'a/b-1',
    ),
    tie('all').map((inner) => `( ${inner} )`),
    tie('all').map((inner) => `|| ( ${inner} )`),
    tie('all').map((inner) => `!ssl? ( ${inner} )`),
  ),
  all: fc.array(tie('item'), { minLength: 1, maxLength: 3 }).map((items) => items.join(' ')),
})).all
const dependencies = target({
  name: 'dependencies',
  share: 30,
  cases: fc.oneof(
    { arbitrary: dependency, weight: 5 },
    flooded(['( ', ') ', '|| ', 'a? ', 'a/b ', '|| ( ', ' '], 40_000, [
      ['', ''],
      ['a/b ', ' a/b'],
    ]),
  ),
  check: (text) => {
    const outcome = outcomeNow(REQUEST, () => parseDependencies(text))
    if (outcome.verdict === 'refused') return 'refused'
    sameJson(parseDependencies(formatDependencies(outcome.value)), outcome.value)
    atomsOf(outcome.value)
    return 'accepted'
  },
})

const NAME_PIECES = ['-', '/', '-1', '-r1', '_', '.', '+', ' ', '\n', '..', '-1.0_p1', 'A']
const anyName = fc.oneof(
  mutatedText([...firstOf('names'), ...firstOf('cpvs'), 'hub-shop-1.tar.gz', 'staging'], NAME_PIECES),
  flooded(['a', '-', '-1', '/', '-r1', '.', '+'], 3000),
)
const PARSERS: readonly (readonly [RegExp, (text: string) => unknown])[] = [
  [REQUEST, (text) => same(formatCpv(parseCpv(text)), text, 'a CPV is written as it came')],
  [REQUEST, parseCategory],
  [REQUEST, parsePn],
  [/^app\.invalid_name$/, (text) => parsePn(parseAppName(text))],
  [REQUEST, checkDistfileName],
  [REQUEST, filenameHashPath],
  [REQUEST, contentHashPath],
  [REQUEST, profiles.renderRepoName],
  [REQUEST, (text) => renderLayoutConf({ masters: [text] })],
  [REQUEST, (text) => profiles.renderCategories([text])],
  [REQUEST, (text) => profiles.renderLicenseGroups([text])],
  [
    REQUEST,
    (text) => profiles.renderThirdpartymirrors({ mirrorName: text, urls: [`https://a.example/${text}`] }),
  ],
  [REQUEST, (text) => profiles.renderPackageMask([{ atom: text, reason: text, by: text, date: text }])],
  [/^ebuild\.unsafe$/, quoteShell],
]
const names = target({
  name: 'names',
  share: 30,
  cases: anyName,
  check: (text) => {
    const split = splitPf(text)
    if (split) same(`${split.pn}-${split.pvr}`, text, 'the parts of a PF')
    const verdicts = PARSERS.map(([codes, parse]) => outcomeNow(codes, () => parse(text)).verdict)
    return verdicts.slice(0, -1).includes('accepted') ? 'accepted' : 'refused'
  },
})

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  mutatedText(
    ['A shop', '-n x', '-e', 'x -y'],
    [' ', '-', '\u0344', '\u200d', '\u2028', '\ufeff', '\r\n', '\u{e0041}'],
  ),
  flooded(['\u0301', '\u0327', '-', '-a ', ' ', '\u0344', '\u200b', 'a', '\ud800', '\n'], 100_000),
)
const texts = target({
  name: 'texts',
  share: 25,
  cases: fc.tuple(text, fc.constantFrom(1, 20, 80, 4000)),
  check: ([free, most]) => {
    const clean = cleanText(free, most)
    same(cleanText(clean, most), clean, 'clean text stays as it is')
    if (Array.from(clean).length > most || /[\n\r]|^ | $|^-/.test(clean))
      throw new Error(JSON.stringify(clean))
    if (hasHiddenCharacters(clean.replace(/[\u200c\u200d]/g, '')))
      throw new Error(`hidden: ${JSON.stringify(clean)}`)
    renderMetadataXml({ maintainer: { email: free, name: free }, longdescription: free })
    return clean === '' ? 'refused' : 'accepted'
  },
})

const hex = 'ab'.repeat(64)
const MANIFEST = `DIST a.tar.gz 5 BLAKE2B ${hex} SHA512 ${hex}\nDIST b-1_p2.tar 17 BLAKE2B ${hex} SHA512 ${hex}\n`
const manifest = mutatedText(
  [MANIFEST, ''],
  ['DIST', ' ', '\n', '0', '9'.repeat(20), 'EBUILD', hex, 'A', '\t', '-', MANIFEST],
)
const CACHE =
  'DEFINED_PHASES=install unpack\nDESCRIPTION=A shop\nEAPI=8\nSLOT=0\n_md5_=0123456789abcdef0123456789abcdef\n'
const cache = mutatedText([CACHE, 'A=\n'], ['=', '\n', 'EAPI', ' ', '\r', CACHE])
const files = target({
  name: 'overlay-files',
  share: 23,
  cases: fc.tuple(
    fc.oneof(manifest, flooded(['DIST ', '0', '\n', MANIFEST], 50_000)),
    fc.oneof(cache, flooded(['=', 'a=\n', '\n', 'a'], 50_000)),
  ),
  check: ([manifestText, cacheText]): Verdict => {
    const parsed = outcomeNow(REQUEST, () => parseManifest(manifestText))
    // The order of the lines is the only thing that may differ.
    if (parsed.verdict === 'accepted')
      sameJson(
        parseManifest(renderManifest(parsed.value)),
        parsed.value.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      )
    const entry = outcomeNow(REQUEST, () => parseMd5Cache(cacheText))
    if (entry.verdict === 'accepted') {
      const written = [...entry.value].map(([key, value]) => `${key}=${value}\n`).join('')
      same(written, cacheText, 'an md5-cache entry')
    }
    return parsed.verdict
  },
})

export const GENTOO_TARGETS: readonly Target[] = [versions, semvers, atoms, dependencies, names, texts, files]
