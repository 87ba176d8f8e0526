/** `/health`: whether the hub is well. For administrators: it tells of host and settings. */
import { Router } from 'express'
import { timestamp } from '../clock.ts'
import { OPEN_STATES } from '../environments/promotion.ts'
import type { Hub } from '../hub.ts'
import { shownSettings } from '../shown-settings.ts'
import { HUB_VERSION } from '../version.ts'
import { authorize } from './auth.ts'
import type { Health } from './openapi/health.ts'

type Needs = Pick<Hub, 'config' | 'records' | 'healthWatch' | 'jobRuns' | 'startedAt'>

export function healthRoutes(hub: Needs): Router {
  const routes = Router()
  routes.get('/health', async (_request, response) => {
    authorize(response, { to: 'administer' })
    response.json(await healthJson(hub))
  })
  return routes
}

export async function healthJson({
  config,
  records,
  healthWatch,
  jobRuns,
  startedAt,
}: Needs): Promise<Health> {
  const { at, checks } = await healthWatch.checks()
  const worst = (['fail', 'warn'] as const).find((state) => checks.some((check) => check.state === state))
  return {
    state: worst ?? 'ok',
    version: HUB_VERSION,
    node: process.version,
    startedAt: timestamp(startedAt),
    memoryBytes: process.memoryUsage.rss(),
    disk: await healthWatch.space(),
    checkedAt: at,
    checks,
    queues: {
      deliveries: await records.webhooks.countDeliveries(),
      promotions: await records.promotions.countIn(OPEN_STATES),
      uploads: await records.partialUploads.countOpen(),
    },
    jobs: jobRuns.all(),
    settings: shownSettings(config),
  }
}
