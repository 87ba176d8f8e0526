/**
 * From a received tarball to an archived build: the main job up to the archive. Refusals happen before anything is
 * kept; then bytes before rows, and the publishing that policies ask for is recorded with the build, so that a crash
 * in between is taken up by the next start.
 */
import { promisify } from 'node:util'
import { zstdCompress } from 'node:zlib'
import { recordChange } from '../audit/record-change.ts'
import { parseAppName } from '../gentoo/cpv.ts'
import { DEFAULT_VERSION_POLICY } from '../gentoo/semver-to-pv.ts'
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import type { Records } from '../records/records.ts'
import { checkDeclaredDigests } from './declared-digests.ts'
import type { DeclaredDigest } from './declared-digests.ts'
import type { EbuildDraft } from './draft-ebuild.ts'
import type { ReceivedFile } from './receive-bytes.ts'
import { describeBuild } from './describe-build.ts'
import { findKnownBuild } from './known-build.ts'
import { chooseRecipe } from './choose-recipe.ts'
import { verifyArchiveInWorker } from './verify-in-worker.ts'

const compress = promisify(zstdCompress)

type Needs = Pick<Hub, 'records' | 'blobs' | 'config' | 'clock' | 'limits' | 'turns' | 'overlays' | 'steps'>

/** An upload as its request described it. */
export interface Upload {
  readonly app: string
  /** null: the app's next number. */
  readonly build: number | null
  readonly version: string | null
  readonly received: ReceivedFile
  readonly declaredDigests: readonly DeclaredDigest[]
  readonly recipeText: string | null
  readonly ebuildTemplate: string | null
  readonly commit: string | null
  readonly branch: string | null
  readonly ciUrl: string | null
  readonly by: string
  readonly maySendCommands: boolean
  readonly dryRun: boolean
  /** Rows that become true with the build: the promotions that it begins with. */
  readonly record: (records: Records, build: BuildRow) => Promise<void>
}

export interface ReceivedBuild {
  readonly build: BuildRow
  /** False when this very build was archived before. */
  readonly isNew: boolean
  readonly ebuildText: string | null
}

/**
 * Archives the upload. The same build with the same bytes again is no error: the archived one is given back.
 * @throws {HubError} any of the codes `upload.*`, `archive.*`, `recipe.*`, `version.*`, `build.*`, `app.*`.
 */
export async function receiveBuild(hub: Needs, upload: Upload): Promise<ReceivedBuild> {
  hub.steps.reached('upload.received')
  const pn = parseAppName(upload.app)
  checkDeclaredDigests(upload.received.digests, upload.declaredDigests)
  const known = await findKnownBuild(hub, upload)
  if (known) return given(known)
  const contents = await verifyArchiveInWorker(upload.received.path, hub.limits)
  hub.steps.reached('upload.verified')
  const listing = await compress(JSON.stringify(contents.entries))
  return await hub.turns.run(`app:${pn}`, async () => {
    const knownByNow = await findKnownBuild(hub, upload)
    if (knownByNow) return given(knownByNow)
    const app = await hub.records.apps.find(pn)
    const chosen = chooseRecipe(upload, contents, app)
    const { build, draft } = describeBuild(hub, upload, { pn, app, contents, chosen })
    if (!upload.dryRun) await archive(hub, upload, { build, draft, listing })
    return { build, isNew: true, ebuildText: draft.ebuildText }
  })
}

function given(build: BuildRow): ReceivedBuild {
  return { build, isNew: false, ebuildText: null }
}

interface Archivable {
  readonly build: BuildRow
  readonly draft: EbuildDraft
  /** What is inside, as the records keep it. */
  readonly listing: Buffer
}

async function archive(hub: Needs, upload: Upload, archivable: Archivable): Promise<void> {
  const { sha512 } = archivable.build
  // One at a time for the same bytes: the other's undo must not take away the blob that this one's row names.
  await hub.turns.run(`blob:${sha512}`, async () => {
    const adoption = await hub.blobs.adopt(upload.received.path, sha512)
    try {
      await record(hub, upload, archivable)
    } catch (error) {
      await adoption.undo()
      throw error
    }
    hub.steps.reached('upload.recorded')
    await adoption.settle()
    hub.steps.reached('upload.settled')
  })
}

async function record(hub: Needs, upload: Upload, { build, draft, listing }: Archivable): Promise<void> {
  await hub.records.transaction(async (records) => {
    await records.apps.ensure({
      name: build.app,
      category: build.category,
      versionPolicy: JSON.stringify(DEFAULT_VERSION_POLICY),
      createdAt: build.receivedAt,
    })
    await records.builds.add(build)
    await records.builds.addListing(build.sha512, listing)
    await records.apps.raiseLastBuild(build.app, build.build)
    for (const [oid, content] of draft.texts) await records.overlays.addBlob(oid, content)
    await recordChange(records, hub.clock, {
      ...{ type: 'build.archived', subject: `${build.app}/${String(build.build)}` },
      ...{ app: build.app, build: build.build },
      after: {
        ...{ cpv: `${build.category}/${build.pn}-${build.pv}`, version: build.semver, sha512: build.sha512 },
        ...{ recipe: build.recipeSource, commit: build.commitId, branch: build.branch, ciUrl: build.ciUrl },
      },
    })
    await upload.record(records, build)
    hub.steps.reached('upload.recording')
  })
}
