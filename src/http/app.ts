/** The application: every address but those that nodes poll (`node-door.ts`). */
import compression from 'compression'
import express from 'express'
import type { Express } from 'express'
import helmet from 'helmet'
import type { Hub } from '../hub.ts'
import { readAssets } from '../web/assets.ts'
import { appRoutes } from './app-routes.ts'
import { archivedFileRoutes } from './archived-file-routes.ts'
import { confineEnrolment, identify } from './auth.ts'
import { assetRoutes } from './asset-routes.ts'
import { auditRoutes } from './audit-routes.ts'
import { buildRoutes } from './build-routes.ts'
import { checkRoutes } from './check-routes.ts'
import { ciProgramRoutes } from './ci-program-routes.ts'
import { diffRoutes } from './diff-routes.ts'
import { docsRoutes } from './docs-routes.ts'
import { environmentRoutes, overlayHandRoutes } from './environment-routes.ts'
import { errorHandler, notFound } from './error-handler.ts'
import { eventRoutes } from './event-routes.ts'
import { healthRoutes } from './health-routes.ts'
import { holdRoutes } from './hold-routes.ts'
import { idempotent } from './idempotency.ts'
import { keyRoutes, publicKeyRoutes } from './key-routes.ts'
import { openIdRoutes } from './openid-routes.ts'
import { openapiRoutes } from './openapi-routes.ts'
import { markRoutes } from './mark-routes.ts'
import { nodeRoutes, nodeSetupRoutes } from './node-routes.ts'
import { pages } from './pages/pages.ts'
import { peopleRoutes } from './people-routes.ts'
import { policyRoutes } from './policy-routes.ts'
import { promotionRoutes } from './promotion-routes.ts'
import { restorePointFileRoutes, restorePointRoutes } from './restore-point-routes.ts'
import { resumableRoutes } from './resumable-routes.ts'
import { rollbackRoutes } from './rollback-routes.ts'
import { searchRoutes } from './search-routes.ts'
import { guardSession } from './session.ts'
import { signInLimit } from './sign-in-limit.ts'
import { signInPages } from './pages/sign-in-pages.ts'
import { ownSessionRoutes, signInRoutes } from './sign-in-routes.ts'
import type { BlobSender } from './send-blob.ts'
import { storageRoutes } from './storage-routes.ts'
import { tokenRoutes } from './token-routes.ts'
import { exchangeRoutes, trustRoutes } from './trust-routes.ts'
import { uploadRoutes } from './upload-routes.ts'
import { webhookRoutes } from './webhook-routes.ts'

/** Pages take styles, script, icon and data from here alone, and nothing of what a value says becomes any of them. */
const CONTENT_SECURITY_POLICY = {
  ...{ defaultSrc: ["'none'"], scriptSrc: ["'self'"], styleSrc: ["'self'"], connectSrc: ["'self'"] },
  // Pico draws its small signs as images that stand in the style sheet.
  ...{ imgSrc: ["'self'", 'data:'], formAction: ["'self'"], baseUri: ["'none'"], frameAncestors: ["'none'"] },
}

export function createApp(hub: Hub, blobs: BlobSender): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('etag', false)
  app.set('query parser', 'simple')
  if (hub.config.trustProxy) app.set('trust proxy', 'loopback, linklocal, uniquelocal')
  app.use(
    helmet({
      contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY_POLICY },
      crossOriginResourcePolicy: { policy: 'same-site' },
      // With none at all, browsers name `null` as the origin of a form, and no form of ours would be taken.
      referrerPolicy: { policy: 'same-origin' },
      strictTransportSecurity: hub.config.tlsCert !== null,
    }),
  )
  app.use(operations(hub))
  const { assets } = readAssets()
  app.use(assetRoutes(assets))
  app.use(identify(hub))
  app.use(nodeSetupRoutes(hub), ciProgramRoutes())
  const limit = signInLimit(hub)
  app.use(compression({ filter: (_request, response) => isPage(response) }))
  app.use(openIdRoutes(hub, signInLimit(hub, true)), signInPages(hub, limit))
  app.use('/api/v1', confineEnrolment, api(hub, blobs, limit))
  app.use(pages(hub))
  app.use(notFound)
  app.use(errorHandler(hub))
  return app
}

/** Bytes of packages are compressed already, events must not wait, and a list of the API is for programs nearby. */
function isPage(response: Pick<express.Response, 'getHeader'>): boolean {
  return String(response.getHeader('Content-Type')).startsWith('text/html')
}

function api(hub: Hub, blobs: BlobSender, limit: express.RequestHandler): express.Router {
  const routes = express.Router()
  // Uploads stream and hand-kept files are bytes; every other body is JSON and small.
  routes.use((_request, response, next) => {
    response.set('Cache-Control', 'no-store')
    // People read these answers in a terminal: indented, and ended by a line feed.
    response.json = (body: unknown) =>
      response.type('application/json').send(`${JSON.stringify(body, null, 2)}\n`)
    next()
  })
  routes.use(signInRoutes(hub, limit), guardSession(hub), ownSessionRoutes(hub))
  routes.use(uploadRoutes(hub), resumableRoutes(hub), buildRoutes(hub, blobs), overlayHandRoutes(hub))
  routes.use(archivedFileRoutes(hub), diffRoutes(hub), restorePointFileRoutes(hub), exchangeRoutes(hub))
  // The 2,000 files that a restore point may have, with their digests. What was read here is not read again.
  routes.use('/nodes/:node/restore-points', express.json({ limit: '4mb' }))
  routes.use(express.json({ limit: '1mb' }), idempotent(hub))
  routes.use(
    appRoutes(hub),
    checkRoutes(hub),
    markRoutes(hub),
    environmentRoutes(hub),
    policyRoutes(hub),
    promotionRoutes(hub),
    holdRoutes(hub),
    tokenRoutes(hub),
    trustRoutes(hub),
    peopleRoutes(hub),
    keyRoutes(hub),
    auditRoutes(hub),
    eventRoutes(hub),
    webhookRoutes(hub),
    healthRoutes(hub),
    storageRoutes(hub),
    nodeRoutes(hub),
    restorePointRoutes(hub),
    rollbackRoutes(hub),
    searchRoutes(hub),
  )
  return routes
}

/** Addresses that need no token and tell nothing that one would need. */
function operations(hub: Hub): express.Router {
  const routes = express.Router()
  routes.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' })
  })
  routes.get('/readyz', async (_request, response) => {
    const isReady = await hub.records.isReachable()
    response.status(isReady ? 200 : 503).json({ status: isReady ? 'ok' : 'unavailable' })
  })
  routes.use(publicKeyRoutes(hub), openapiRoutes(), docsRoutes())
  return routes
}
