/**
 * Where the symbolic links of an archive lead. Each is followed as the kernel would follow it in the unpacked tree, other
 * links on the way included: `a -> b/..` leaves the tree if `b` leads to its top. Source: path_resolution(7).
 */
import { HubError } from '../errors.ts'
import type { ArchiveEntry } from './archive-contents.ts'
import { named } from './archive-rules.ts'

/** The kernel gives up after so many links, and so does whoever unpacks or copies. */
const MAX_LINKS = 40

/**
 * Checks that no symbolic link is absolute or leaves `top`, be it by way of others. A link that leads to nothing is
 * let be: its file may be made at run time.
 * @param top the single top folder, or '' for the archive's root.
 * @throws {HubError} `archive.unsafe_link` naming the link.
 */
export function refuseEscapingLinks(entries: readonly ArchiveEntry[], top: string): void {
  const links = new Map(entries.filter(({ type }) => type === 'symlink').map((entry) => [entry.path, entry]))
  const resolver = new Resolver(links, top === '' ? 0 : 1)
  for (const link of links.values()) {
    refuseLexicalEscape(link, top)
    resolver.resolve(link, 0)
  }
}

/** Programs that tidy a path before they use it drop `name/..` even where `name` is a link. */
function refuseLexicalEscape(link: ArchiveEntry, top: string): void {
  const target = link.target ?? ''
  if (target.startsWith('/')) throw leaves(link, 'is absolute')
  let depth = link.path.split('/').length - 1 - (top === '' ? 0 : 1)
  for (const name of target.split('/')) {
    if (name === '..') depth--
    else if (name !== '' && name !== '.') depth++
    if (depth < 0) throw leaves(link, 'leads out of the archive')
  }
}

class Resolver {
  readonly #links: ReadonlyMap<string, ArchiveEntry>
  /** How many names of a path are the top folder, which `..` may not pass. */
  readonly #topNames: number
  /** Each link is followed once, however many lead through it: the work grows with the archive, not with its square. */
  readonly #resolved = new Map<string, readonly string[]>()

  constructor(links: ReadonlyMap<string, ArchiveEntry>, topNames: number) {
    this.#links = links
    this.#topNames = topNames
  }

  /** The names of the path that the link ends at, itself no link. */
  resolve(link: ArchiveEntry, depth: number): readonly string[] {
    const known = this.#resolved.get(link.path)
    if (known !== undefined) return known
    if (depth > MAX_LINKS) throw leaves(link, `leads through more than ${MAX_LINKS} links, or in a circle`)
    // The folder that a link lies in is a real one: nothing may lie below a link.
    let at: readonly string[] = link.path.split('/').slice(0, -1)
    for (const name of (link.target ?? '').split('/')) at = this.#step(link, at, name, depth)
    this.#resolved.set(link.path, at)
    return at
  }

  #step(link: ArchiveEntry, at: readonly string[], name: string, depth: number): readonly string[] {
    if (name === '' || name === '.') return at
    if (name === '..') {
      if (at.length <= this.#topNames) throw leaves(link, 'leads out of the archive')
      return at.slice(0, -1)
    }
    const next = [...at, name]
    const through = this.#links.get(next.join('/'))
    return through === undefined ? next : this.resolve(through, depth + 1)
  }
}

function leaves(link: ArchiveEntry, how: string): HubError {
  return new HubError(
    'archive.unsafe_link',
    `The link ${named(link.path)} to ${named(link.target ?? '')} ${how}. Make it relative, to something inside the archive's top folder.`,
  )
}
