/** What will be recorded of an upload: its number, version and package, and the texts that Portage will see. */
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Pn } from '../gentoo/cpv.ts'
import { pvFromSemver } from '../gentoo/semver-to-pv.ts'
import type { VersionPolicy } from '../gentoo/semver-to-pv.ts'
import { lookup } from '../git/tree.ts'
import type { Hub } from '../hub.ts'
import type { AppRow } from '../records/apps.ts'
import type { BuildRow } from '../records/builds.ts'
import type { ArchiveContents } from './archive-contents.ts'
import type { ChosenRecipe } from './choose-recipe.ts'
import { draftEbuild } from './draft-ebuild.ts'
import type { EbuildDraft } from './draft-ebuild.ts'
import type { Upload } from './receive-build.ts'

type Needs = Pick<Hub, 'config' | 'clock' | 'overlays'>

export interface Description {
  readonly pn: Pn
  readonly app: AppRow | undefined
  readonly contents: ArchiveContents
  readonly chosen: ChosenRecipe
}

/**
 * The row and the texts of a new build; nothing is kept yet.
 * @throws {HubError} `version.*`, `app.category_fixed`, `app.name_taken`, `ebuild.*`.
 */
export function describeBuild(
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
