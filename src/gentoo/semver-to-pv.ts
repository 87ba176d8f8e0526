/**
 * From a semantic version and a CI build number to a Gentoo version: `1.4.0-rc.2` and build 45 give `1.4.0_rc2_p45`.
 * Source: semver.org 2.0.0 for what comes in, PMS "Version specifications" and "Version comparison" for what goes out.
 *
 * Every result is `MAJOR.MINOR.PATCH[_type[n]]_p<build>`, or `0_p<build>` for a build without a version. That fixed number
 * of fields is what makes the order right: by core, then type, then n, and by the build among equals. One more `_p` field
 * in some versions would be compared with the build number of others, so whatever would need one is refused.
 */
import { parse } from 'semver'
import { HubError } from '../errors.ts'
import { parsePv, shown } from './version.ts'
import type { Pv } from './version.ts'

/** Gentoo's names of what comes before a release, lowest first. */
export type PreReleaseType = 'alpha' | 'beta' | 'pre' | 'rc'

/** What an app makes of pre-release words that have no place in Gentoo's order, such as `dev` or `nightly`. */
export interface VersionPolicy {
  /** Words of this app, in lower case, and the type that each of them becomes. */
  readonly preReleaseWords: Readonly<Record<string, PreReleaseType>>
  /** `refuse` all other words, or take them below every numbered `alpha`; their own number is then not compared. */
  readonly otherWords: 'refuse' | 'alpha'
}

/** Refuses every word but alpha, beta, pre and rc and their short and long forms. */
export const DEFAULT_VERSION_POLICY: VersionPolicy = { preReleaseWords: {}, otherWords: 'refuse' }

/** A build's Gentoo version, and the canonical text of its semantic version with all that the former has to drop. */
export interface MappedVersion {
  readonly pv: Pv
  readonly semver: string | null
}

const KNOWN_WORDS: ReadonlyMap<string, PreReleaseType> = new Map([
  ['alpha', 'alpha'],
  ['a', 'alpha'],
  ['beta', 'beta'],
  ['b', 'beta'],
  ['pre', 'pre'],
  ['preview', 'pre'],
  ['rc', 'rc'],
  ['c', 'rc'],
])

const MAX_CHARS = 128 // with the longest name of an app, what comes of it still fits in a file name of 255
const CORE = '[0-9]+(?:\\.[0-9]+)*'
const SHAPE = new RegExp(
  `^v?(?<core>${CORE})(?:-(?<preRelease>[0-9A-Za-z.-]+))?(?:\\+(?<meta>[0-9A-Za-z.-]+))?$`,
)
// `1.4.0rc2`, `1.4.0_rc2`, `1.4.0.rc2`, `1.4.0-rc_2`: refused, but it is plain what was meant.
const LOOSE_SHAPE = new RegExp(
  `^v?(?<core>${CORE})[-._~]?(?<word>${[...KNOWN_WORDS.keys()].join('|')})[-._~]?(?<number>[0-9]*)$`,
  'i',
)
const WORD_SHAPE = /^(?<word>[A-Za-z]+(?:-[A-Za-z]+)*)(?:\.?(?<number>[0-9]+))?$/

/**
 * Gives the PV of a build. A leading `v` and leading zeros of the numbers are dropped, `1.4` is read as `1.4.0`; build
 * metadata (`+…`) stays in `semver` only. With no version (null) the PV is `0_p<build>`.
 * @param build the build number, 1 or more; unique and increasing per app, or equal versions would appear
 * @throws {HubError} `build.invalid_number`; `version.invalid` if the text is no version at all;
 *   `version.no_lossless_form` if it is one that Gentoo cannot express: `extra.nearest` is a version that would do
 */
export function pvFromSemver(
  semver: string | null,
  build: number,
  policy: VersionPolicy = DEFAULT_VERSION_POLICY,
): MappedVersion {
  if (!Number.isSafeInteger(build) || build < 1) {
    throw new HubError('build.invalid_number', `${build} is not a build number; send an integer of 1 or more`)
  }
  if (semver === null) return { pv: parsePv(`0_p${build}`), semver: null }
  const version = read(semver)
  return {
    pv: parsePv(`${version.core}${suffixOf(version, policy)}_p${build}`),
    semver: canonicalText(version),
  }
}

/**
 * The same of a version that has no build: `1.0.0-rc.2` is `1.0.0_rc2`.
 * @throws {HubError} `version.invalid`, `version.no_lossless_form`.
 */
