/** `/docs`: the API's description as a page, by swagger-ui, which comes from here like all that it loads. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Router } from 'express'
import type { Request, Response } from 'express'

/** Nothing comes from elsewhere, nothing goes there. The pictures are in swagger-ui's style sheet. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>The API of Portage Hub</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/docs/api-docs.css">
    <script src="/docs/api-docs.js" defer></script>
  </head>
  <body>
    <main id="docs">
      <noscript>
        <p>This page needs JavaScript. It shows <a href="/api/v1/openapi.json">openapi.json</a>.</p>
      </noscript>
    </main>
  </body>
</html>
`

/** Each file is one request: swagger-ui's and ours. */
const FILES = [
  {
    ...{ name: 'api-docs.css', type: 'text/css; charset=utf-8' },
    parts: [ofPackage('swagger-ui-dist/swagger-ui.css'), own('api-docs.css')],
  },
  {
    ...{ name: 'api-docs.js', type: 'text/javascript; charset=utf-8' },
    parts: [ofPackage('swagger-ui-dist/swagger-ui-bundle.js'), own('api-docs.js')],
  },
]

interface Packed {
  readonly plain: Buffer
  readonly gzipped: Buffer
  readonly etag: string
}

/** Needs no token: what the page asks of the API it asks with that of whoever looks. */
export function docsRoutes(): Router {
  const routes = Router()
  routes.get('/docs', (_request, response) => {
    response.set({ 'Content-Security-Policy': POLICY, 'Cache-Control': 'no-cache' })
    response.type('text/html; charset=utf-8').send(PAGE)
  })
  for (const { name, type, parts } of FILES) {
    // Few ask for it, and it is large: it is read when somebody does.
    let packed: Promise<Packed> | null = null
    routes.get(`/docs/${name}`, async (request, response) => {
      packed ??= pack(parts)
      response.type(type)
      sendPacked(request, response, await packed)
    })
  }
  return routes
}

async function pack(parts: readonly (string | URL)[]): Promise<Packed> {
  const read = await Promise.all(parts.map(async (part) => await readFile(part)))
  const plain = Buffer.concat(read.flatMap((bytes) => [bytes, Buffer.from('\n')]))
  const etag = `"${createHash('sha256').update(plain).digest('base64url')}"`
  return { plain, gzipped: await promisify(gzip)(plain), etag }
}

function sendPacked(request: Request, response: Response, { plain, gzipped, etag }: Packed): void {
  response.set({ ETag: etag, 'Cache-Control': 'no-cache', Vary: 'Accept-Encoding' })
  const isPacked = request.acceptsEncodings('gzip', 'identity') === 'gzip'
  if (request.fresh) response.status(304).end()
  else if (isPacked) response.set('Content-Encoding', 'gzip').send(gzipped)
  else response.send(plain)
}

function ofPackage(path: string): string {
  return createRequire(import.meta.url).resolve(path)
}

function own(name: string): URL {
  return new URL(`../web/assets/${name}`, import.meta.url)
}
