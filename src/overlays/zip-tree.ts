/**
 * An overlay as a zip, for `sync-type = zipfile`. Source: Portage lib/portage/sync/modules/zipfile/zipfile.py: files
 * are opened without making their folders, so each folder has an entry of its own before its files; the first entry
 * named `profiles` says how many leading components to strip, so it comes first and at the top.
 */
import { setImmediate } from 'node:timers/promises'
import type { Oid } from '../git/objects.ts'
import type { Tree } from '../git/tree.ts'
import { ByteCache } from '../byte-cache.ts'
import { ZipWriter, zipFile } from './zip-format.ts'
import type { ZippedFile } from './zip-format.ts'

/** So many files are read and compressed, and so many entries written, between two looks at the requests that wait. */
const NEW_FILES_PER_TURN = 40
const ENTRIES_PER_TURN = 400
/** What keeping a file costs besides its bytes. */
const FILE_OVERHEAD_BYTES = 300

/** Content of some files at once: a question each costs more than compressing it does. */
type Read = (oids: readonly Oid[]) => Promise<ReadonlyMap<Oid, Buffer>>

/** A folder or a file; of a file that was not zipped before, what it is to be made of. */
type Entry =
  | { readonly path: string; readonly file: ZippedFile | null }
  | { readonly path: string; readonly missing: Oid }

/**
 * The same tree always gives the same bytes. What was zipped before is taken from `kept`, which also gets what is new:
 * of one revision after another a few files differ.
 */
export async function zipTree(
  tree: Tree,
  read: Read,
  kept: ByteCache<ZippedFile> = new ByteCache(0),
): Promise<Buffer> {
  const zip = new ZipWriter()
  for (const { entries, missing } of turnsOf(entriesOf(tree, ''), kept)) {
    const contents = missing.size === 0 ? new Map<Oid, Buffer>() : await read([...missing])
    for (const entry of entries) {
      const file = 'missing' in entry ? await zipNew(entry.missing, contents, kept) : entry.file
      if (file === null) zip.addFolder(entry.path)
      else zip.addFile(entry.path, file)
    }
    await setImmediate()
  }
  return zip.end()
}

interface Turn {
  readonly entries: readonly Entry[]
  readonly missing: ReadonlySet<Oid>
}

function* turnsOf(
  all: Iterable<readonly [path: string, oid: Oid | null]>,
  kept: ByteCache<ZippedFile>,
): Generator<Turn> {
  let turn = { entries: [] as Entry[], missing: new Set<Oid>() }
  for (const [path, oid] of all) {
    const file = oid === null ? null : kept.get(oid)
    if (file !== undefined) turn.entries.push({ path, file })
    else if (oid !== null) {
      turn.entries.push({ path, missing: oid })
      turn.missing.add(oid)
    }
    if (turn.entries.length < ENTRIES_PER_TURN && turn.missing.size < NEW_FILES_PER_TURN) continue
    yield turn
    turn = { entries: [], missing: new Set() }
  }
  yield turn
}

async function zipNew(
  oid: Oid,
  contents: ReadonlyMap<Oid, Buffer>,
  kept: ByteCache<ZippedFile>,
): Promise<ZippedFile> {
  const known = kept.get(oid)
  if (known) return known
  const content = contents.get(oid)
  if (!content) throw new Error(`the text ${oid} was not read`)
  const file = await zipFile(content)
  kept.set(oid, file, file.bytes.byteLength + FILE_OVERHEAD_BYTES)
  return file
}

/** Folders, with null, before what is in them. */
function* entriesOf(tree: Tree, prefix: string): Generator<readonly [path: string, oid: Oid | null]> {
  for (const entry of prefix === '' ? profilesFirst(tree) : tree.entries) {
    const path = prefix + entry.name
    yield [path, entry.tree ? null : entry.oid]
    if (entry.tree) yield* entriesOf(entry.tree, `${path}/`)
  }
}

function profilesFirst(tree: Tree): Tree['entries'] {
  return tree.entries.toSorted((a, b) => Number(b.name === 'profiles') - Number(a.name === 'profiles'))
}
