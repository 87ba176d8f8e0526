/**
 * Names of packages: category, package name (PN), and both with a version (CPV), `app-acme/shop-web-1.4.0_p45-r1`.
 * Source: PMS "Names"; the stricter rule for the names of apps is the hub's own.
 */
import { HubError } from '../errors.ts'
import { isPvr, shown } from './version.ts'
import type { Pvr } from './version.ts'

declare const parsed: unique symbol

/** Category name, as in PMS "Category names": `app-acme`. */
export type Category = string & { readonly [parsed]: 'Category' }

/** Package name, as in PMS "Package names": `shop-web`. It never ends in something that looks like a version. */
export type Pn = string & { readonly [parsed]: 'Pn' }

/** One version of one package. */
export interface Cpv {
  readonly category: Category
  readonly pn: Pn
  readonly pvr: Pvr
}

const MAX_NAME_CHARS = 255 // a name is a directory: no file system of a node takes a longer one
const MAX_APP_NAME_CHARS = 64

const CATEGORY_SHAPE = /^[A-Za-z0-9_][A-Za-z0-9+_.-]*$/
const PN_SHAPE = /^[A-Za-z0-9_][A-Za-z0-9+_-]*$/
// Every part starts with a letter, so no app name can end in a version, which starts with a digit.
const APP_NAME_SHAPE = /^[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*$/

/**
 * Parses a category name.
 * @throws {HubError} `request.invalid`
 */
export function parseCategory(text: string): Category {
  if (text.length <= MAX_NAME_CHARS && CATEGORY_SHAPE.test(text)) return text as Category
  throw new HubError('request.invalid', `${shown(text)} is not a category; send one such as app-acme`)
}

/**
 * Parses a package name by PMS, which is wider than the rule for apps: `9lives` and `foo-r1` are names, `api-2` is not.
 * @throws {HubError} `request.invalid`
 */
export function parsePn(text: string): Pn {
  if (text.length > MAX_NAME_CHARS || !PN_SHAPE.test(text)) {
    throw new HubError('request.invalid', `${shown(text)} is not a package name; send one such as shop-web`)
  }
  if (splitPf(text) !== undefined) {
    throw new HubError(
      'request.invalid',
      `the package name ${shown(text)} ends in what Portage would read as a version; send one such as api-v2`,
    )
  }
  return text as Pn
}

/**
 * Parses the name of an app: lower-case letters and digits in parts joined by single hyphens, each part starting with
 * a letter, at most 64 characters. Every such name is a valid PN.
 * @throws {HubError} `app.invalid_name`
 */
export function parseAppName(text: string): Pn {
  if (text.length <= MAX_APP_NAME_CHARS && APP_NAME_SHAPE.test(text)) return text as Pn
  throw new HubError(
    'app.invalid_name',
    `${shown(text)} is not a name for an app: send at most ${MAX_APP_NAME_CHARS} lower-case letters and digits, in ` +
      'parts joined by single hyphens, each part starting with a letter, such as shop-web',
  )
}

/**
 * Parses `category/pn-pvr`. The version is the last part that is one, so `a/b-c-1.0-r1` is `b-c`, version `1.0-r1`.
 * @throws {HubError} `request.invalid` if any part is missing or not of its form.
 */
export function parseCpv(text: string): Cpv {
  const slash = text.indexOf('/')
  const pf = slash === -1 ? undefined : splitPf(text.slice(slash + 1))
  if (pf === undefined) {
    throw new HubError(
      'request.invalid',
      `${shown(text)} is not a package with its version; send one such as app-acme/shop-web-1.4.0_p45`,
    )
  }
  return { category: parseCategory(text.slice(0, slash)), pn: parsePn(pf.pn), pvr: pf.pvr }
}

/** `category/pn-pvr`; parseCpv reads it back. */
export function formatCpv(cpv: Cpv): string {
  return `${cpv.category}/${pf(cpv)}`
}

/** Package and version without the category, Portage's PF: `shop-web-1.4.0_p45-r1`. */
export function pf(cpv: Pick<Cpv, 'pn' | 'pvr'>): string {
  return `${cpv.pn}-${cpv.pvr}`
}

/** The package without a version, Portage's CP: `app-acme/shop-web`. */
export function cp(cpv: Pick<Cpv, 'category' | 'pn'>): string {
  return `${cpv.category}/${cpv.pn}`
}

/** Cuts `pn-pvr` at its version; undefined if it ends in none. The name before the version is not checked. */
export function splitPf(text: string): { readonly pn: string; readonly pvr: Pvr } | undefined {
  let hyphen = text.lastIndexOf('-')
  // A version holds no hyphen but that of its revision.
  if (/^r[0-9]+$/.test(text.slice(hyphen + 1))) hyphen = text.lastIndexOf('-', hyphen - 1)
  if (hyphen < 1) return undefined
  const pvr = text.slice(hyphen + 1)
  return isPvr(pvr) ? { pn: text.slice(0, hyphen), pvr } : undefined
}
