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

/** So many entries are written between two looks at the requests that wait. */
const ENTRIES_PER_TURN = 200
/** What keeping a file costs besides its bytes. */
const FILE_OVERHEAD_BYTES = 300

/**
 * The same tree always gives the same bytes. `read` gives the content of a file; what was zipped before is taken from
 * `kept`, which also gets what is new: of one revision after another a few files differ.
 */
export async function zipTree(
  tree: Tree,
  read: (oid: Oid) => Promise<Buffer>,
  kept: ByteCache<ZippedFile> = new ByteCache(0),
): Promise<Buffer> {
  const zip = new ZipWriter()
  let count = 0
  for (const [path, oid] of entriesOf(tree, '')) {
    if (oid === null) zip.addFolder(path)
    else zip.addFile(path, kept.get(oid) ?? (await zipNew(oid, read, kept)))
    if (++count % ENTRIES_PER_TURN === 0) await setImmediate()
  }
  return zip.end()
}

async function zipNew(
  oid: Oid,
  read: (oid: Oid) => Promise<Buffer>,
  kept: ByteCache<ZippedFile>,
): Promise<ZippedFile> {
  const file = await zipFile(await read(oid))
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
