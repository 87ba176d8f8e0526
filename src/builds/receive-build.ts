/**
 * From a received tarball to an archived build: the main job up to the archive. Refusals happen before anything is
 * kept; then bytes before rows, and the publishing that policies ask for is recorded with the build, so that a crash
 * in between is taken up by the next start.
 */
import { promisify } from 'node:util'
import { zstdCompress } from 'node:zlib'
import { HubError } from '../errors.ts'
import { timestamp } from '../clock.ts'
import { parseAppName } from '../gentoo/cpv.ts'
import type { Pn } from '../gentoo/cpv.ts'
import { DEFAULT_VERSION_POLICY, pvFromSemver } from '../gentoo/semver-to-pv.ts'
import type { VersionPolicy } from '../gentoo/semver-to-pv.ts'
import { lookup } from '../git/tree.ts'
import type { Hub } from '../hub.ts'
import type { AppRow } from '../records/apps.ts'
import type { BuildRow } from '../records/builds.ts'
import type { Records } from '../records/records.ts'
import type { ArchiveContents } from './archive-contents.ts'
import { checkDeclaredDigests } from './declared-digests.ts'
import type { DeclaredDigest } from './declared-digests.ts'
import { draftEbuild } from './draft-ebuild.ts'
import type { EbuildDraft } from './draft-ebuild.ts'
import type { ReceivedFile } from './receive-bytes.ts'
import { findKnownBuild } from './known-build.ts'
import { chooseRecipe } from './choose-recipe.ts'
import type { ChosenRecipe } from './choose-recipe.ts'
import { verifyArchiveInWorker } from './verify-in-worker.ts'

const compress = promisify(zstdCompress)

type Needs = Pick<Hub, 'records' | 'blobs' | 'config' | 'clock' | 'limits' | 'turns' | 'overlays'>

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
  const pn = parseAppName(upload.app)
  checkDeclaredDigests(upload.received.digests, upload.declaredDigests)
  const known = await findKnownBuild(hub, upload)
  if (known) return given(known)
  const contents = await verifyArchiveInWorker(upload.received.path, hub.limits)
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

interface Description {
  readonly pn: Pn
  readonly app: AppRow | undefined
  readonly contents: ArchiveContents
  readonly chosen: ChosenRecipe
}

function describeBuild(
  hub: Needs,
  upload: Upload,
  { pn, app, contents, chosen }: Description,
): { build: BuildRow; draft: EbuildDraft } {
  const number = upload.build ?? (app?.lastBuild ?? 0) + 1
  const policy = app === undefined ? undefined : (JSON.parse(app.versionPolicy) as VersionPolicy)
  const { pv, semver } = pvFromSemver(upload.version, number, policy)
  const category = chosen.recipe.category ?? app?.category ?? hub.config.category
  if (app && category !== app.category) {
    throw new HubError(
      'app.category_fixed',
      `${pn} is ${app.category}/${pn} and cannot become ${category}/${pn}: Portage would see another package`,
    )
  }
  if (!app) refuseHandKept(hub, category, pn)
  const distfileName = `${hub.config.overlayPrefix}-${pn}-${pv}.${contents.format}`
  const draft = draftEbuild(hub, upload, { pn, pv, semver, number, category, distfileName, contents, chosen })
  const { sizeBytes, blake2b, sha512, sha256 } = upload.received.digests
  const build: BuildRow = {
    ...{ app: pn, build: number, semver, category, pn, pv, distfileName, format: contents.format },
    ...{ topDirectory: contents.topDirectory, entryCount: contents.entries.length },
    ...{ unpackedBytes: contents.unpackedBytes, sizeBytes, blake2b, sha512, sha256 },
    recipe: chosen.source === 'template' ? null : JSON.stringify(chosen.recipe),
    recipeSource: chosen.source,
    ebuildOid: draft.ebuildOid,
    cacheOid: draft.cacheOid,
    ...{ commitId: upload.commit, branch: upload.branch, ciUrl: upload.ciUrl, uploadedBy: upload.by },
    receivedAt: timestamp(hub.clock.now()),
  }
  return { build, draft }
}

/** What people keep by hand under this name would be overwritten. */
function refuseHandKept(hub: Needs, category: string, pn: Pn): void {
  for (const [environment, { state }] of hub.overlays) {
    if (!state || !lookup(state.tree, `${category}/${pn}`)) continue
    throw new HubError(
      'app.name_taken',
      `${category}/${pn} is kept by hand in the overlay of ${environment}: choose another category in the recipe, ` +
        'or ask an administrator to take those files away',
    )
  }
}

async function archive(
  hub: Needs,
  upload: Upload,
  {
    build,
    draft,
    listing,
  }: { readonly build: BuildRow; readonly draft: EbuildDraft; readonly listing: Buffer },
): Promise<void> {
  // One at a time for the same bytes: the other's undo must not take away the blob that this one's row names.
  await hub.turns.run(`blob:${build.sha512}`, async () => {
    const adoption = await hub.blobs.adopt(upload.received.path, build.sha512)
    try {
      await record(hub, upload, { build, draft, listing })
    } catch (error) {
      await adoption.undo()
      throw error
    }
    await adoption.settle()
  })
}

async function record(
  hub: Needs,
  upload: Upload,
  {
    build,
    draft,
    listing,
  }: { readonly build: BuildRow; readonly draft: EbuildDraft; readonly listing: Buffer },
): Promise<void> {
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
    await upload.record(records, build)
  })
}
