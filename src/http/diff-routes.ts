/** `/apps/{app}/builds/{build}/diff/{other}`: what a build has otherwise than another of its app. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { stringify } from 'yaml'
import { sightOf } from '../access/rights.ts'
import type { ArchiveEntry, ArchiveFormat } from '../builds/archive-contents.ts'
import { named } from '../builds/archive-rules.ts'
import { compareArchives } from '../builds/compare-archives.ts'
import type { ArchiveComparison, ComparedArchive, EntryChange } from '../builds/compare-archives.ts'
import { digestEntriesInWorker } from '../builds/digest-entries-in-worker.ts'
import { isText } from '../builds/file-kind.ts'
import { readArchiveFile } from '../builds/read-archive-file.ts'
import { ByteCache } from '../byte-cache.ts'
import { HubError } from '../errors.ts'
import type { Oid } from '../git/objects.ts'
import type { Hub } from '../hub.ts'
import { readOverlayBlob } from '../overlays/overlay-history.ts'
import { unifiedDiff } from '../overlays/unified-diff.ts'
import type { BuildRow } from '../records/builds.ts'
import { principalOf } from './auth.ts'
import { listingOf, visibleBuild, visibleBuildOf, withReleases } from './build-routes.ts'
import type { Build } from './openapi/builds.ts'
import type { BuildDiff, FileChange } from './openapi/diffs.ts'
import { readingTurn } from './reading-turn.ts'
import { entryJson } from './representations.ts'
import { numberedPageRequest, parameter, parseBuildNumber, sendPage } from './request.ts'

/** Larger files are compared as a whole, and not line by line. */
const MOST_TEXT_BYTES = 256 * 1024

export function diffRoutes(hub: Hub): Router {
  const routes = Router()
  const path = '/apps/:app/builds/:build/diff/:other'
  routes.get(path, async (request, response) => {
    const builds = await comparedBuilds(hub, request, response)
    response.json(await buildDiff(hub, response, builds, await comparison(hub, response, builds)))
  })
  routes.get(`${path}/files`, async (request, response) => {
    const { limit, cursor } = numberedPageRequest(request, 1000, 10_000)
    const { changes } = await comparison(hub, response, await comparedBuilds(hub, request, response))
    const start = Number(cursor ?? 0)
    const nextCursor = start + limit < changes.length ? String(start + limit) : null
    sendPage(request, response, { items: changes.slice(start, start + limit), nextCursor }, changeJson)
  })
  routes.get(`${path}/files/*path`, async (request, response) => {
    const builds = await comparedBuilds(hub, request, response)
    const text = await fileDiff(hub, response, builds, parameter(request, 'path'))
    // Text of somebody else's making: never anything that a browser would run.
    response.set('Content-Security-Policy', "default-src 'none'; sandbox")
    response.type('text/plain; charset=utf-8').send(text)
  })
  return routes
}

/** What `to` has otherwise than `from`. */
export interface ComparedBuilds {
  readonly from: BuildRow
  readonly to: BuildRow
}

/** Those of the path: `other` is what `build` is compared with. @throws {HubError} `build.unknown`; `build.invalid_number`. */
export async function comparedBuilds(
  hub: Hub,
  request: Request,
  response: Response,
): Promise<ComparedBuilds> {
  const to = await visibleBuild(hub, request, response)
  const other = parseBuildNumber(parameter(request, 'other'))
  return { from: await visibleBuildOf(hub, response, to.app, other), to }
}

/** All but the single files: facts, recipe, dependencies, ebuild, checks, and how many files differ. */
export async function buildDiff(
  hub: Hub,
  response: Response,
  builds: ComparedBuilds,
  { changes, unchanged }: ArchiveComparison,
): Promise<BuildDiff> {
  const sight = sightOf(principalOf(response))
  const [from, to] = await Promise.all([
    withReleases(hub, builds.from, sight),
    withReleases(hub, builds.to, sight),
  ])
  const count = (wanted: EntryChange['change']) => changes.filter(({ change }) => change === wanted).length
  return {
    from,
    to,
    files: { added: count('added'), removed: count('removed'), changed: count('changed'), unchanged },
    dependencies: {
      runtime: listDiff(dependsOf(from, 'runtime'), dependsOf(to, 'runtime')),
      build: listDiff(dependsOf(from, 'build'), dependsOf(to, 'build')),
    },
    recipe: unifiedDiff('portage-hub.yaml', recipeText(from), recipeText(to)),
    ebuild: unifiedDiff(`${to.pn}.ebuild`, await ebuildOf(hub, builds.from), await ebuildOf(hub, builds.to)),
    checks: await checksDiff(hub, builds),
  }
}

/** Of what was asked for lately, by the digests of both: whoever walks through many changes asks for page after page. */
const compared = new ByteCache<ArchiveComparison>(64 * 1024 * 1024)
/** About what a change takes; its entries are those of the listings. */
const BYTES_PER_CHANGE = 150

