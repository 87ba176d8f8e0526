/**
 * Makes an overlay's repository and folder again from the records alone, commit ids included. The new repository is
 * made beside the old one and takes its place only when git finds it whole: a rebuild that fails changes nothing.
 */
import { rename, rm } from 'node:fs/promises'
import { HubError } from '../errors.ts'
import { listFiles } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import { readOverlayBlob } from '../overlays/overlay-history.ts'
import { replayRevisions } from '../overlays/replay-revisions.ts'
import { lockDataFolder } from '../records/data-folder-lock.ts'
import { GitRepository } from '../storage/git-repository.ts'
import type { DataFolder } from './open-data-folder.ts'
import { runProgram } from './run-program.ts'

export interface Rebuilt {
  readonly environment: string
  /** 0: the overlay has no revision yet. */
  readonly revision: number
  readonly commit: string | null
}

/**
 * Rebuilds the overlays of these environments, one after the other, while no hub may start on the data folder. With
 * `dryRun` each repository is made and compared, and put away again; a hub may run then.
 * @throws {HubError} `hub.running` when one does otherwise; and as `rebuildOverlay`.
 */
export async function* rebuildOverlays(
  folder: DataFolder,
  environments: readonly string[],
  dryRun: boolean,
): AsyncGenerator<Rebuilt> {
  using _lock = dryRun
    ? null
    : lockDataFolder(folder.paths.lock, `"portage-hub rebuild", process ${String(process.pid)},`)
  for (const environment of environments) yield await rebuildOverlay(folder, environment, dryRun)
}

/**
 * Rebuilds the overlay of one environment.
 * @throws {HubError} `verify.failed` when the records do not give the recorded commits: they are damaged.
 */
async function rebuildOverlay(folder: DataFolder, environment: string, dryRun: boolean): Promise<Rebuilt> {
  const path = folder.paths.overlayRepository(environment)
  // An environment's name has no dot: these names are nobody else's.
  const [made, old] = [`${path}.new`, `${path}.old`]
  await rm(made, { recursive: true, force: true })
  try {
    const { rebuilt, tree } = await replay(folder, environment, made)
    if (dryRun) return rebuilt
    await rm(old, { recursive: true, force: true })
    await rename(path, old).catch(unlessMissing)
    await rename(made, path)
    await rm(old, { recursive: true, force: true })
    if (tree !== null && rebuilt.commit !== null) await writeFolder(folder, environment, rebuilt.commit, tree)
    return rebuilt
  } finally {
    await rm(made, { recursive: true, force: true })
  }
}

async function replay(
  { records, log }: DataFolder,
  environment: string,
  path: string,
): Promise<{ readonly rebuilt: Rebuilt; readonly tree: Tree | null }> {
  const repository = await GitRepository.open(path)
  const newest = await records.overlays.newestRevision(environment)
  if (!newest) return { rebuilt: { environment, revision: 0, commit: null }, tree: null }
  try {
    const states = await replayRevisions({
      records,
      log,
      repository,
      environment,
      from: null,
      newest,
      made: null,
    })
    await checkRepository(path, newest.commitOid)
    const rebuilt = { environment, revision: newest.number, commit: newest.commitOid }
    return { rebuilt, tree: states.at(-1)?.tree ?? null }
  } catch (error) {
    throw new HubError(
      'verify.failed',
      `the overlay of ${environment} cannot be made from the records: ${(error as Error).message}\n` +
        'what was there is as it was; "portage-hub verify" names what is damaged',
      {},
      { cause: error },
    )
  }
}

/** git computes every id anew, so that a record that was changed cannot pass as the commit it says it is. */
async function checkRepository(path: string, commit: string): Promise<void> {
  const fsck = await runProgram('git', ['-C', path, 'fsck', '--strict', '--full', '--no-progress'])
  if (fsck.exitStatus === null) throw new Error('git is not installed')
  if (fsck.exitStatus !== 0) throw new Error(`git fsck: ${fsck.complaint || fsck.output.trim()}`)
  const { output } = await runProgram('git', ['-C', path, 'rev-parse', 'refs/heads/main'])
  if (output.trim() !== commit) throw new Error(`the tip is ${output.trim()}, by the records it is ${commit}`)
}

async function writeFolder(
  { records, trees }: DataFolder,
  environment: string,
  commit: string,
  tree: Tree,
): Promise<void> {
  const files = Array.from(
    listFiles(tree),
    ([path, oid]) => [path, async () => await readOverlayBlob(records, oid)] as const,
  )
  await trees.replace(environment, commit, new Map(files))
}

function unlessMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
