/** The routes that the application really has, read out of Express. */
import { createApp } from '../../src/http/app.ts'
import { BlobSender } from '../../src/http/send-blob.ts'
import type { Hub } from '../../src/hub.ts'

/** What a router of Express keeps of each thing that was given to `use` or to a method. */
interface Layer {
  readonly rawPath: string | readonly string[]
  readonly handle: { readonly stack?: readonly Layer[] }
  readonly route?: {
    readonly path: string | readonly string[]
    readonly methods: Readonly<Record<string, boolean>>
  }
}

/** `GET /apps/{app}`: every method and path below /api/v1, in the manner of OpenAPI. */
export function realRoutes(hub: Hub): readonly string[] {
  return everyRoute(hub)
    .filter((call) => call.includes(' /api/v1/'))
    .map((call) => call.replace(' /api/v1/', ' /').replaceAll(/[:*](\w+)/g, '{$1}'))
}

/** `GET /apps/:app`: every method and path, in the manner of Express. */
export function everyRoute(hub: Hub): readonly string[] {
  const { stack } = createApp(hub, new BlobSender(hub)).router as unknown as {
    readonly stack: readonly Layer[]
  }
  return [...new Set(routesOf(stack, ''))]
}

function routesOf(stack: readonly Layer[], base: string): readonly string[] {
  return stack.flatMap(({ rawPath, handle, route }) => {
    if (route) {
      const methods = Object.keys(route.methods).map((method) => method.toUpperCase())
      return [route.path].flat().flatMap((path) => methods.map((method) => `${method} ${base}${path}`))
    }
    if (!handle.stack) return []
    return [rawPath]
      .flat()
      .flatMap((path) => routesOf(handle.stack ?? [], path === '/' ? base : `${base}${path}`))
  })
}
