/** What a client of an overlay saw, as the id of the tree that it is: whole by construction, or an error. */
import { inflateRawSync, inflateSync } from 'node:zlib'
import { encodeTree, objectId } from '../../src/git/objects.ts'
import type { Oid } from '../../src/git/objects.ts'
import { treeFromFiles } from '../../src/git/tree.ts'
import { git } from '../git/support.ts'

/** The tree of a zip's files. Source: PKWARE APPNOTE, central directory. */
export function treeOfZip(zip: Buffer): Oid {
  const files: (readonly [string, Oid])[] = []
  const end = zip.lastIndexOf('PK\x05\x06')
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const name = zip.toString('utf8', at + 46, at + 46 + zip.readUInt16LE(at + 28))
    if (!name.endsWith('/')) files.push([name, objectId('blob', contentAt(zip, at))])
    at += 46 + zip.readUInt16LE(at + 28) + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  return treeFromFiles(files).oid
}

function contentAt(zip: Buffer, entry: number): Buffer {
  const local = zip.readUInt32LE(entry + 42)
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
  const packed = zip.subarray(start, start + zip.readUInt32LE(entry + 20))
  return zip.readUInt16LE(entry + 10) === 0 ? packed : inflateRawSync(packed)
}

/** The tree of a listing of its top, as `/overlays/<environment>/tree` gives it. */
export function treeOfListing(
  items: readonly { readonly name: string; readonly type: string; readonly oid: string }[],
): Oid {
  return objectId(
    'tree',
    encodeTree(
      items.map(({ name, type, oid }) => ({
        name,
        mode: type === 'folder' ? '40000' : '100644',
        oid: oid as Oid,
      })),
    ),
  )
}

const TYPES = ['', 'commit', 'tree', 'blob'] as const

/**
 * The objects of a pack without deltas, by the ids that their bytes have. Source: gitformat-pack(5).
 * @throws {Error} for a pack that is cut or has something else in it.
 */
export function objectsOfPack(
  pack: Buffer,
): ReadonlyMap<string, { readonly type: string; readonly content: Buffer }> {
  const objects = new Map<string, { type: string; content: Buffer }>()
  let at = 12
  for (let left = pack.readUInt32BE(8); left > 0; left--) {
    const type = TYPES[((pack[at] as number) >> 4) & 7]
    if (type === undefined || type === '') throw new Error('the pack has a delta, which was not asked for')
    while ((pack[at++] as number) & 0x80);
    const { buffer, engine } = inflateSync(pack.subarray(at), { info: true }) as unknown as {
      buffer: Buffer
      engine: { bytesWritten: number }
    }
    at += engine.bytesWritten
    objects.set(objectId(type, buffer), { type, content: buffer })
  }
  if (at + 20 !== pack.length) throw new Error('the pack has more than its objects')
  return objects
}

/** The tree of a commit in a pack, every object below it being there. @throws {Error} for one that is missing. */
export function treeOfPack(pack: Buffer, commit: string): string {
  const objects = objectsOfPack(pack)
  const read = (oid: string): Buffer => {
    const found = objects.get(oid)
    if (!found) throw new Error(`the pack lacks ${oid}`)
    return found.content
  }
  const walk = (tree: string): void => {
    const content = read(tree)
    for (let at = 0; at < content.length;) {
      const space = content.indexOf(0x20, at)
      const end = content.indexOf(0, space)
      const oid = content.toString('hex', end + 1, end + 21)
      if (content.toString('latin1', at, space) === '40000') walk(oid)
      else read(oid)
      at = end + 21
    }
  }
  const tree = read(commit).toString('latin1', 5, 45)
  walk(tree)
  return tree
}

/** The commit and tree that a clone has checked out, after git compared the files with them. */
export async function treeOfClone(
  folder: string,
): Promise<{ readonly commit: string; readonly tree: string }> {
  const [commit = '', tree = ''] = (await git(folder, ['log', '-1', '--format=%H %T'])).split(' ')
  const difference = await git(folder, ['status', '--porcelain'])
  if (difference !== '') throw new Error(`the clone differs from its commit: ${difference}`)
  return { commit, tree }
}