/** How their files differ. Reading two large tarballs takes long; it ends when nobody waits for the answer any more. */
export async function comparison(
  hub: Hub,
  response: Response,
  { from, to }: ComparedBuilds,
): Promise<ArchiveComparison> {
  using _turn = await readingTurn(response)
  const key = `${from.sha512} ${to.sha512}`
  const known = compared.get(key) ?? (await compareAnew(hub, response, { from, to }))
  compared.set(key, known, known.changes.length * BYTES_PER_CHANGE)
  return known
}

async function compareAnew(
  hub: Hub,
  response: Response,
  { from, to }: ComparedBuilds,
): Promise<ArchiveComparison> {
  const controller = new AbortController()
  const abort = (): void => {
    controller.abort(new HubError('request.truncated', 'nobody waits for the answer any more'))
  }
  response.once('close', abort)
  const isSame = from.sha512 === to.sha512
  const side = async (build: BuildRow): Promise<ComparedArchive> => ({
    topDirectory: build.topDirectory,
    entries: await listingOf(hub, build),
    digests: isSame ? new Map() : await digestsOf(hub, build, controller.signal),
  })
  try {
    return compareArchives(...(await Promise.all([side(from), side(to)])))
  } finally {
    response.off('close', abort)
  }
}

async function digestsOf({ blobs }: Pick<Hub, 'blobs'>, build: BuildRow, signal: AbortSignal) {
  const question = { path: blobs.path(build.sha512), format: build.format as ArchiveFormat }
  return await digestEntriesInWorker(question, signal)
}

export function changeJson({ path, change, differs, from, to }: EntryChange): FileChange {
  return { path, change, differs, from: from && entryJson(from), to: to && entryJson(to) }
}

/**
 * A file of both trees line by line, in the unified form; empty if it is the same in both. `path` is inside the top folders.
 * @throws {HubError} `archive.no_such_file`; `archive.not_text`; `archive.too_large_to_compare`.
 */
export async function fileDiff(
  hub: Hub,
  response: Response,
  { from, to }: ComparedBuilds,
  path: string,
): Promise<string> {
  using _turn = await readingTurn(response)
  const [before, after] = [await textIn(hub, from, path), await textIn(hub, to, path)]
  if (before === null && after === null)
    throw new HubError('archive.no_such_file', `Neither of the builds has a file ${named(path)}.`)
  return unifiedDiff(path, before, after)
}

/** null: the build has no such file. */
async function textIn(hub: Hub, build: BuildRow, path: string): Promise<string | null> {
  const whole = build.topDirectory === null ? path : `${build.topDirectory}/${path}`
  const entry = (await listingOf(hub, build)).find((each) => each.path === whole)
  if (!isFile(entry)) return null
  const archive = hub.blobs.path(build.sha512)
  const { content, truncated } = await readArchiveFile(
    archive,
    build.format as ArchiveFormat,
    whole,
    MOST_TEXT_BYTES,
  )
  const what = `${named(path)} of build ${String(build.build)}`
  if (!isText(content))
    throw new HubError('archive.not_text', `${what} is not text; fetch both and compare them.`)
  if (truncated) {
    const most = `${String(MOST_TEXT_BYTES / 1024)} KiB`
    throw new HubError(
      'archive.too_large_to_compare',
      `${what} has more than ${most}; fetch both and compare them.`,
    )
  }
  return content.toString('utf8')
}

function isFile(entry: ArchiveEntry | undefined): boolean {
  return entry?.type === 'file' || entry?.type === 'hardlink'
}

function dependsOf({ recipe }: Build, when: 'runtime' | 'build'): readonly string[] {
  const { depends } = (recipe ?? {}) as { depends?: Readonly<Record<string, readonly string[] | undefined>> }
  return depends?.[when] ?? []
}

function listDiff(from: readonly string[], to: readonly string[]) {
  return {
    added: to.filter((each) => !from.includes(each)),
    removed: from.filter((each) => !to.includes(each)),
  }
}

/** null: an ebuild was sent complete. */
function recipeText({ recipe }: Build): string | null {
  return recipe && stringify(recipe)
}

async function ebuildOf({ records }: Pick<Hub, 'records'>, build: BuildRow): Promise<string> {
  return (await readOverlayBlob(records, build.ebuildOid as Oid)).toString('utf8')
}

/** The newest of each stage and name, of either build. */
async function checksDiff({ records }: Pick<Hub, 'records'>, { from, to }: ComparedBuilds) {
  const before = await records.checks.newest(from.app, from.build)
  const after = await records.checks.newest(to.app, to.build)
  const status = (checks: typeof before, stage: string, name: string) =>
    checks.find((check) => check.stage === stage && check.name === name)?.status ?? null
  const all = new Map([...after, ...before].map((one) => [`${one.stage} ${one.name}`, one]))
  return [...all.values()].map(({ stage, name }) => ({
    stage,
    name,
    from: status(before, stage, name),
    to: status(after, stage, name),
  }))
}
