/**
 * What an overlay is to hold: from records to a list of paths with their content. Nothing is written here.
 *
 * Of each app an overlay lists the newest releases; a withdrawn one among them stays, masked with its reason, so that
 * nodes that run it are told. Ebuilds and cache entries were rendered when their build was archived and are only
 * named here: every environment publishes the same texts.
 */
import { formatAtom, parseAtom } from '../gentoo/atom.ts'
import { comparePvr, parsePvr } from '../gentoo/version.ts'
import { renderLayoutConf } from '../gentoo/layout-conf.ts'
import { renderManifest } from '../gentoo/manifest.ts'
import { renderMetadataXml } from '../gentoo/metadata-xml.ts'
import {
  renderCategories,
  renderLicenseGroups,
  renderPackageMask,
  renderProfilesEapi,
  renderRepoName,
  renderThirdpartymirrors,
} from '../gentoo/profiles.ts'
import { lookup } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import type { Oid } from '../git/objects.ts'
import type { Config } from '../config.ts'
import type { HeldBuild } from '../records/holds.ts'
import type { ListedBuild } from '../records/releases.ts'

/** A path's new content: text of its own, a text that the records have already, or null to take the path away. */
export type PlannedFile = { readonly content: Buffer } | { readonly oid: Oid } | null
export type OverlayPlan = ReadonlyMap<string, PlannedFile>

type OverlayConfig = Pick<
  Config,
  'overlayPrefix' | 'publicUrl' | 'masters' | 'freeLicenses' | 'category' | 'keepReleases'
>

/** The masks that the hub keeps; other files of that folder are kept by hand. */
export const WITHDRAWN_MASK = 'profiles/package.mask/portage-hub-withdrawn'
export const HELD_MASK = 'profiles/package.mask/portage-hub-held'

/** Paths that the hub itself writes, besides the packages of its apps. */
export const GENERATED_PATHS: ReadonlySet<string> = new Set([
  'profiles/repo_name',
  'profiles/eapi',
  'profiles/categories',
  'profiles/thirdpartymirrors',
  'profiles/license_groups',
  'metadata/layout.conf',
  WITHDRAWN_MASK,
  HELD_MASK,
])

/** `repo_name` of an environment's overlay, the name of its section in repos.conf: `hub-staging`. */
export function overlayName(config: Pick<Config, 'overlayPrefix'>, environment: string): string {
  return `${config.overlayPrefix}-${environment}`
}

/**
 * Files that follow from the settings. The address of the mirror stands in one of them and nowhere else. `categories`
 * are those of packages that come with the plan, besides those of the tree.
 */
export function planSettings(
  config: OverlayConfig,
  environment: string,
  tree: Tree,
  categories: readonly string[] = [],
): OverlayPlan {
  const licenseGroups = renderLicenseGroups(config.freeLicenses)
  return new Map<string, PlannedFile>([
    ['profiles/repo_name', text(renderRepoName(overlayName(config, environment)))],
    ['profiles/eapi', text(renderProfilesEapi())],
    ['profiles/categories', text(renderCategories(categoriesOf(tree, [config.category, ...categories])))],
    [
      'profiles/thirdpartymirrors',
      text(
        renderThirdpartymirrors({
          mirrorName: config.overlayPrefix,
          urls: [`${config.publicUrl}/distfiles/${environment}`],
        }),
      ),
    ],
    ['profiles/license_groups', licenseGroups === '' ? null : text(licenseGroups)],
    ['metadata/layout.conf', text(renderLayoutConf({ masters: config.masters }))],
  ])
}

/**
 * The package of one app: ebuilds, cache entries, Manifest and metadata.xml of the releases to list.
 * `builds` are all that the environment ever released; `description` is the app's; `pinned` are the numbers of builds that
 * stay listed however old they are.
 */
