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

/**
 * A place in the unpacked tree: a path, and how many names below it. Those names are not kept: no link can be there,
 * since the path with the next name would be longer than any link's.
 */
interface Place {
  readonly path: string
  readonly depth: number
  readonly below: number
}

class Resolver {
  readonly #links: ReadonlyMap<string, ArchiveEntry>
  /** How many names of a path are the top folder, which `..` may not pass. */
  readonly #topNames: number
  readonly #longestPath: number
  /** Each link is followed once, however many lead through it, so that the work grows with the archive and no faster. */
  readonly #resolved = new Map<string, Place>()

  constructor(links: ReadonlyMap<string, ArchiveEntry>, topNames: number) {
    this.#links = links
    this.#topNames = topNames
    let longest = 0
    for (const path of links.keys()) longest = Math.max(longest, path.length)
    this.#longestPath = longest
  }

  /** The place that the link ends at, itself no link. */
  resolve(link: ArchiveEntry, depth: number): Place {
    const known = this.#resolved.get(link.path)
    if (known !== undefined) return known
    if (depth > MAX_LINKS) throw leaves(link, `leads through more than ${MAX_LINKS} links, or in a circle`)
    // The folder that a link lies in is a real one: nothing may lie below a link.
    let place = parentOf({ path: link.path, depth: link.path.split('/').length, below: 0 })
    for (const name of (link.target ?? '').split('/')) {
      place = this.#step(link, place, name)
      const through = place.below === 0 ? this.#links.get(place.path) : undefined
      if (through !== undefined) place = this.resolve(through, depth + 1)
    }
    this.#resolved.set(link.path, place)
    return place
  }

  #step(link: ArchiveEntry, place: Place, name: string): Place {
    if (name === '' || name === '.') return place
    if (name === '..') {
      if (place.depth <= this.#topNames) throw leaves(link, 'leads out of the archive')
      return parentOf(place)
    }
    const { path, depth, below } = place
    const next = path === '' ? name : `${path}/${name}`
    return below === 0 && next.length <= this.#longestPath
      ? { path: next, depth: depth + 1, below }
      : { path, depth: depth + 1, below: below + 1 }
  }
}

function parentOf({ path, depth, below }: Place): Place {
  if (below > 0) return { path, depth: depth - 1, below: below - 1 }
  return { path: path.slice(0, Math.max(0, path.lastIndexOf('/'))), depth: depth - 1, below }
}

function leaves(link: ArchiveEntry, how: string): HubError {
  return new HubError(
    'archive.unsafe_link',
    `The link ${named(link.path)} to ${named(link.target ?? '')} ${how}. Make it relative, to something inside the archive's top folder.`,
  )
}
