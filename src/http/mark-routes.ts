/** `/apps/{app}/builds/{build}/yank` and `/pin`: what people say of a build for good, and take back. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { findYank, liftHold, setHold } from '../environments/holds.ts'
import type { Held } from '../environments/holds.ts'
import { pinBuild, unpinBuild } from '../environments/pin.ts'
import type { Pinned, PinRequest } from '../environments/pin.ts'
import { advanceWaiting } from '../environments/promote.ts'
import type { Hub } from '../hub.ts'
import { visibleBuild } from './build-routes.ts'
import { demandPromotion } from './hold-routes.ts'
import { reasonField } from './reason.ts'
import { holdJson, pinJson, publishedTogetherJson } from './representations.ts'
import { isDryRun, parameter, parseWith } from './request.ts'

export const reasonSchema = z.strictObject({ reason: reasonField })
export const perhapsReasonSchema = z.strictObject({ reason: reasonField.nullable().default(null) })

export function markRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/apps/:app/builds/:build/yank', async (request, response) => {
    const { build, by, dryRun } = await marking(hub, request, response)
    const { reason } = parseWith(reasonSchema, request.body, 'the body')
    const { hold, published } = await yankBuild(hub, { build, reason, by, dryRun })
    if (!dryRun) response.status(201).location(`/api/v1/holds/${hold.id}`)
    response.json({
      ...holdJson(hold),
      published: publishedTogetherJson(published),
      ...(dryRun && { id: null, dryRun }),
    })
  })
  routes.post('/apps/:app/builds/:build/unyank', async (request, response) => {
    const { build, by, dryRun } = await marking(hub, request, response)
    const { reason } = parseWith(reasonSchema, request.body, 'the body')
    const { hold, published } = await unyankBuild(hub, { build, reason, by, dryRun })
    response.json({
      ...holdJson(hold),
      published: publishedTogetherJson(published),
      ...(dryRun && { dryRun }),
    })
  })
  routes.post('/apps/:app/builds/:build/pin', async (request, response) => {
    const { build, by, dryRun } = await marking(hub, request, response)
    const { reason } = parseWith(reasonSchema, request.body, 'the body')
    const pinned = await pinBuild(hub, { build, reason, by, dryRun })
    if (!dryRun) response.status(201)
    response.json(pinnedJson(pinned, dryRun))
  })
  routes.post('/apps/:app/builds/:build/unpin', async (request, response) => {
    const { build, by, dryRun } = await marking(hub, request, response)
    const { reason } = parseWith(perhapsReasonSchema, request.body ?? {}, 'the body')
    response.json(pinnedJson(await unpinBuild(hub, { build, reason, by, dryRun }), dryRun))
  })
  return routes
}

type Marked = PinRequest & { readonly reason: string }

/** @throws {HubError} as `setHold`. */
export async function yankBuild(hub: Hub, { build, reason, by, dryRun }: Marked): Promise<Held> {
  const held = await setHold(hub, {
    ...{ app: build.app, build: build.build, newer: false, environment: null, mask: true, yank: true },
    ...{ reason, by, dryRun },
  })
  // What waits is told no now, and not when its time has come.
  if (!dryRun) await advanceWaiting(hub, { app: build.app })
  return held
}

/** @throws {HubError} `yank.unknown`. */
export async function unyankBuild(hub: Hub, { build, reason, by, dryRun }: Marked): Promise<Held> {
  const { id } = await findYank(hub, build)
  return await liftHold(hub, { id, reason, by, dryRun })
}

/** Both concern every environment: they are for who may promote in each. */
export async function marking(hub: Hub, request: Request, response: Response) {
  const app = parameter(request, 'app')
  const by = demandPromotion(hub, response, { app, environment: null })
  return { by, build: await visibleBuild(hub, request, response), dryRun: isDryRun(request) }
}

function pinnedJson({ pin, published }: Pinned, dryRun: boolean) {
  return { ...pinJson(pin), published: publishedTogetherJson(published), ...(dryRun && { dryRun }) }
}
