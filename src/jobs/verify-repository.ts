/** One overlay's repository on disk against the records: its tip is the newest revision, and git finds it whole. */
import { access } from 'node:fs/promises'
import { lasting, mendByRebuild } from './finding.ts'
import type { Finding, OnProgress } from './finding.ts'
import type { DataFolder } from './open-data-folder.ts'
import { runProgram } from './run-program.ts'

type Needs = Pick<DataFolder, 'records' | 'paths' | 'shown'>

/** The tip's id covers the whole history, so the ids of earlier commits need no look of their own. */
export async function* verifyRepository(
  folder: Needs,
  environment: string,
  onProgress: OnProgress,
): AsyncGenerator<Finding> {
  const path = folder.paths.overlayRepository(environment)
  const where = folder.shown(path)
  const mend = mendByRebuild(environment)
  onProgress(`git fsck of ${environment}`, 0, null)
  const isThere = await access(path).then(
    () => true,
    () => false,
  )
  if (!isThere) {
    yield { what: 'the repository of the overlay is missing', where, mend }
    return
  }
  yield* await lasting(() => verifyTip(folder, environment))
  const { exitStatus, output, complaint } = await runProgram('git', [
    ...['-C', path, 'fsck', '--strict', '--full', '--no-dangling', '--no-progress'],
  ])
  if (exitStatus === 0) return
  if (exitStatus === null) throw new Error('git is not installed, so no repository can be checked')
  const said = [complaint, output].join('\n').trim().split('\n').slice(0, 3).join('; ')
  yield { what: `git finds the repository damaged: ${said}`, where, mend }
}

async function* verifyTip({ records, paths, shown }: Needs, environment: string): AsyncGenerator<Finding> {
  const path = paths.overlayRepository(environment)
  const newest = await records.overlays.newestRevision(environment)
  const { exitStatus, output } = await runProgram('git', [
    ...['-C', path, 'rev-parse', '--verify', '--quiet', 'refs/heads/main'],
  ])
  const tip = exitStatus === 0 ? output.trim() : null
  if (tip === (newest?.commitOid ?? null)) return
  const recorded = newest
    ? `revision ${String(newest.number)} is ${newest.commitOid}`
    : 'there is no revision'
  yield {
    what: `refs/heads/main is ${tip ?? 'nothing that git can read'}; by the records ${recorded}`,
    where: shown(path),
    mend: mendByRebuild(environment),
  }
}
