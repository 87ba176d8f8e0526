/**
 * Paths inside a git tree, as every client can check them out.
 * Source: git's verify_path() (read-cache.c) and the rules of `git fsck` on tree entries.
 */
import { HubError } from '../errors.ts'

const MAX_COMPONENTS = 32
const MAX_NAME_BYTES = 255
const MAX_PATH_BYTES = 1024

/**
 * Splits `a/b/c` into its names.
 * @throws {HubError} `overlay.path_refused` for an empty name, `.`, `..`, `.git` in any case, a control
 * character, a backslash, a broken character, or a path past 32 names, 255 bytes a name or 1024 bytes in all.
 */
export function splitTreePath(path: string): string[] {
  const names = path.split('/')
  const fault =
    names.length > MAX_COMPONENTS || Buffer.byteLength(path) > MAX_PATH_BYTES
      ? 'it is too deep or too long'
      : names.map(faultOfName).find((found) => found !== null)
  if (fault) {
    throw new HubError(
      'overlay.path_refused',
      `The path ${JSON.stringify(path.slice(0, 100))} is refused: ${fault}.`,
    )
  }
  return names
}

function faultOfName(name: string): string | null {
  if (name === '') return 'a name in it is empty'
  if (name === '.' || name === '..') return 'it has a "." or ".." in it'
  // Git clients refuse these too: a tree that has one could write into the client's own repository.
  if (/^(\.git|git~[0-9]+)[. ]*$/i.test(name)) return 'git keeps the name ".git" for itself'
  if (/[\0-\x1f\x7f\\]/.test(name) || !name.isWellFormed())
    return 'a name in it has a character that is not allowed'
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return 'a name in it is longer than 255 bytes'
  return null
}
