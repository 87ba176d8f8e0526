/**
 * `app-portage/hub-node` in an overlay: the program of nodes, as this hub brings it along. It has the hub's version; a
 * text that changes within one version gets the next revision, so that nodes see an update and nothing that was
 * published ever changes under its name.
 */
import { readFileSync } from 'node:fs'
import { pvOfRelease } from '../gentoo/semver-to-pv.ts'
import { renderMetadataXml } from '../gentoo/metadata-xml.ts'
import { renderProgramCache, renderProgramEbuild } from '../gentoo/program-ebuild.ts'
import { isPvr, pvOf, splitPvr, withRevision } from '../gentoo/version.ts'
import type { Pv, Pvr } from '../gentoo/version.ts'
import { objectId } from '../git/objects.ts'
import { lookup } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import type { OverlayPlan, PlannedFile } from './plan-overlay.ts'

const CATEGORY = 'app-portage'
const PROGRAM = 'hub-node'
export const HUB_NODE_FOLDER = `${CATEGORY}/${PROGRAM}`
/** How systemd and OpenRC run it: they lie beside the program. */
const SERVICE_FILES = [`${PROGRAM}.initd`, `${PROGRAM}.service`].map((name) => ({
  name,
  content: readFileSync(new URL(`../../node/${name}`, import.meta.url)),
}))
const DESCRIPTION = 'Backs up, upgrades and rolls back the packages of a Portage Hub on this node'

export interface HubNodeProgram {
  readonly content: Buffer
  /** Of the hub that brings it: a semantic version. */
  readonly version: string
}

/** The package's files, of which the newest version stays alone; nothing to change when it is there as it is. */
export function planHubNode(
  tree: Tree,
  { content, version }: HubNodeProgram,
  keywords: readonly string[],
): OverlayPlan {
  const pkg = { program: PROGRAM, isService: true, description: DESCRIPTION, license: 'Apache-2.0', keywords }
  const ebuild = renderProgramEbuild(pkg)
  const published = publishedVersions(tree)
  const files = [{ name: PROGRAM, content }, ...SERVICE_FILES]
  const pvr = nextVersion(tree, pvOfRelease(version), published, { files, ebuild })
  const plan = new Map<string, PlannedFile>()
  for (const old of published) for (const path of pathsOf(old)) plan.set(path, null)
  const [ebuildPath, cachePath] = pathsOf(pvr)
  plan.set(ebuildPath, text(ebuild))
  plan.set(cachePath, text(renderProgramCache(pkg, ebuild)))
  for (const file of files) plan.set(filePath(file), { content: file.content })
  plan.set(`${HUB_NODE_FOLDER}/metadata.xml`, text(renderMetadataXml({ longdescription: DESCRIPTION })))
  return plan
}

/** Categories that the plan needs in `profiles/categories`. */
export const HUB_NODE_CATEGORIES: readonly string[] = [CATEGORY]

function publishedVersions(tree: Tree): readonly Pvr[] {
  const entries = lookup(tree, HUB_NODE_FOLDER)?.tree?.entries ?? []
  return entries
    .map(({ name }) => new RegExp(`^${PROGRAM}-(.*)\\.ebuild$`).exec(name)?.[1] ?? '')
    .filter((version) => isPvr(version))
}

function nextVersion(
  tree: Tree,
  pv: Pv,
  published: readonly Pvr[],
  { files, ebuild }: { readonly files: readonly InstalledFile[]; readonly ebuild: string },
): Pvr {
  const revisions = published.filter((pvr) => pvOf(pvr) === pv).map((pvr) => splitPvr(pvr).revision)
  if (revisions.length === 0) return pv
  const newest = Math.max(...revisions)
  const pvr = withRevision(pv, newest)
  const isSame =
    holds(tree, pathsOf(pvr)[0], Buffer.from(ebuild)) &&
    files.every((file) => holds(tree, filePath(file), file.content))
  return isSame ? pvr : withRevision(pv, newest + 1)
}

interface InstalledFile {
  readonly name: string
  readonly content: Buffer
}

function filePath({ name }: InstalledFile): string {
  return `${HUB_NODE_FOLDER}/files/${name}`
}

function holds(tree: Tree, path: string, content: Buffer): boolean {
  return lookup(tree, path)?.oid === objectId('blob', content)
}

function pathsOf(pvr: Pvr): readonly [ebuild: string, cache: string] {
  const pf = `${PROGRAM}-${pvr}`
  return [`${HUB_NODE_FOLDER}/${pf}.ebuild`, `metadata/md5-cache/${CATEGORY}/${pf}`]
}

function text(content: string): PlannedFile {
  return { content: Buffer.from(content) }
}
