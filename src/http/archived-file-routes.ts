/** `/apps/{app}/builds/{build}/raw/{path}`: the bytes of a file in a tarball, such that no browser runs anything of them. */
import { pipeline } from 'node:stream/promises'
import { Router } from 'express'
import type { Response } from 'express'
import type { ArchiveEntry, ArchiveFormat } from '../builds/archive-contents.ts'
import { named } from '../builds/archive-rules.ts'
import { fileAt } from '../builds/browse-listing.ts'
import { imageType } from '../builds/file-kind.ts'
import { archivedBytes } from '../builds/read-archive-file.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import { listingOf, visibleBuild } from './build-routes.ts'
import { readingTurn } from './reading-turn.ts'
import { parameter } from './request.ts'

export function archivedFileRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/apps/:app/builds/:build/raw/*path', async (request, response) => {
    const build = await visibleBuild(hub, request, response)
    const path = parameter(request, 'path')
    const file = fileAt(await listingOf(hub, build), path)
    if (!file) {
      const detail = `${named(path)} is no file of the tarball. List its files to see what there is.`
      throw new HubError('archive.no_such_file', detail)
    }
    using _turn = await readingTurn(response)
    await sendFile(hub, response, build, { path, file })
  })
  return routes
}

/** `file` is the entry that has the bytes of what is at `path`. */
async function sendFile(
  hub: Pick<Hub, 'blobs'>,
  response: Response,
  build: BuildRow,
  { path, file }: { readonly path: string; readonly file: ArchiveEntry },
): Promise<void> {
  const archive = hub.blobs.path(build.sha512)
  const bytes = archivedBytes(archive, build.format as ArchiveFormat, file.path)
  const { value: first = Buffer.alloc(0), done } = (await bytes.next()) as IteratorResult<Buffer, undefined>
  const name = path.split('/').at(-1) ?? ''
  const image = imageType(name, first)
  // The attachment's name gives it a type, which must not be its own.
  if (image === null) response.attachment(name)
  response.set({
    'Content-Type': image ?? 'application/octet-stream',
    'Content-Length': String(file.sizeBytes),
    'Content-Security-Policy': "default-src 'none'; sandbox",
  })
  if (response.req.method === 'HEAD') {
    await bytes.return(undefined)
    response.end()
    return
  }
  try {
    await pipeline(joined(first, done === true ? null : bytes), response)
  } catch (error) {
    // Whoever asked has left.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

async function* joined(first: Buffer, rest: AsyncIterable<Buffer> | null): AsyncGenerator<Buffer> {
  yield first
  if (rest) yield* rest
}