export function planApp(
  config: OverlayConfig,
  tree: Tree,
  builds: readonly ListedBuild[],
  description: string | null,
  pinned: ReadonlySet<number> = new Set(),
): OverlayPlan {
  const plan = new Map<string, PlannedFile>()
  const listed = newestReleases(builds, config.keepReleases, pinned)
  const [first] = listed
  if (!first) return plan
  const folder = `${first.category}/${first.pn}`
  const cacheFolder = `metadata/md5-cache/${first.category}`
  for (const name of ebuildNames(tree, folder)) {
    plan.set(`${folder}/${name}`, null)
    plan.set(`${cacheFolder}/${name.slice(0, -'.ebuild'.length)}`, null)
  }
  for (const build of listed) {
    plan.set(ebuildPath(build), { oid: build.ebuildOid as Oid })
    plan.set(
      `${cacheFolder}/${build.pn}-${build.pv}`,
      build.cacheOid === null ? null : { oid: build.cacheOid as Oid },
    )
  }
  plan.set(
    `${folder}/Manifest`,
    text(renderManifest(listed.map((build) => ({ ...build, name: build.distfileName })))),
  )
  plan.set(`${folder}/metadata.xml`, text(renderMetadataXml({ longdescription: description ?? undefined })))
  plan.set(
    'profiles/categories',
    text(renderCategories(categoriesOf(tree, [config.category, first.category]))),
  )
  return plan
}

/**
 * The mask of withdrawn releases, of those that the overlay still lists after `planned`. The same releases give the same
 * text, in whatever order they were withdrawn.
 */
export function planMask(tree: Tree, withdrawn: readonly ListedBuild[], planned: OverlayPlan): OverlayPlan {
  const entries = withdrawn
    .filter((build) => isListed(tree, planned, ebuildPath(build)))
    .map((build) => ({
      atom: formatAtom(parseAtom(`=${build.category}/${build.pn}-${build.pv}`)),
      reason: build.reason ?? '',
      by: build.withdrawnBy ?? '',
      date: (build.withdrawnAt ?? '').slice(0, 10),
    }))
    .toSorted((a, b) => (a.atom < b.atom ? -1 : 1))
  return new Map([[WITHDRAWN_MASK, entries.length === 0 ? null : text(renderPackageMask(entries))]])
}

/**
 * The mask of holds: of one build while the overlay lists it after `planned`, of a build and all newer ones always. Two
 * holds of one build are two entries: each is lifted for itself.
 */
export function planHeldMask(tree: Tree, holds: readonly HeldBuild[], planned: OverlayPlan): OverlayPlan {
  const entries = holds.flatMap(({ id, category, pn, pv, newer, yank, reason: why, heldBy, heldAt }) => {
    if (category === null || pn === null || pv === null) return []
    if (newer === 0 && !isListed(tree, planned, ebuildPath({ category, pn, pv }))) return []
    const atom = formatAtom(parseAtom(`${newer === 1 ? '>=' : '='}${category}/${pn}-${pv}`))
    const reason = yank === 1 ? `Yanked: ${why}` : why
    return [{ id, atom, reason, by: heldBy, date: heldAt.slice(0, 10) }]
  })
  const sorted = entries.toSorted((a, b) => (`${a.atom} ${a.id}` < `${b.atom} ${b.id}` ? -1 : 1))
  return new Map([[HELD_MASK, sorted.length === 0 ? null : text(renderPackageMask(sorted))]])
}

/** The newest `count` by Portage's order of versions, and of the others those that are pinned; newest first. */
export function newestReleases(
  builds: readonly ListedBuild[],
  count: number,
  pinned: ReadonlySet<number> = new Set(),
): readonly ListedBuild[] {
  return builds
    .map((build) => ({ build, pvr: parsePvr(build.pv) }))
    .sort((a, b) => comparePvr(b.pvr, a.pvr))
    .filter(({ build }, place) => place < count || pinned.has(build.build))
    .map(({ build }) => build)
}

export function ebuildPath(build: Pick<ListedBuild, 'category' | 'pn' | 'pv'>): string {
  return `${build.category}/${build.pn}/${build.pn}-${build.pv}.ebuild`
}

/** Top folders of a tree that hold packages; anything else at the top has one of these names. */
export function categoriesOf(tree: Tree, more: readonly string[]): readonly string[] {
  const folders = tree.entries
    .filter((entry) => entry.tree && !NO_CATEGORIES.has(entry.name))
    .map(({ name }) => name)
  return [...folders, ...more]
}

const NO_CATEGORIES: ReadonlySet<string> = new Set(['profiles', 'metadata', 'licenses', 'eclass'])

function isListed(tree: Tree, planned: OverlayPlan, path: string): boolean {
  const change = planned.get(path)
  return change === undefined ? lookup(tree, path) !== undefined : change !== null
}

function ebuildNames(tree: Tree, folder: string): readonly string[] {
  const entries = lookup(tree, folder)?.tree?.entries ?? []
  return entries.map(({ name }) => name).filter((name) => name.endsWith('.ebuild'))
}

function text(content: string): PlannedFile {
  return { content: Buffer.from(content) }
}
