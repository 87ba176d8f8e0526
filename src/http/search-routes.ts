/** `/search`: everything by one line of words, as far as the asker may see it. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import type { Hub } from '../hub.ts'
import { findEverything } from './find-everything.ts'
import type { Searched } from './openapi/search.ts'
import { pageRequest, query } from './request.ts'
import { readSearchWords } from './search-words.ts'

const PER_KIND = 10
const MOST_PER_KIND = 50

export function searchRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/search', async (request, response) => {
    response.json(await searchedFor(hub, request, response))
  })
  return routes
}

/** What `?q=` finds, `?limit=` of each kind. @throws {HubError} `request.invalid`. */
export async function searchedFor(
  hub: Hub,
  request: Request,
  response: Response,
  perKind = PER_KIND,
): Promise<Searched> {
  const { limit } = pageRequest(request, perKind, MOST_PER_KIND)
  return await findEverything(hub, response, readSearchWords(query(request, 'q') ?? ''), limit)
}
