/**
 * `Packages`, the index of a binhost: `KEY: value` lines, a block for the header and one for each package, an empty line
 * behind each. Source: Portage lib/portage/getbinpkg.py `PackageIndex`; lib/portage/dbapi/bintree.py `binarytree`, for
 * the keys, what may be left out (`_pkgindex_default_pkg_data`) and what is inherited from the header.
 */
import { HubError } from '../errors.ts'
import { shown } from './version.ts'

/** A block by its keys as they stand in the file: `REPO` and not `repository`, `MTIME`, `DESC`. */
export type IndexFields = Readonly<Record<string, string>>

export interface PackagesIndex {
  readonly header: IndexFields
  /** Each with its `CPV`; values that the file leaves out are left out here too. */
  readonly packages: readonly IndexFields[]
}

/** What Portage takes a key for that a block lacks, and so does not write. All others are empty. */
const DEFAULTS: IndexFields = { EAPI: '0', SLOT: '0' }
/** Of a package that lacks them, those of the header hold. */
const INHERITED = ['CHOST', 'REPO']
/** How Portage calls some of them inside: its blocks are sorted by that. */
const INSIDE: IndexFields = { DESC: 'DESCRIPTION', MTIME: '_mtime_', REPO: 'repository' }
const LINE = /^([A-Za-z0-9_]+):(?: (.*))?$/

/**
 * Reads an index, stricter than Portage, which skips what it cannot read.
 * @throws {HubError} `request.invalid` for a line of another form, a key that comes twice in a block, a package without
 *   CPV, an empty block (readers would take it for the end), a missing line end, or a version other than 0.
 */
export function parsePackagesIndex(text: string): PackagesIndex {
  if (!text.endsWith('\n\n')) throw refusal('it does not end in an empty line')
  const [header = {}, ...packages] = text.slice(0, -2).split('\n\n').map(parseBlock)
  if (header['VERSION'] !== '0') throw refusal('its header does not say VERSION: 0')
  const nameless = packages.findIndex(({ CPV = '' }) => CPV === '')
  if (nameless >= 0) throw refusal(`block ${nameless + 2} names no CPV`)
  return { header, packages }
}

/**
 * Renders an index as Portage writes it: the header, then the packages by CPV. Equal CPVs keep their order.
 * @throws {HubError} `request.invalid` for a key or value that would not stay on its line.
 */
export function renderPackagesIndex({ header, packages }: PackagesIndex): string {
  const sorted = packages.toSorted((a, b) => compareTexts(a['CPV'] ?? '', b['CPV'] ?? ''))
  return renderBlock(header) + sorted.map((fields) => renderIndexEntry(fields, header)).join('')
}

/**
 * Renders one package's block with the empty line behind it, without what readers know from its absence or the header.
 * @throws {HubError} as `renderPackagesIndex`; also for a package without CPV.
 */
export function renderIndexEntry(fields: IndexFields, header: IndexFields): string {
  if ((fields['CPV'] ?? '') === '') throw refusal('a package needs a CPV')
  const told = Object.entries(fields).filter(
    ([key, value]) => value !== DEFAULTS[key] && !(INHERITED.includes(key) && value === header[key]),
  )
  return renderBlock(Object.fromEntries(told))
}

function parseBlock(block: string, index: number): IndexFields {
  const fields: Record<string, string> = {}
  for (const line of block.split('\n')) {
    const [, key, value = ''] = LINE.exec(line) ?? []
    if (key === undefined) throw refusal(`block ${index + 1} has the line ${shown(line)}`)
    if (Object.hasOwn(fields, key)) throw refusal(`block ${index + 1} has ${key} twice`)
    fields[key] = value
  }
  return fields
}

function renderBlock(fields: IndexFields): string {
  const lines = Object.entries(fields)
    .filter(([, value]) => value !== '')
    .toSorted(([a], [b]) => compareTexts(INSIDE[a] ?? a, INSIDE[b] ?? b))
    .map(([key, value]) => `${key}: ${value}`)
  const odd = lines.find((line) => !LINE.test(line) || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(line))
  if (odd !== undefined) throw refusal(`${shown(odd)} cannot stand in it`)
  return `${lines.join('\n')}\n\n`
}

/** By code point, as Python compares. */
function compareTexts(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function refusal(what: string): HubError {
  return new HubError(
    'request.invalid',
    `this is no index of binary packages: ${what}; have it made again, by emaint binhost --fix`,
  )
}
