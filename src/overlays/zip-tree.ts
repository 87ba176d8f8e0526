/**
 * An overlay as a zip, for `sync-type = zipfile`. Source: Portage lib/portage/sync/modules/zipfile/zipfile.py: files
 * are opened without making their folders, so each folder has an entry of its own before its files; the first entry
 * named `profiles` says how many leading components to strip, so it comes first and at the top.
 */
import { buffer } from 'node:stream/consumers'
import { ZipFile } from 'yazl'
import type { Oid } from '../git/objects.ts'
import type { Tree } from '../git/tree.ts'

/** One fixed time makes equal trees equal bytes. Local on purpose: zip has no zones and yazl writes the local time. */
const ENTRY_OPTIONS = { mtime: new Date(1980, 0, 1), forceDosTimestamp: true } as const

/** The same tree always gives the same bytes. `read` gives the content of a file. */
export async function zipTree(tree: Tree, read: (oid: Oid) => Promise<Buffer>): Promise<Buffer> {
  const zip = new ZipFile()
  const whole = buffer(zip.outputStream)
  await addFolder(zip, tree, '', read)
  zip.end()
  return await whole
}

async function addFolder(
  zip: ZipFile,
  tree: Tree,
  prefix: string,
  read: (oid: Oid) => Promise<Buffer>,
): Promise<void> {
  for (const entry of prefix === '' ? profilesFirst(tree) : tree.entries) {
    const path = prefix + entry.name
    if (entry.tree) {
      zip.addEmptyDirectory(path, { ...ENTRY_OPTIONS, mode: 0o40755 })
      await addFolder(zip, entry.tree, `${path}/`, read)
    } else {
      zip.addBuffer(await read(entry.oid), path, { ...ENTRY_OPTIONS, mode: 0o100644 })
    }
  }
}

function profilesFirst(tree: Tree): Tree['entries'] {
  return tree.entries.toSorted((a, b) => Number(b.name === 'profiles') - Number(a.name === 'profiles'))
}
