/**
 * Two files of the same name: `metadata/layout.conf` of an overlay, and `distfiles/layout.conf` of a mirror.
 * Sources: Portage man/portage.5 "layout.conf" and lib/portage/repository/config.py `parse_layout_conf`; GLEP 75 and
 * lib/portage/package/ebuild/fetch.py `FilenameHashLayout`, `ContentHashLayout`.
 */
import { createHash } from 'node:crypto'
import { HubError } from '../errors.ts'
import { checkDistfileName } from './manifest.ts'
import { shown } from './version.ts'

/**
 * Renders the overlay's `metadata/layout.conf`. The line `masters =` stands even when empty: without it every command
 * of the client warns, and falls back to the main repository. `masters` are names of repositories.
 * @throws {HubError} `request.invalid` if a master is no name of a repository.
 */
export function renderLayoutConf({ masters }: { readonly masters: readonly string[] }): string {
  for (const master of masters) {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(master)) {
      throw new HubError('request.invalid', `${shown(master)} is no name of a repository`)
    }
  }
  return [
    ['masters =', ...masters].join(' '),
    'thin-manifests = true',
    'sign-manifests = false',
    'manifest-hashes = BLAKE2B SHA512',
    'manifest-required-hashes = BLAKE2B',
    'cache-formats = md5-dict',
    '',
  ].join('\n')
}

/** Renders the mirror's `layout.conf`: the layouts that the mirror answers, the first that a client knows wins. */
export function renderDistfilesLayoutConf(): string {
  return '[structure]\n0=filename-hash BLAKE2B 8\n1=content-hash SHA512 8:8\n2=flat\n'
}

/**
 * The path of a distfile in the layout `filename-hash BLAKE2B 8`: `<first 8 bits of BLAKE2b-512 of the name>/<name>`.
 * @throws {HubError} `request.invalid` if that is no name for a distfile.
 */
export function filenameHashPath(name: string): string {
  const digest = createHash('blake2b512').update(checkDistfileName(name)).digest('hex')
  return `${digest.slice(0, 2)}/${name}`
}

/**
 * The path of a distfile in the layout `content-hash SHA512 8:8`, by the digest that its Manifest has.
 * @throws {HubError} `request.invalid` if that is not 128 lower-case hex digits.
 */
export function contentHashPath(sha512: string): string {
  if (!/^[0-9a-f]{128}$/.test(sha512))
    throw new HubError('request.invalid', `${shown(sha512)} is no SHA512 digest`)
  return `${sha512.slice(0, 2)}/${sha512.slice(2, 4)}/${sha512}`
}
