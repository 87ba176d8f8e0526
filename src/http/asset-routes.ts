/** Styles, script and icon of the pages. Their addresses hold a digest, so a browser need never ask again. */
import { Router } from 'express'
import type { Asset } from '../web/assets.ts'

export function assetRoutes(assets: readonly Asset[]): Router {
  const routes = Router()
  for (const { address, type, bytes, gzip, brotli } of assets)
    routes.get(address, (request, response) => {
      response.set({ 'Cache-Control': 'public, max-age=31536000, immutable', Vary: 'Accept-Encoding' })
      response.type(type)
      const coding = request.acceptsEncodings('br', 'gzip', 'identity')
      if (coding === 'br' || coding === 'gzip') response.set('Content-Encoding', coding)
      response.send(coding === 'br' ? brotli : coding === 'gzip' ? gzip : bytes)
    })
  return routes
}
