/** One environment's mirror folder against its releases. Names that are links into the archive are checked there. */
import { stat } from 'node:fs/promises'
import { digestFile } from '../builds/digest-file.ts'
import type { BuildRow } from '../records/builds.ts'
import type { Finding, OnProgress } from './finding.ts'
import type { DataFolder } from './open-data-folder.ts'

type Needs = Pick<DataFolder, 'records' | 'blobs' | 'paths' | 'shown'>

const MEND = 'restart the hub: at its start it puts the mirror right'
const MEND_CHANGED = 'remove the file and restart the hub, which puts it back'

export async function* verifyMirror(
  { records, blobs, paths, shown }: Needs,
  environment: string,
  onProgress: OnProgress,
): AsyncGenerator<Finding> {
  const wanted = await records.releases.distfiles(environment)
  for (const [done, distfile] of wanted.entries()) {
    onProgress(`mirror of ${environment}`, done, wanted.length)
    const path = paths.mirrorFile(environment, distfile.distfileName)
    const fault = await faultOfFile(path, paths.blob(distfile.sha512), distfile)
    const mend = fault === MISSING ? MEND : MEND_CHANGED
    if (fault !== null) yield { what: fault, where: shown(path), mend }
  }
  const names = new Set(wanted.map(({ distfileName }) => distfileName))
  for (const name of await blobs.mirrored(environment)) {
    if (names.has(name) || name.startsWith('.git')) continue
    const where = shown(paths.mirrorFile(environment, name))
    yield { what: 'nothing that is released there has this name', where, mend: MEND }
  }
}

const MISSING = 'this distfile is missing in the mirror'

async function faultOfFile(
  path: string,
  blobPath: string,
  { sha512 }: Pick<BuildRow, 'sha512'>,
): Promise<string | null> {
  const file = await stat(path).catch(() => null)
  if (file === null) return MISSING
  const blob = await stat(blobPath).catch(() => null)
  if (blob?.ino === file.ino && blob.dev === file.dev) return null
  const digests = await digestFile(path).catch(() => null)
  return digests?.sha512 === sha512 ? null : 'it is not the tarball that was released'
}
