/**
 * Which files of a package are not as they were installed: its image against CONTENTS, where Portage recorded what it
 * merged. Source: Portage lib/portage/dbapi/vartree.py `_contents_re`.
 */
import type { DigestedEntry } from './read-image.ts'

export interface ChangedFiles {
  readonly count: number
  /** The first of them by name: `/etc/shop.toml`. At most 20. */
  readonly names: readonly string[]
}

const MOST_NAMES = 20
const OBJECT = /^obj (.+) ([0-9a-fA-F]{32}) \d+$/
const LINK = /^sym (.+?) -> (.+) \d+$/

/** Files and links that are in one of the two only, or differ. Null if the package has no CONTENTS to compare with. */
export function changedFiles(
  entries: readonly DigestedEntry[],
  contents: Buffer | undefined,
): ChangedFiles | null {
  if (contents === undefined) return null
  const recorded = recordedFiles(contents.toString('utf8'))
  const present = new Map(
    entries.filter(({ type }) => type !== 'directory').map((entry) => [`/${entry.path}`, entry] as const),
  )
  const names = [...new Set([...recorded.keys(), ...present.keys()])].filter(
    (name) => valueOf(name, present) !== recorded.get(name),
  )
  return { count: names.length, names: names.sort().slice(0, MOST_NAMES) }
}

function recordedFiles(contents: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const line of contents.split('\n')) {
    const [, file, md5] = OBJECT.exec(line) ?? []
    if (file !== undefined && md5 !== undefined) found.set(file, md5.toLowerCase())
    const [, link, target] = LINK.exec(line) ?? []
    if (link !== undefined && target !== undefined) found.set(link, `-> ${target}`)
  }
  return found
}

/** Of a hard link what its file has. */
function valueOf(name: string, present: ReadonlyMap<string, DigestedEntry>): string | undefined {
  let entry = present.get(name)
  for (let steps = 0; entry?.type === 'hardlink' && steps < 100; steps++)
    entry = present.get(`/${entry.target ?? ''}`)
  return entry?.type === 'symlink' ? `-> ${entry.target ?? ''}` : entry?.md5
}
