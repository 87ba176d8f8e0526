/** `/search`: everything by words; and the parts of it that the search box of every page asks for. */
import { Router } from 'express'
import type { Hub } from '../../hub.ts'
import { searchOptions, searchPage } from '../../web/pages/search-page.ts'
import { query } from '../request.ts'
import { searchedFor } from '../search-routes.ts'
import { answerPage, requireVisitor } from './frame.ts'

/** Of each kind in the list below the box: all of it is seen at once. */
const OPTIONS_PER_KIND = 5
const MOST_PER_KIND = 50

export function searchPages(hub: Hub): Router {
  const routes = Router()
  routes.get('/search', requireVisitor, async (request, response) => {
    const isPart = query(request, 'part') === 'options'
    const searched = await searchedFor(hub, request, response, isPart ? OPTIONS_PER_KIND : undefined)
    if (isPart) {
      response.set('Cache-Control', 'no-store').type('text/html; charset=utf-8')
      response.send(searchOptions(searched).toString())
      return
    }
    if (query(request, 'go') === 'true' && searched.only !== null) {
      response.redirect(303, searched.only)
      return
    }
    const isAll = query(request, 'limit') === String(MOST_PER_KIND)
    const more = isAll ? null : `/search?q=${encodeURIComponent(searched.q)}&limit=${String(MOST_PER_KIND)}`
    const title = searched.q === '' ? 'Search' : `Search: ${searched.q}`
    answerPage(request, response, { title }, searchPage({ searched, more, now: hub.clock.now() }))
  })
  return routes
}
