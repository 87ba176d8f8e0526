/** `/environments/{environment}/policy`: what must hold before a build is released there. */
import { Router } from 'express'
import { z } from 'zod'
import { currentPolicy, policyOfVersion, setPolicy } from '../environments/environment-policy.ts'
import type { KeptPolicy } from '../environments/environment-policy.ts'
import { advanceWaiting } from '../environments/promote.ts'
import { policySchema } from '../environments/policy.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { authorize } from './auth.ts'
import { seen } from './environment-routes.ts'
import { isDryRun, parameter, parseWith, query } from './request.ts'
import type { PolicyAnswer } from './openapi/environments.ts'

/** What was read may be sent back: `version` says which one it was made from, and the rest of it is nobody's to set. */
export const policyBodySchema = policySchema.extend({
  version: z
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe('The version that it was made from: of another one it changes nothing. null: whichever holds.'),
  environment: z.string().optional(),
  setBy: z.string().nullable().optional(),
  setAt: z.string().nullable().optional(),
})

export function policyRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/environments/:environment/policy', async (request, response) => {
    const { name } = seen(hub, request, response).environment
    const version = query(request, 'version')
    if (version !== null && !/^[0-9]{1,9}$/.test(version))
      throw new HubError('request.invalid', '?version= is the number of a version')
    const kept =
      version === null ? await currentPolicy(hub, name) : await policyOfVersion(hub, name, Number(version))
    response.json(policyJson(name, kept))
  })
  routes.put('/environments/:environment/policy', async (request, response) => {
    const { name: by } = authorize(response, { to: 'administer' })
    const environment = parameter(request, 'environment')
    const {
      version,
      environment: _named,
      setBy: _by,
      setAt: _at,
      ...policy
    } = parseWith(policyBodySchema, request.body, 'the policy')
    const dryRun = isDryRun(request)
    const kept = await setPolicy(hub, { environment, policy, basedOn: version, by, dryRun })
    if (!dryRun) await advanceWaiting(hub, { environment })
    response.json({ ...policyJson(environment, kept), ...(dryRun && { dryRun }) })
  })
  return routes
}

export function policyJson(environment: string, { policy, version, setBy, setAt }: KeptPolicy): PolicyAnswer {
  return { environment, version, setBy, setAt, ...policy }
}
