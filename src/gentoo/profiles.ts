/**
 * The files of an overlay's `profiles/` folder.
 * Sources: PMS "Tree layout", "The profiles directory" and "package.mask"; Portage lib/portage/repository/config.py
 * (repo_name), lib/portage/package/ebuild/_config/LicenseManager.py (license_groups), fetch.py (thirdpartymirrors).
 */
import { HubError } from '../errors.ts'
import { formatAtom, parseAtom } from './atom.ts'
import { parseCategory, splitPf } from './cpv.ts'
import { cleanText } from './quote.ts'
import { shown } from './version.ts'

const WORD = /^[A-Za-z0-9_][A-Za-z0-9+_.-]*$/
const MIRROR_URL = /^https?:\/\/[A-Za-z0-9._~:/@!&*+,;=%[\]-]+$/

export interface MaskEntry {
  readonly atom: string
  readonly reason: string
  readonly by: string
  /** A day or time as it shall stand in the comment, such as `2026-11-23`. */
  readonly date: string
}

/** The EAPI of the files in `profiles/`: it governs the syntax of package.mask. */
export function renderProfilesEapi(): string {
  return '8\n'
}

/**
 * Renders `profiles/repo_name`, which must equal the section name in the node's repos.conf.
 * @throws {HubError} `request.invalid` if the name is not of PMS form, or ends in what Portage reads as a version.
 */
export function renderRepoName(name: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(name) || splitPf(name)) {
    throw new HubError(
      'request.invalid',
      `${shown(name)} is no name for an overlay: use [A-Za-z0-9_-] and no version at its end`,
    )
  }
  return `${name}\n`
}

/**
 * Renders `profiles/categories`: each once, sorted. A category that it lacks hides all its packages from the client.
 * @throws {HubError} `request.invalid` if one is no category.
 */
export function renderCategories(categories: readonly string[]): string {
  return [...new Set(categories.map(parseCategory))]
    .toSorted()
    .map((category) => `${category}\n`)
    .join('')
}

/**
 * Renders `profiles/thirdpartymirrors`: what `mirror://<mirrorName>/` stands for. All repositories of a node share one
 * name space of mirrors. A trailing slash of a URL is dropped: Portage adds its own.
 * @throws {HubError} `request.invalid` if the name or a URL has a character that could end the line or the word.
 */
export function renderThirdpartymirrors(mirror: {
  readonly mirrorName: string
  readonly urls: readonly string[]
}): string {
  const { mirrorName, urls } = mirror
  if (!WORD.test(mirrorName))
    throw new HubError('request.invalid', `${shown(mirrorName)} is no name for a mirror`)
  const bad = urls.find((url) => !MIRROR_URL.test(url) || !URL.canParse(url))
  if (bad !== undefined) throw new HubError('request.invalid', `${shown(bad)} is no http(s) URL for a mirror`)
  if (urls.length === 0)
    throw new HubError('request.invalid', `the mirror ${mirrorName} needs at least one URL`)
  return `${[mirrorName, ...urls.map((url) => url.replace(/\/+$/, ''))].join(' ')}\n`
}

/**
 * Renders `profiles/license_groups` so that the given names count as FREE: without it the default ACCEPT_LICENSE of a
 * node masks an in-house licence. No names, no text.
 * @throws {HubError} `request.invalid` if one is no name of a licence.
 */
export function renderLicenseGroups(free: readonly string[]): string {
  const bad = free.find((name) => !WORD.test(name))
  if (bad !== undefined) throw new HubError('request.invalid', `${shown(bad)} is no name of a licence`)
  return free.length === 0 ? '' : `${['FREE', ...[...new Set(free)].toSorted()].join(' ')}\n`
}

/**
 * Renders `profiles/package.mask`: one block per entry, by whom, when and why as comments, then the atom.
 * @throws {HubError} `request.invalid` if an atom does not parse.
 */
export function renderPackageMask(entries: readonly MaskEntry[]): string {
  return entries.map(maskBlock).join('\n')
}

function maskBlock({ atom, reason, by, date }: MaskEntry): string {
  const header = `# ${cleanText(by, 100) || 'unknown'} (${cleanText(date, 40)})`
  return `${header}\n# ${cleanText(reason, 500) || 'no reason given'}\n${formatAtom(parseAtom(atom))}\n`
}
