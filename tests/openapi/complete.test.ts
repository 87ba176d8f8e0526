/** The document and the application have the same routes: whoever adds one describes it. */
import { expect, test } from 'vitest'
import { describeApi } from '../../src/http/openapi/document.ts'
import { createTestHub } from '../support/test-hub.ts'
import { realRoutes } from './real-routes.ts'

/** Nothing may be added here: describe a new route, in `src/http/openapi/`. */
const NOT_YET: readonly string[] = []

const described = Object.entries(describeApi().paths ?? {}).flatMap(([path, item]) =>
  Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
)

test('every route is described, and what is described is a route', async () => {
  await using hub = await createTestHub({}, { jobs: false })
  const real = realRoutes(hub.hub)
  expect(real.length).toBeGreaterThan(80)
  const isRoute = (call: string): boolean => real.includes(call.replace(/^HEAD /, 'GET '))
  expect(
    described.filter((call) => !isRoute(call)),
    'no such route',
  ).toEqual([])
  expect(
    real.filter((call) => !described.includes(call) && !NOT_YET.includes(call)),
    'not described',
  ).toEqual([])
  expect(
    NOT_YET.filter((call) => described.includes(call) || !real.includes(call)),
    'described by now',
  ).toEqual([])
})
