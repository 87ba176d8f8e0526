/** Every check of what a hub keeps, against each other: digests, texts, revisions, repositories, mirrors and folders. */
import { closeDigestWorkers } from '../builds/digest-blocks.ts'
import { lasting } from './finding.ts'
import type { Finding, OnProgress } from './finding.ts'
import type { DataFolder } from './open-data-folder.ts'
import { verifyArchive } from './verify-archive.ts'
import { verifyAudit } from './verify-audit.ts'
import { verifyHistory } from './verify-history.ts'
import { verifyMirror } from './verify-mirror.ts'
import { verifyPackages } from './verify-packages.ts'
import { verifyPublishedTree } from './verify-published-tree.ts'
import { verifyRestorePoints } from './verify-restore-points.ts'
import { verifyRepository } from './verify-repository.ts'
import { Texts, verifyBuildTexts } from './verify-texts.ts'

/**
 * Yields what is wrong, as it is found. Reads everything and changes nothing; a hub may run meanwhile. A check that
 * cannot go on is a finding itself, and the others are made all the same.
 */
export async function* verifyArchiveAndOverlays(
  folder: DataFolder,
  onProgress: OnProgress,
): AsyncGenerator<Finding> {
  const { records, config } = folder
  const texts = new Texts(records)
  // Whoever stops listening ends the generator, and the threads shall end with it.
  await using _threads = { [Symbol.asyncDispose]: closeDigestWorkers }
  yield* guarded('archive', verifyArchive(folder, onProgress))
  yield* guarded('restore points', verifyRestorePoints(folder, onProgress))
  yield* guarded('audit', verifyAudit(folder, onProgress))
  yield* guarded('builds', verifyBuildTexts(records, texts, onProgress))
  for (const { name: environment } of config.environments) {
    const needs = { records, texts, environment }
    yield* guarded(`history of ${environment}`, verifyHistory(needs, onProgress))
    yield* guarded(`packages of ${environment}`, verifyPackages(needs, onProgress))
    yield* guarded(`repository of ${environment}`, verifyRepository(folder, environment, onProgress))
    const mirror = lasting(() => verifyMirror(folder, environment, onProgress))
    yield* guarded(`mirror of ${environment}`, mirror)
    const tree = lasting(() => verifyPublishedTree(folder, environment, onProgress))
    yield* guarded(`folder of ${environment}`, tree)
  }
}

async function* guarded(
  check: string,
  findings: AsyncIterable<Finding> | Promise<readonly Finding[]>,
): AsyncGenerator<Finding> {
  try {
    yield* await findings
  } catch (error) {
    yield {
      what: `the check cannot go on: ${(error as Error).message}`,
      where: check,
      mend: 'mend what the message says, then run "portage-hub verify" again',
    }
  }
}
