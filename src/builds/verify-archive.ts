/**
 * Whether a received tarball may be archived, and what is in it. Nothing is unpacked to disk: the archive is read once,
 * each entry is judged, and the first one that does not hold refuses the whole.
 */
import { HubError } from '../errors.ts'
import type { ArchiveContents, ArchiveEntry } from './archive-contents.ts'
import { archiveFormat } from './archive-format.ts'
import type { ArchiveLimits } from './archive-limits.ts'
import { refuseEscapingLinks } from './archive-links.ts'
import { readArchive } from './archive-reader.ts'
import { EntryList, named } from './archive-rules.ts'
import type { Member, TarListener } from './tar-walker.ts'

const RECIPE = 'portage-hub.yaml'

/**
 * Reads the tarball to its end and lists it. The format is told by the bytes, never by the name.
 * @throws {HubError} an `archive.*` code, naming the entry; `recipe.invalid` if its recipe is no text of a fair size.
 * The signal's reason if that fires; `Error` if the file cannot be read or xz or bzip2 is not installed.
 */
export async function verifyArchive(
  path: string,
  limits: ArchiveLimits,
  signal?: AbortSignal,
): Promise<ArchiveContents> {
  const format = await archiveFormat(path)
  const list = new EntryList(limits)
  const recipe = new RecipeFinder(limits)
  await readArchive({ path, format, limits, signal }, listing(list, recipe))
  const entries = list.entries()
  refuseEmpty(entries)
  const topDirectory = topDirectoryOf(list)
  refuseEscapingLinks(entries, topDirectory ?? '')
  const unpackedBytes = entries.reduce(
    (sum, { type, sizeBytes }) => (type === 'file' ? sum + sizeBytes : sum),
    0,
  )
  return { format, topDirectory, entries, unpackedBytes, recipeText: recipe.text(topDirectory) }
}

function listing(list: EntryList, recipe: RecipeFinder): TarListener {
  return {
    member: (member) => {
      const path = list.add(member)
      recipe.member(path, member)
    },
    body: (bytes) => recipe.body(bytes),
    ignoresBody: () => !recipe.isReading,
  }
}

function refuseEmpty(entries: readonly ArchiveEntry[]): void {
  if (entries.some(({ type }) => type !== 'directory')) return
  const what = entries.length === 0 ? 'nothing' : 'folders only'
  throw new HubError('archive.empty', `The archive has ${what} in it. Pack the build's files and send that.`)
}

function topDirectoryOf(list: EntryList): string | null {
  const [top, ...others] = new Set(list.entries().map(({ path }) => path.split('/', 1)[0] ?? ''))
  return top !== undefined && others.length === 0 && list.typeAt(top) === 'directory' ? top : null
}

/**
 * Keeps the recipe when it passes by. Which folder is the single top one is known at the end only; but if there is one,
 * it is the folder of the first entry.
 */
class RecipeFinder {
  readonly #limits: ArchiveLimits
  readonly #pieces = new Map<string, Buffer[]>()
  #firstName: string | undefined
  #current: Buffer[] | undefined

  constructor(limits: ArchiveLimits) {
    this.#limits = limits
  }

  member(path: string | null, member: Member): void {
    this.#current = undefined
    if (path === null) return
    this.#firstName ??= path.split('/', 1)[0]
    if (path !== RECIPE && path !== `${this.#firstName}/${RECIPE}`) return
    refuseOddRecipe(path, member, this.#limits)
    this.#current = []
    this.#pieces.set(path, this.#current)
  }

  get isReading(): boolean {
    return this.#current !== undefined
  }

  body(bytes: Buffer): void {
    this.#current?.push(Buffer.from(bytes))
  }

  text(topDirectory: string | null): string | null {
    const path = topDirectory === null ? RECIPE : `${topDirectory}/${RECIPE}`
    const pieces = this.#pieces.get(path)
    if (pieces === undefined) return null
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces))
    } catch {
      throw oddRecipe(path, 'is not UTF-8 text')
    }
  }
}

function refuseOddRecipe(path: string, member: Member, limits: ArchiveLimits): void {
  if (member.type !== 'file') throw oddRecipe(path, `is a ${member.type}, where a plain file is wanted`)
  if (member.sizeBytes <= limits.maxRecipeBytes) return
  throw oddRecipe(path, `has ${member.sizeBytes} bytes, where at most ${limits.maxRecipeBytes} are read`)
}

function oddRecipe(path: string, why: string): HubError {
  return new HubError('recipe.invalid', `${named(path)} ${why}.`, { issues: [{ path: '', message: why }] })
}
