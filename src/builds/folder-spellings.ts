/**
 * Folders that an archive names in two ways: `d` and `./d`. GNU tar makes links that lead upwards last, and then gives the
 * folders above them once more the mode that it noted by the text of their name; what was said of `d/.` in between is lost.
 * Source: GNU tar 1.34 src/extract.c `create_placeholder_file`, `delay_set_stat`.
 */
import type { Member } from './tar-walker.ts'

export class FolderSpellings {
  /** How each folder was named first, be it in the name of what lies in it. */
  readonly #first = new Map<string, string>()
  /** Folders with a link in them, or below, that leads upwards. */
  readonly #aboveLateLinks = new Set<string>()

  /**
   * Remembers what the name of an entry says of the folders above. False for a folder that comes after such a link and is
   * named in another way than it was first.
   * @param names of the entry's path, without `.`.
   */
  add(names: readonly string[], { path, type, linkTarget }: Member): boolean {
    const own = type === 'directory' ? names.join('/') : null
    for (let length = own === null ? names.length - 1 : names.length; length > 0; length--) {
      const folder = names.slice(0, length).join('/')
      // Whoever knows a folder knows those above it.
      if (this.#first.has(folder)) break
      this.#first.set(folder, folder === own ? tidied(path) : start(path, length))
    }
    if (type === 'symlink' && isLate(linkTarget))
      for (let length = names.length - 1; length > 0; length--)
        this.#aboveLateLinks.add(names.slice(0, length).join('/'))
    return own === null || !this.#aboveLateLinks.has(own) || this.#first.get(own) === tidied(path)
  }
}

function isLate(target: string): boolean {
  return target.startsWith('/') || target.split('/').includes('..')
}

function parts(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '')
}

/** Slashes do not count: tar drops those at the end, and each other one is one. */
function tidied(path: string): string {
  return parts(path).join('/')
}

/** The start of the path that has so many names in it. */
function start(path: string, names: number): string {
  const all = parts(path)
  let seen = 0
  const end = all.findIndex((part) => part !== '.' && ++seen === names)
  return all.slice(0, end + 1).join('/')
}
