/**
 * Versions as Portage reads and orders them: `1.2.3b_rc1_p45-r2`.
 * Source: PMS "Version specifications" (grammar) and "Version comparison" (the seven algorithms).
 * Numbers may have any number of digits, so they are compared as text and never as JavaScript numbers.
 */
import { HubError } from '../errors.ts'

declare const parsed: unique symbol
declare const bare: unique symbol

/** Version with optional revision, as in PMS "Version specifications": `1.2.3_rc1-r2`. */
export type Pvr = string & { readonly [parsed]: 'Pvr' }

/** Version that has no revision: `1.2.3_rc1`. Every Pv is a Pvr too. */
export type Pv = Pvr & { readonly [bare]: true }

/** What a comparison says of its first argument: less, equal, greater. */
export type Order = -1 | 0 | 1

const MAX_CHARS = 512 // well above what fits in a file name; bounds the work that a caller's text can cause

const PV = '[0-9]+(?:\\.[0-9]+)*[a-z]?(?:_(?:alpha|beta|pre|rc|p)[0-9]*)*'
// `$` without the m flag matches only at the very end in JavaScript: unlike in Python, no newline can follow.
const PV_SHAPE = new RegExp(`^${PV}$`)
const PVR_SHAPE = new RegExp(`^${PV}(?:-r[0-9]+)?$`)
const SUFFIX_RANK: Readonly<Record<string, number>> = { alpha: -4, beta: -3, pre: -2, rc: -1, p: 1 }

/** Says whether a text is a version, with or without a revision. */
export function isPvr(text: string): text is Pvr {
  return text.length <= MAX_CHARS && PVR_SHAPE.test(text)
}

/**
 * Parses a version with optional revision. The text is kept as it is: `1.0-r0` stays `1.0-r0`.
 * @throws {HubError} `version.invalid` for anything else, or past 512 characters.
 */
export function parsePvr(text: string): Pvr {
  if (isPvr(text)) return text
  throw new HubError(
    'version.invalid',
    `${shown(text)} is not a Gentoo version; send one such as 1.4.0_rc2_p45-r1`,
  )
}

/**
 * Parses a version that must not have a revision.
 * @throws {HubError} `version.invalid` for anything else, or past 512 characters.
 */
export function parsePv(text: string): Pv {
  if (text.length <= MAX_CHARS && PV_SHAPE.test(text)) return text as Pv
  throw new HubError(
    'version.invalid',
    `${shown(text)} is not a Gentoo version without revision; send one such as 1.4.0_rc2_p45`,
  )
}

/** The version without its revision: `1.0-r2` gives `1.0`. */
export function pvOf(pvr: Pvr): Pv {
  return cutRevision(pvr).pv
}

/**
 * Takes a version apart; a missing revision is 0, so `1.0` and `1.0-r0` give the same.
 * @throws {HubError} `version.invalid` if the revision is past what a JavaScript number holds exactly.
 */
export function splitPvr(pvr: Pvr): { readonly pv: Pv; readonly revision: number } {
  const { pv, digits } = cutRevision(pvr)
  const revision = Number(digits)
  if (Number.isSafeInteger(revision)) return { pv, revision }
  throw new HubError('version.invalid', `the revision of ${shown(pvr)} is too large; send one below 2^53`)
}

/**
 * Adds a revision: 3 makes `1.0` into `1.0-r3`; 0 adds nothing, since `-r0` would be a second name for the same.
 * @throws {HubError} `version.invalid` if the revision is negative or no exact integer.
 */
export function withRevision(pv: Pv, revision: number): Pvr {
  if (!Number.isSafeInteger(revision) || revision < 0) {
    throw new HubError('version.invalid', `${revision} is not a revision; send an integer of 0 or more`)
  }
  return revision === 0 ? pv : parsePvr(`${pv}-r${revision}`)
}

/**
 * Orders two versions by the algorithms of PMS "Version comparison". Different texts may be equal (`1.0_rc` and
 * `1.0_rc0`), and such a pair must never stand in one package directory: test with this, not with `===`.
 */
export function comparePvr(a: Pvr, b: Pvr): Order {
  const left = takeApart(a)
  const right = takeApart(b)
  return (
    compareNumbers(left.numbers, right.numbers) ||
    compareText(left.letter, right.letter) ||
    compareSuffixes(left.suffixes, right.suffixes) ||
    compareIntegers(left.revision, right.revision)
  )
}

/** An outside value as a refusal may repeat it: quoted, escaped, at most about 100 characters. */
export function shown(value: string): string {
  return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value)
}

interface Parts {
  readonly numbers: readonly string[]
  readonly letter: string
  readonly suffixes: readonly Suffix[]
  readonly revision: string
}

interface Suffix {
  readonly rank: number
  readonly number: string
}

function cutRevision(pvr: Pvr): { pv: Pv; digits: string } {
  const hyphen = pvr.indexOf('-')
  if (hyphen === -1) return { pv: pvr as Pv, digits: '0' }
  return { pv: pvr.slice(0, hyphen) as Pv, digits: pvr.slice(hyphen + 2) }
}

function takeApart(pvr: Pvr): Parts {
  const { pv, digits } = cutRevision(pvr)
  const [main = '', ...suffixes] = pv.split('_')
  const letter = /[a-z]/.exec(main)?.[0] ?? ''
  const numbers = main.slice(0, main.length - letter.length).split('.')
  return { numbers, letter, suffixes: suffixes.map(takeSuffixApart), revision: digits }
}

function takeSuffixApart(suffix: string): Suffix {
  const word = /^[a-z]+/.exec(suffix)?.[0] ?? ''
  return { rank: SUFFIX_RANK[word] ?? 0, number: suffix.slice(word.length) }
}

function compareNumbers(a: readonly string[], b: readonly string[]): Order {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const order = i === 0 ? compareIntegers(a[i]!, b[i]!) : compareComponents(a[i]!, b[i]!)
    if (order !== 0) return order
  }
  return sign(a.length - b.length)
}

/** A component after the first: a decimal fraction if either has a leading zero, else an integer. */
function compareComponents(a: string, b: string): Order {
  if (!a.startsWith('0') && !b.startsWith('0')) return compareIntegers(a, b)
  return compareText(withoutTrailingZeros(a), withoutTrailingZeros(b))
}

function compareSuffixes(a: readonly Suffix[], b: readonly Suffix[]): Order {
  const longest = Math.max(a.length, b.length)
  for (let i = 0; i < longest; i++) {
    // Where one list has ended its rank is 0: below _p, above all the others.
    const order =
      sign((a[i]?.rank ?? 0) - (b[i]?.rank ?? 0)) || compareIntegers(a[i]?.number ?? '', b[i]?.number ?? '')
    if (order !== 0) return order
  }
  return 0
}

/** Integers of any length written in ASCII digits; the empty text is 0. */
function compareIntegers(a: string, b: string): Order {
  const left = withoutLeadingZeros(a)
  const right = withoutLeadingZeros(b)
  return sign(left.length - right.length) || compareText(left, right)
}

function compareText(a: string, b: string): Order {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function sign(difference: number): Order {
  if (difference === 0) return 0
  return difference < 0 ? -1 : 1
}

function withoutLeadingZeros(digits: string): string {
  let start = 0
  while (digits[start] === '0') start++
  return digits.slice(start)
}

// A loop, since /0+$/ takes quadratic time on a long run of zeros that ends in another digit.
function withoutTrailingZeros(digits: string): string {
  let end = digits.length
  while (digits[end - 1] === '0') end--
  return digits.slice(0, end)
}
