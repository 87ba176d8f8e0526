/** The folder that shows an overlay's newest revision, against the records. Nodes do not read it; people may. */
import { readFile, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { objectId } from '../git/objects.ts'
import { mendByRebuild } from './finding.ts'
import type { Finding, OnProgress } from './finding.ts'
import type { DataFolder } from './open-data-folder.ts'

type Needs = Pick<DataFolder, 'records' | 'trees' | 'paths' | 'shown'>

export async function* verifyPublishedTree(
  { records, trees, paths, shown }: Needs,
  environment: string,
  onProgress: OnProgress,
): AsyncGenerator<Finding> {
  const newest = await records.overlays.newestRevision(environment)
  if (!newest) return
  const root = paths.overlayTree(environment)
  const finding = (what: string, path: string): Finding => ({
    what,
    where: shown(path),
    mend: mendByRebuild(environment),
  })
  if ((await trees.shown(environment)) !== newest.commitOid) {
    yield finding(`it does not show revision ${String(newest.number)}, the newest`, root)
    return
  }
  const files = await records.overlays.files(environment)
  const known = new Set<string>()
  for (const [done, { path, oid }] of files.entries()) {
    onProgress(`folder of ${environment}`, done, files.length)
    known.add(path)
    const content = await readFile(join(root, path)).catch(() => null)
    if (content === null) yield finding('this file of the published tree is missing', join(root, path))
    else if (objectId('blob', content) !== oid)
      yield finding('it is not what was published', join(root, path))
  }
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    // What begins with a dot is nobody's business: .gitkeep, a file that is being written.
    if (entry.isDirectory() || entry.name.startsWith('.') || known.has(relative(root, path))) continue
    yield finding('it is in no published revision', path)
  }
}
