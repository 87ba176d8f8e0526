/** The document and the application have the same routes: whoever adds one describes it. */
import { expect, test } from 'vitest'
import { describeApi } from '../../src/http/openapi/document.ts'
import { createTestHub } from '../support/test-hub.ts'
import { realRoutes } from './real-routes.ts'

/** Nothing may be added here: describe a new route, in `src/http/openapi/`. */
const NOT_YET: readonly string[] = [
  'POST /apps/{app}/builds',
  'PUT /apps/{app}/builds/{build}/tarball',
  'OPTIONS /uploads',
  'OPTIONS /uploads/{upload}',
  'POST /uploads',
  'GET /uploads/{upload}',
  'PATCH /uploads/{upload}',
  'DELETE /uploads/{upload}',
  'GET /apps/{app}/builds',
  'GET /builds',
  'GET /digests/{hex}',
  'GET /apps/{app}/builds/{build}',
  'GET /apps/{app}/builds/{build}/tarball',
  'GET /apps/{app}/builds/{build}/files',
  'GET /apps/{app}/builds/{build}/files/{path}',
  'GET /apps/{app}/builds/{build}/ebuild',
  'GET /apps/{app}/builds/{build}/eligibility/{environment}',
  'PUT /environments/{environment}/files/{path}',
  'DELETE /environments/{environment}/files/{path}',
  'GET /environments/{environment}/files',
  'PUT /nodes/{node}/restore-points/{point}/metadata/{name}',
  'PUT /nodes/{node}/restore-points/{point}/{place}/{name}',
  'GET /nodes/{node}/restore-points/{point}/{place}/{name}',
  'POST /apps/{app}/builds/{build}/checks',
  'GET /apps/{app}/builds/{build}/checks',
  'GET /apps/{app}/builds/{build}/checks/{check}',
  'GET /apps/{app}/builds/{build}/checks/{check}/results',
  'GET /environments',
  'GET /environments/{environment}',
  'GET /environments/{environment}/releases',
  'POST /environments/{environment}/releases/{release}/withdraw',
  'GET /environments/{environment}/revisions',
  'GET /environments/{environment}/revisions/{revision}',
  'GET /environments/{environment}/revisions/{revision}/diff',
  'GET /environments/{environment}/policy',
  'PUT /environments/{environment}/policy',
  'POST /promotions',
  'GET /promotions',
  'GET /promotions/{promotion}',
  'POST /promotions/{promotion}/approve',
  'POST /promotions/{promotion}/reject',
  'POST /promotions/{promotion}/cancel',
  'POST /holds',
  'POST /environments/{environment}/holds',
  'GET /holds',
  'GET /environments/{environment}/holds',
  'GET /holds/{hold}',
  'POST /holds/{hold}/lift',
  'POST /tokens',
  'GET /tokens',
  'DELETE /tokens/{token}',
  'GET /whoami',
  'GET /keys',
  'POST /keys/{fingerprint}/revoke',
  'POST /keys',
  'GET /audit',
  'GET /audit/export',
  'GET /audit/verify',
  'GET /events',
  'GET /environments/{environment}/feed.atom',
  'POST /webhooks',
  'GET /webhooks',
  'GET /webhooks/{webhook}',
  'PATCH /webhooks/{webhook}',
  'DELETE /webhooks/{webhook}',
  'GET /webhooks/{webhook}/deliveries',
  'POST /webhooks/{webhook}/deliveries/{delivery}/replay',
  'POST /nodes',
  'GET /nodes',
  'GET /nodes/{node}',
  'DELETE /nodes/{node}',
  'POST /nodes/{node}/report',
  'POST /nodes/{node}/restore-points',
  'POST /nodes/{node}/restore-points/{point}/complete',
  'GET /nodes/{node}/restore-points',
  'GET /nodes/{node}/restore-points/{point}',
  'DELETE /nodes/{node}/restore-points/{point}',
  'PUT /nodes/{node}/restore-points/{point}/pin',
  'DELETE /nodes/{node}/restore-points/{point}/pin',
  'POST /rollbacks',
  'GET /rollbacks',
  'GET /rollbacks/{rollback}',
  'DELETE /rollbacks/{rollback}',
  'GET /nodes/{node}/rollbacks',
  'POST /nodes/{node}/rollbacks/{rollback}/result',
]

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
