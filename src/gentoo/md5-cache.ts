/**
 * One entry of `metadata/md5-cache/<category>/<PF>`.
 * Sources: PMS "Metadata cache", "md5-dict cache file format"; Portage lib/portage/cache/flat_hash.py (`_setitem`: sorted
 * keys, empty ones left out) and bin/ebuild.sh (each value goes through an unquoted `echo`, so white space collapses).
 */
import { createHash } from 'node:crypto'
import { HubError } from '../errors.ts'
import { ebuildMetadata } from './ebuild.ts'
import type { EbuildModel } from './ebuild.ts'
import { definedPhases } from './ebuild-phases.ts'
import { shown } from './version.ts'

/**
 * Renders the entry that Portage itself would write for this ebuild. `ebuildText` must be what `renderEbuild` gives for
 * the same model: its MD5 is what makes the client trust the entry.
 * @throws {HubError} `ebuild.unsafe` if a value would not stay on its line.
 */
export function renderMd5Cache(model: EbuildModel, ebuildText: string): string {
  const entries: readonly (readonly [string, string])[] = [
    ...ebuildMetadata(model),
    ['DEFINED_PHASES', definedPhases(model).join(' ')],
    ['EAPI', '8'],
    ['_md5_', createHash('md5').update(ebuildText).digest('hex')],
  ]
  return entries
    .map(([key, value]) => [key, asEchoed(value)] as const)
    .filter(([, value]) => value !== '')
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

/**
 * Reads an entry as the client does, into its keys and values.
 * @throws {HubError} `request.invalid` for a line without `=`, for which the client discards the whole entry, a key
 *   given twice, or no newline at the end.
 */
export function parseMd5Cache(text: string): ReadonlyMap<string, string> {
  if (!text.endsWith('\n'))
    throw new HubError('request.invalid', 'the md5-cache entry does not end in a newline')
  const values = new Map<string, string>()
  for (const line of text.slice(0, -1).split('\n')) {
    const equals = line.indexOf('=')
    const key = line.slice(0, equals)
    if (equals < 1 || values.has(key)) {
      throw new HubError(
        'request.invalid',
        `${shown(line)} cannot stand in an md5-cache entry: write each KEY=value once`,
      )
    }
    values.set(key, line.slice(equals + 1))
  }
  return values
}

// bash splits at space, tab and newline only. A first word such as -n would be an option of echo and vanish.
function asEchoed(value: string): string {
  const words = value.split(/[ \t\n]+/).filter((word) => word !== '')
  if (/^-[neE]+$/.test(words[0] ?? '') || value.includes('\r')) {
    throw new HubError('ebuild.unsafe', `${shown(value)} would not reach the md5-cache as it is`)
  }
  return words.join(' ')
}
