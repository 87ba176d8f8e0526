/** Texts that the records keep by their git id: ebuilds, cache entries and every file of every overlay. */
import { createHash } from 'node:crypto'
import { checkEbuild } from '../gentoo/ebuild.ts'
import { parseMd5Cache } from '../gentoo/md5-cache.ts'
import { objectId } from '../git/objects.ts'
import type { BuildRow } from '../records/builds.ts'
import type { Records } from '../records/records.ts'
import { MEND_RECORDS } from './finding.ts'
import type { Finding, OnProgress } from './finding.ts'

/** Reads texts and tells each fault once, however many revisions name the text. */
export class Texts {
  readonly #records: Records
  readonly #told = new Set<string>()

  constructor(records: Records) {
    this.#records = records
  }

  /** The text, or what is wrong with it; neither when that was told before. `use` says what it is for. */
  async read(
    oid: string,
    use: string,
  ): Promise<{ readonly content: Buffer | null; readonly finding: Finding | null }> {
    const content = await this.#records.overlays.findBlob(oid)
    if (content && objectId('blob', content) === oid) return { content, finding: null }
    if (this.#told.has(oid)) return { content: null, finding: null }
    this.#told.add(oid)
    const what = content
      ? `the text of ${use} has changed: it no longer has its id`
      : `the text of ${use} is missing`
    return { content: null, finding: { what, where: `overlay_blobs ${oid}`, mend: MEND_RECORDS } }
  }
}

/** What each build became: its ebuild is of the known form, and its cache entry is of this very ebuild. */
export async function* verifyBuildTexts(
  records: Records,
  texts: Texts,
  onProgress: OnProgress,
): AsyncGenerator<Finding> {
  let done = 0
  for await (const build of records.builds.all()) {
    onProgress('builds', done++, null)
    yield* verifyBuild(records, texts, build)
  }
}

async function* verifyBuild(records: Records, texts: Texts, build: BuildRow): AsyncGenerator<Finding> {
  const where = `${build.app} build ${String(build.build)}`
  const ebuild = await texts.read(build.ebuildOid, `the ebuild of ${where}`)
  if (ebuild.finding) yield ebuild.finding
  if (ebuild.content && build.recipeSource !== 'template') {
    const fault = faultOf(() => {
      checkEbuild(ebuild.content?.toString('utf8') ?? '')
    })
    if (fault !== null)
      yield { what: `its ebuild is not of the known form: ${fault}`, where, mend: MEND_RECORDS }
  }
  if (build.cacheOid !== null) {
    const cache = await texts.read(build.cacheOid, `the cache entry of ${where}`)
    if (cache.finding) yield cache.finding
    if (cache.content && ebuild.content) yield* verifyCache(cache.content, ebuild.content, where)
  }
  const listing = await records.builds.findListing(build.sha512).catch((error: unknown) => error as Error)
  if (Array.isArray(listing) && listing.length === build.entryCount) return
  const why =
    listing === undefined ? 'is missing' : listing instanceof Error ? 'cannot be read' : 'has another length'
  yield { what: `the list of what is in its tarball ${why}`, where, mend: MEND_RECORDS }
}

function* verifyCache(cache: Buffer, ebuild: Buffer, where: string): Generator<Finding> {
  const md5 = createHash('md5').update(ebuild).digest('hex')
  const fault = faultOf(() => {
    if (parseMd5Cache(cache.toString('utf8')).get('_md5_') !== md5) throw new Error('it is of another ebuild')
  })
  if (fault !== null) yield { what: `its cache entry does not fit: ${fault}`, where, mend: MEND_RECORDS }
}

/** What `check` throws, as text; null when it passes. */
export function faultOf(check: () => void): string | null {
  try {
    check()
    return null
  } catch (error) {
    return (error as Error).message
  }
}
