/**
 * What the index of a binhost says of one package, from the metadata inside it. Source: Portage lib/portage/dbapi/bintree.py
 * `_read_metadata`, `_eval_use_flags`, `_pkgindex_entry` and `bindbapi._aux_cache_keys`.
 */
import { HubError } from '../errors.ts'
import { formatCpv, parseCpv } from './cpv.ts'
import type { IndexFields } from './packages-index.ts'
import { reduceByUse } from './use-conditionals.ts'
import { shown } from './version.ts'

/** Files of the installed-package database by their names (`SLOT`, `environment.bz2`). */
export type BinpkgMetadata = ReadonlyMap<string, Buffer>

/** What is known of the file, and not from inside it. */
export interface BinpkgFile {
  /** Below the binhost's address: `app-acme/shop/shop-1.0.0_p1-1.gpkg.tar`. */
  readonly path: string
  readonly sizeBytes: number
  readonly mtimeSec: number
  /** 32 lower-case hex digits. */
  readonly md5: string
  /** 40 lower-case hex digits. */
  readonly sha1: string
  /** Portage's BUILD_ID as the binhost gives it out; null: what the package itself says, if anything. */
  readonly binpkgBuildId: number | null
}

/** Keys of metadata that the index repeats, by their names there. */
const KEYS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    'BDEPEND BUILD_ID BUILD_TIME CHOST DEFINED_PHASES DEPEND EAPI IDEPEND IUSE KEYWORDS LICENSE PDEPEND PROPERTIES PROVIDES RDEPEND REPO_REVISIONS REQUIRES RESTRICT SLOT USE'
      .split(' ')
      .map((key) => [key, key]),
  ),
  repository: 'REPO',
}
const REDUCED = ['BDEPEND', 'DEPEND', 'IDEPEND', 'LICENSE', 'RDEPEND', 'PDEPEND', 'PROPERTIES', 'RESTRICT']
/** Longer than any value of a real package, dependencies of the largest included. */
const MOST_VALUE_BYTES = 128 * 1024
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}]/u
/** What Python's `str.split()` takes for white space. */
const BLANKS = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/

/**
 * One value of the metadata as Portage takes it: white space of any kind is one blank. Empty if the key is not there.
 * @throws {HubError} `binpkg.invalid` if it is longer than any real one.
 */
export function metadataText(metadata: BinpkgMetadata, key: string): string {
  const value = metadata.get(key)
  if (value === undefined) return ''
  if (value.length > MOST_VALUE_BYTES) throw invalid(`its ${key} has ${value.length} bytes`)
  const words = value.toString('utf8').split(BLANKS)
  return words.filter((word) => word !== '').join(' ')
}

/**
 * The package's name, version and category as it has them inside, whatever its file is called: `app-acme/shop-1.0.0_p1`.
 * @throws {HubError} `binpkg.invalid` if it lacks CATEGORY or PF, or they make no CPV.
 */
export function binpkgCpv(metadata: BinpkgMetadata): string {
  const text = `${metadataText(metadata, 'CATEGORY')}/${metadataText(metadata, 'PF')}`
  try {
    return formatCpv(parseCpv(text))
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    throw invalid(`its CATEGORY and PF make ${shown(text)}, which names no package`)
  }
}

/**
 * The package's entry in the index, as Portage makes it: dependencies without the conditions that USE has decided. Values
 * that are empty are left out.
 * @throws {HubError} `binpkg.invalid` if the package has no SLOT or no usable CPV, a BUILD_ID that is none, a value that no
 *   line could have, or a dependency that cannot be read: Portage passes over such packages.
 */
export function indexEntry(metadata: BinpkgMetadata, file: BinpkgFile): IndexFields {
  const cpv = binpkgCpv(metadata)
  const use = new Set(metadataText(metadata, 'USE').split(' '))
  const inside = Object.entries(KEYS).map(([key, name]) => {
    const text = metadataText(metadata, key)
    return [name, REDUCED.includes(key) ? reduced(key, text, use) : text] as const
  })
  const fields: Record<string, string> = { ...Object.fromEntries(inside), ...ofFile(file), CPV: cpv }
  if (fields['SLOT'] === '') throw invalid(`${cpv} has no SLOT`)
  if (fields['EAPI'] === '') fields['EAPI'] = '0'
  if (file.binpkgBuildId !== null) fields['BUILD_ID'] = String(file.binpkgBuildId)
  if (!/^(?:[1-9]\d{0,8})?$/.test(fields['BUILD_ID'] ?? ''))
    throw invalid(`${cpv} has a BUILD_ID that is none`)
  const told = Object.entries(fields).filter(([, value]) => value !== '')
  const [odd] = told.find(([, value]) => UNPRINTABLE.test(value)) ?? []
  if (odd !== undefined) throw invalid(`its ${odd} has characters that no line of an index can have`)
  return Object.fromEntries(told)
}

/** The entry of a package whose file became another one with the same metadata: signed, in a binhost, with a new build id. */
export function entryOfFile(
  entry: IndexFields,
  file: BinpkgFile & { readonly binpkgBuildId: number },
): IndexFields {
  return { ...entry, ...ofFile(file), BUILD_ID: String(file.binpkgBuildId) }
}

function ofFile({ path, sizeBytes, mtimeSec, md5, sha1 }: BinpkgFile): IndexFields {
  return { PATH: path, SIZE: String(sizeBytes), MTIME: String(mtimeSec), MD5: md5, SHA1: sha1 }
}

function reduced(key: string, value: string, use: ReadonlySet<string>): string {
  try {
    return reduceByUse(value, use)
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    throw invalid(`its ${key} cannot be read: ${error.message}`)
  }
}

function invalid(what: string): HubError {
  return new HubError('binpkg.invalid', `this is no binary package that an index could list: ${what}`)
}
