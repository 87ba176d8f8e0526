/** The description of the API, for programs. */
import { createHash } from 'node:crypto'
import { Router } from 'express'
import { describeApi } from './openapi/document.ts'

/** Needs no token: it tells nothing that one would need. */
export function openapiRoutes(): Router {
  const routes = Router()
  let made: { readonly text: string; readonly etag: string } | null = null
  routes.get('/api/v1/openapi.json', (request, response) => {
    made ??= render()
    response.set({ ETag: made.etag, 'Cache-Control': 'no-cache', 'Access-Control-Allow-Origin': '*' })
    if (request.fresh) response.status(304).end()
    else response.type('application/json').send(made.text)
  })
  return routes
}

function render() {
  const text = `${JSON.stringify(describeApi(), null, 2)}\n`
  return { text, etag: `"${createHash('sha256').update(text).digest('base64url')}"` }
}
