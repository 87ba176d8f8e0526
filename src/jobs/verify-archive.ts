/** The archive against the records: every tarball is there, whole, and some build's. */
import { readdir } from 'node:fs/promises'
import { digestFile } from '../builds/digest-file.ts'
import type { BuildRow } from '../records/builds.ts'
import { MEND_RECORDS } from './finding.ts'
import type { Finding, OnProgress } from './finding.ts'
import type { DataFolder } from './open-data-folder.ts'

type Needs = Pick<DataFolder, 'blobs' | 'records' | 'paths' | 'shown'>

const MEND = 'put the tarball with this SHA512 back, from a backup or from the CI that made it'

/** Reads every byte of the archive, one tarball after the other. */
export async function* verifyArchive(folder: Needs, onProgress: OnProgress): AsyncGenerator<Finding> {
  let [done, total] = [0, 0]
  for await (const _sha512 of folder.blobs.list()) total++
  for await (const sha512 of folder.blobs.list()) {
    onProgress('tarballs', done++, total)
    yield* verifyBlob(folder, sha512)
  }
  for await (const build of folder.records.builds.all()) {
    if ((await folder.blobs.sizeBytes(build.sha512)) !== null) continue
    yield {
      what: `the tarball of ${nameOf(build)} is missing`,
      where: folder.shown(folder.paths.blob(build.sha512)),
      mend: MEND,
    }
  }
}

async function* verifyBlob(folder: Needs, sha512: string): AsyncGenerator<Finding> {
  const path = folder.paths.blob(sha512)
  const where = folder.shown(path)
  const builds = await buildsOf(folder, sha512)
  if (builds === null) {
    yield {
      what: 'no build has this tarball',
      where,
      mend: 'move it out of the archive; nothing needs it',
    }
    return
  }
  const whose = builds.length === 0 ? '' : ` (the tarball of ${builds.map(nameOf).join(', ')})`
  try {
    const digests = await digestFile(path)
    if (digests.sha512 !== sha512) {
      yield { what: `its bytes have changed${whose}: they no longer have its SHA512`, where, mend: MEND }
      return
    }
    for (const build of builds) {
      const wrong = (['sizeBytes', 'blake2b', 'sha256'] as const).filter(
        (name) => build[name] !== digests[name],
      )
      if (wrong.length === 0) continue
      yield {
        what: `the records have another ${wrong.join(' and ')} of this tarball than its bytes`,
        where: nameOf(build),
        mend: MEND_RECORDS,
      }
    }
  } catch (error) {
    yield { what: `it cannot be read${whose}: ${(error as Error).message}`, where, mend: MEND }
  }
}

/** Null: nobody's. None: an upload that has not got its row yet. */
async function buildsOf(folder: Needs, sha512: string): Promise<readonly BuildRow[] | null> {
  const builds = await folder.records.builds.findByDigest(sha512)
  if (builds.length > 0) return builds
  const uploads = await readdir(folder.paths.uploads)
  if (uploads.some((name) => name.startsWith(`${sha512}.`))) return []
  // Its row may have come, and its upload gone, since the question before.
  const byNow = await folder.records.builds.findByDigest(sha512)
  return byNow.length > 0 ? byNow : null
}

function nameOf({ app, build }: Pick<BuildRow, 'app' | 'build'>): string {
  return `${app} build ${String(build)}`
}
