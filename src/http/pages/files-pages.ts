/** `/apps/{app}/builds/{build}/files`: what is in a tarball, without downloading it. */
import { posix } from 'node:path'
import { Router } from 'express'
import type { Request, Response } from 'express'
import type { ArchiveEntry, ArchiveFormat } from '../../builds/archive-contents.ts'
import { named } from '../../builds/archive-rules.ts'
import { entriesIn, entriesNamed } from '../../builds/browse-listing.ts'
import { imageType, isText } from '../../builds/file-kind.ts'
import { readArchiveFile } from '../../builds/read-archive-file.ts'
import { HubError } from '../../errors.ts'
import { hasHiddenCharacters } from '../../gentoo/quote.ts'
import type { Hub } from '../../hub.ts'
import type { BuildRow } from '../../records/builds.ts'
import { filePage, filesPage, folderAddress } from '../../web/pages/files-page.ts'
import type { ListedEntry, Preview } from '../../web/pages/files-page.ts'
import { listingOf, visibleBuild } from '../build-routes.ts'
import { readingTurn } from '../reading-turn.ts'
import { entryJson } from '../representations.ts'
import { numberedPageRequest, parameter, query } from '../request.ts'
import { answerPage, nextPage, requireVisitor } from './frame.ts'

const PATH = '/apps/:app/builds/:build/files'

/** More of a text, or a larger image, is for a program of one's own. Each line costs, also an empty one. */
const MOST = { textBytes: 256 * 1024, textLines: 20_000, imageBytes: 8 * 1024 * 1024 }
const HEAD_BYTES = 512

export function filesPages(hub: Hub): Router {
  const routes = Router()
  routes.get(PATH, requireVisitor, async (request, response) => {
    await answerFolder(hub, request, response)
  })
  routes.get(`${PATH}/*path`, requireVisitor, async (request, response) => {
    await answerFile(hub, request, response)
  })
  return routes
}

async function answerFolder(hub: Hub, request: Request, response: Response): Promise<void> {
  const build = await visibleBuild(hub, request, response)
  const folder = query(request, 'in') ?? ''
  const q = query(request, 'q') ?? ''
  const { limit, cursor } = numberedPageRequest(request, 200)
  const listing = await listingOf(hub, build)
  const inside = entriesIn(listing, folder)
  if (inside === null) throw noSuchFile(folder)
  const found = q === '' ? inside : entriesNamed(listing, folder, q)
  const start = Number(cursor ?? 0)
  const entries = found.slice(start, start + limit).map(({ mode, holds, ...entry }): ListedEntry => ({
    ...entry,
    mode: mode === null ? null : entryJson({ ...entry, mode }).mode,
    holds: holds ?? null,
  }))
  const content = filesPage({
    ...{ build, folder, q, entries, count: found.length },
    sizeBytes: found.reduce((sum, { type, sizeBytes }) => (type === 'hardlink' ? sum : sum + sizeBytes), 0),
    next: nextPage(request, start + limit < found.length ? String(start + limit) : null),
  })
  answerPage(request, response, { title: titleOf(build, folder), section: 'apps' }, content)
}

async function answerFile(hub: Hub, request: Request, response: Response): Promise<void> {
  const build = await visibleBuild(hub, request, response)
  const path = parameter(request, 'path')
  const listing = await listingOf(hub, build)
  const entry = listing.find((candidate) => candidate.path === path)
  if (isFolder(listing, path)) {
    response.redirect(303, folderAddress(build, path))
    return
  }
  if (!entry) throw noSuchFile(path)
  const preview =
    entry.type === 'symlink' ? linkPreview(listing, entry) : await previewOf(hub, response, build, entry)
  const content = filePage({ build, entry: entryJson(entry), preview, most: MOST })
  answerPage(request, response, { title: titleOf(build, path), section: 'apps' }, content)
}

async function previewOf(
  hub: Hub,
  response: Response,
  build: BuildRow,
  { path, sizeBytes }: ArchiveEntry,
): Promise<Preview> {
  using _turn = await readingTurn(response)
  const archive = hub.blobs.path(build.sha512)
  const format = build.format as ArchiveFormat
  const { content, truncated } = await readArchiveFile(archive, format, path, MOST.textBytes)
  if (imageType(path, content) !== null) return { kind: 'image', isShown: sizeBytes <= MOST.imageBytes }
  if (!isText(content)) return { kind: 'bytes', head: content.subarray(0, HEAD_BYTES) }
  // A letter that the end cuts in two is none that is missing.
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(content, { stream: truncated })
  const isOdd = hasHiddenCharacters(text.replaceAll(/[\t\n\r\f]/g, '')) || text.includes('\u{fffd}')
  const beginning = firstLines(text, MOST.textLines)
  return { kind: 'text', text: beginning, isWhole: !truncated && beginning === text, isOdd }
}

function firstLines(text: string, count: number): string {
  let end = 0
  for (let lines = 0; lines < count; lines++) {
    end = text.indexOf('\n', end) + 1
    if (end === 0) return text
  }
  return text.slice(0, end)
}

function linkPreview(listing: readonly ArchiveEntry[], { path, target = '' }: ArchiveEntry): Preview {
  const place = posix.join(posix.dirname(path), target).replace(/\/$/, '')
  if (isFolder(listing, place)) return { kind: 'link', leadsTo: { path: place, isFolder: true } }
  const isThere = listing.some((entry) => entry.path === place)
  return { kind: 'link', leadsTo: isThere ? { path: place, isFolder: false } : null }
}

/** Some folders have no entry of their own. */
function isFolder(listing: readonly ArchiveEntry[], path: string): boolean {
  return entriesIn(listing, path) !== null
}

function titleOf({ app, build }: BuildRow, path: string): string {
  const where = `${app} build ${String(build)}`
  return path === '' ? `Files of ${where}` : `${path.split('/').at(-1) ?? ''} · ${where}`
}

function noSuchFile(path: string): HubError {
  return new HubError(
    'archive.no_such_file',
    `The tarball has no ${named(path)}. List its files to see what there is.`,
  )
}
