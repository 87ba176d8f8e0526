/** Does a recipe fit its tarball? What it names must be there, or the ebuild would fail on every node. */
import { HubError } from '../errors.ts'
import { shown } from '../gentoo/version.ts'
import { installedEntries } from './archive-contents.ts'
import type { ArchiveContents, ArchiveEntry } from './archive-contents.ts'
import type { Recipe } from './recipe.ts'

/**
 * Checks each file that `install.executables`, `install.files` and `service` name, by its path inside the single top
 * folder. It must be a file: Portage would copy a link as a link, and change the mode of whatever it leads to.
 * @throws {HubError} `recipe.not_in_tarball` naming every one that is missing, a folder or a link; `extra.issues` lists
 *   them as `{path, message}`.
 */
export function checkRecipeAgainst(recipe: Recipe, contents: ArchiveContents): void {
  const entries = installedEntries(contents)
  const folders = foldersOf(entries)
  const issues = namedFiles(recipe).flatMap(({ path, file }) => {
    const fault = faultOf(entries.get(file), folders.has(file))
    return fault === null ? [] : [{ path, message: `${shown(file)} ${fault}` }]
  })
  if (issues.length === 0) return
  const detail = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
  throw new HubError('recipe.not_in_tarball', detail, { issues })
}

interface NamedFile {
  /** Where in the recipe. */
  readonly path: string
  readonly file: string
}

function namedFiles({ install, service }: Recipe): readonly NamedFile[] {
  const { openrc, systemd } = service ?? {}
  return [
    ...(install?.executables ?? []).map((file, index) => ({ path: `install.executables[${index}]`, file })),
    ...(install?.files ?? []).map(({ from }, index) => ({
      path: `install.files[${index}].from`,
      file: from,
    })),
    ...(openrc === undefined ? [] : [{ path: 'service.openrc', file: openrc }]),
    ...(systemd === undefined ? [] : [{ path: 'service.systemd', file: systemd }]),
  ]
}

function faultOf(entry: ArchiveEntry | undefined, isFolder: boolean): string | null {
  if (isFolder) return 'is a folder of the tarball: name a file'
  if (entry === undefined) return 'is not in the tarball: add it there, or correct the path'
  if (entry.type === 'symlink') return 'is a symbolic link of the tarball: name the file it leads to'
  return null
}

// A tarball need not list the folders that its files lie in.
function foldersOf(entries: ReadonlyMap<string, ArchiveEntry>): ReadonlySet<string> {
  const folders = new Set<string>()
  for (const [path, { type }] of entries) {
    if (type === 'directory') folders.add(path)
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      folders.add(path.slice(0, slash))
    }
  }
  return folders
}