export function pvOfRelease(semver: string): Pv {
  const version = read(semver)
  return parsePv(version.core + suffixOf(version, DEFAULT_VERSION_POLICY))
}

interface Version {
  readonly text: string
  /** Exactly three canonical integers. */
  readonly core: string
  /** What follows the hyphen, as it came but for leading zeros; empty for a release. */
  readonly preRelease: string
  readonly meta: string
}

function read(text: string): Version {
  const groups = text.length <= MAX_CHARS ? SHAPE.exec(text)?.groups : undefined
  if (groups === undefined) throw notAVersion(text)
  const { core = '', preRelease = '', meta = '' } = groups
  const version = { text, core: threeNumbers(core), preRelease: canonicalFields(preRelease), meta }
  // The package knows what the shape above does not say: no empty fields, no number past 2^53.
  if (parse(canonicalText(version)) === null) throw notAVersion(text)
  const count = core.split('.').length
  if (count === 1) throw noLosslessForm(version, 'has one number only')
  if (count > 3) throw noLosslessForm(version, 'has more than three numbers')
  return version
}

function notAVersion(text: string): HubError {
  const groups = text.length <= MAX_CHARS ? LOOSE_SHAPE.exec(text)?.groups : undefined
  const { core, word = '', number } = groups ?? {}
  const meant = core && { text, core: threeNumbers(core), preRelease: `${word}${number}`, meta: '' }
  if (meant && parse(meant.core) !== null) return noLosslessForm(meant, 'is not a semantic version')
  return new HubError(
    'version.invalid',
    `${shown(text)} is not a semantic version; send one such as 1.4.0 or 1.4.0-rc.2, of at most ${MAX_CHARS} ` +
      'characters and with numbers below 2^53',
  )
}

function threeNumbers(core: string): string {
  return [...core.split('.').map(withoutLeadingZeros), '0', '0'].slice(0, 3).join('.')
}

/** `rc.02` gives `rc.2`: semver allows no leading zeros in fields that are numbers. */
function canonicalFields(preRelease: string): string {
  const fields = preRelease.split('.')
  return fields.map((field) => (/^[0-9]+$/.test(field) ? withoutLeadingZeros(field) : field)).join('.')
}

function suffixOf(version: Version, policy: VersionPolicy): string {
  if (version.preRelease === '') return ''
  const { word, number = '' } = WORD_SHAPE.exec(version.preRelease)?.groups ?? {}
  if (word === undefined) throw noLosslessForm(version, faultOf(version.preRelease))
  const type = typeOf(word, policy)
  if (type !== undefined) return `_${type}${number && withoutLeadingZeros(number)}`
  if (policy.otherWords === 'alpha') return '_alpha'
  throw noLosslessForm(
    version,
    `has the pre-release word ${shown(word)}, which has no place in Gentoo's order`,
  )
}

function typeOf(word: string, policy?: VersionPolicy): PreReleaseType | undefined {
  const lower = word.toLowerCase()
  const known = KNOWN_WORDS.get(lower)
  if (known !== undefined || policy === undefined) return known
  return Object.hasOwn(policy.preReleaseWords, lower) ? policy.preReleaseWords[lower] : undefined
}

function faultOf(preRelease: string): string {
  if (/^[0-9]+$/.test(preRelease)) return 'has a pre-release that is only a number'
  if (preRelease.includes('.')) return 'has a pre-release of several fields'
  return 'has a pre-release that is not a word with a number'
}

/** What is kept of the version beside its PV: valid semver, with pre-release and metadata as they came. */
function canonicalText({ core, preRelease, meta }: Version): string {
  return core + (preRelease && `-${preRelease}`) + (meta && `+${meta}`)
}

/** Refuses with the version that is nearest of those that every policy takes. */
function noLosslessForm(version: Version, fault: string): HubError {
  const nearest = version.core + nearestPreRelease(version.preRelease)
  return new HubError(
    'version.no_lossless_form',
    `${shown(version.text)} ${fault}, so it has no lossless Gentoo form; ${nearest} would do`,
    { nearest },
  )
}

function nearestPreRelease(preRelease: string): string {
  if (preRelease === '') return ''
  const word = /^-*([A-Za-z]+)/.exec(preRelease)?.[1] ?? ''
  const number = /[0-9]+/.exec(preRelease)?.[0]
  const kept = typeOf(word) === undefined ? 'alpha' : word.toLowerCase()
  return `-${kept}${number === undefined ? '' : `.${withoutLeadingZeros(number)}`}`
}

function withoutLeadingZeros(digits: string): string {
  return digits.replace(/^0+(?=[0-9])/, '')
}
