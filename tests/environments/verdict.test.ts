/**
 * The whole verdict, as promotions, `why` and webhooks show it: every rule alone and with every other. Each list is complete:
 * two things in the way are both told, and nothing is said that is not so.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

interface Told {
  readonly code: string
  readonly state: string
  readonly detail: string
  readonly toMeet?: string | null
}

interface Obstacle {
  /** What it adds to the policy of production. */
  readonly policy?: { readonly checks?: object; readonly [key: string]: unknown }
  /** What is done about build 1 of the app, which stands in staging. */
  readonly arrange?: (app: string) => Promise<void>
}

const FREEZE = { from: 'Fri 00:00', to: 'Sat 00:00', timeZone: 'UTC', reason: 'inventory' }

/** By the code of the rule that it makes unmet, in the order in which they are arranged. */
const OBSTACLES: Readonly<Record<string, Obstacle>> = {
  'schema.reversible': {
    policy: { schema: 'reversible' },
    // What stands there, with a schema that one cannot go back to from that of build 1.
    arrange: async (app) => {
      await archive(app, 9, 'schema: {version: 1}\n')
      for (const environment of ['staging', 'production'])
        await post('promotions', { app, build: 9, environment })
    },
  },
  'environment.withdrawn': {
    arrange: async (app) => {
      await post('promotions', { app, build: 1, environment: 'production' })
      await withdraw(app, 'production')
    },
  },
  'environment.held': {
    arrange: async (app) => {
      await post('environments/production/holds', { app, build: 1, reason: 'not yet' })
    },
  },
  'build.yanked': {
    arrange: async (app) => {
      await post(`apps/${app}/builds/1/yank`, { reason: 'it loses orders' })
    },
  },
  'environment.previous': {
    arrange: async (app) => {
      await withdraw(app, 'staging')
    },
  },
  'check.commit': { policy: { checks: { commit: ['unit'] } } },
  'check.acceptance': { policy: { checks: { acceptance: ['functional'] } } },
  'check.manual': { policy: { checks: { manual: ['looked at'] } } },
  approvals: { policy: { approvals: { count: 2, roles: ['approver'] } } },
  soak: { policy: { soak: '24h' } },
  freeze: { policy: { freezes: [FREEZE] } },
}
const CODES = Object.keys(OBSTACLES)
const PAIRS = CODES.flatMap((one, place) => CODES.slice(place + 1).map((other) => [one, other] as const))

let hub: TestHub
let apps = 0
const alone = new Map<string, readonly Told[]>()

beforeAll(async () => {
  hub = await createTestHub()
  for (const code of CODES) alone.set(code, await verdictWith([code]))
}, 60_000)
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

async function post(path: string, body: object): Promise<void> {
  const reply = await hub.as().post(`/api/v1/${path}`).send(body)
  expect(reply.status, `${path}: ${reply.text}`).toBeLessThan(300)
}

async function archive(app: string, build: number, recipe: string): Promise<void> {
  const fields = { build: String(build), promote: 'false', recipe }
  const reply = await hub.upload(app, tarball({ f: `${app} ${String(build)}` }), fields)
  expect(reply.status, reply.text).toBe(201)
}

async function setPolicy(body: object): Promise<void> {
  const reply = await hub.as().put('/api/v1/environments/production/policy').send(body)
  expect(reply.status, reply.text).toBe(200)
}

async function withdraw(app: string, environment: string): Promise<void> {
  const releases = (await hub.as().get(`/api/v1/apps/${app}/builds/1`)).body.releases as {
    readonly id: string
    readonly environment: string
  }[]
  const release = releases.find((each) => each.environment === environment)
  await post(`environments/${environment}/releases/${release?.id ?? ''}/withdraw`, { reason: 'it was bad' })
}

/** Of build 1 of an app of its own, with all of these in its way. Names and ids are taken out of the texts. */
async function verdictWith(codes: readonly string[]): Promise<readonly Told[]> {
  const app = `app-${'abcdefghij'.charAt(apps / 10)}${'abcdefghij'.charAt(apps % 10)}`
  apps++
  const obstacles = CODES.filter((code) => codes.includes(code)).map((code) => OBSTACLES[code] ?? {})
  await archive(app, 1, 'schema: {version: 2}\n')
  await post('promotions', { app, build: 1, environment: 'staging' })
  for (const { arrange } of obstacles) await arrange?.(app)
  const policies = obstacles.map(({ policy = {} }) => policy)
  const checks = Object.assign({}, ...policies.map((policy) => policy.checks ?? {})) as object
  await setPolicy({ ...(Object.assign({}, ...policies) as object), checks })
  const { body } = await hub.as().get(`/api/v1/apps/${app}/builds/1/eligibility/production`)
  await setPolicy({})
  expect(body.eligible).toBe(false)
  for (const { state, toMeet } of body.rules as Told[]) expect(toMeet === null).toBe(state !== 'unmet')
  return (body.rules as Told[]).map(({ code, state, detail }) => ({
    ...{ code, state },
    detail: detail.replaceAll(app, 'APP').replaceAll(/hld_\w+/g, 'HOLD'),
  }))
}

test.each(CODES)('%s alone is unmet, and is all that is unmet', (code) => {
  const rules = alone.get(code) ?? []
  // What is yanked is masked in the environment before as well.
  const also = code === 'build.yanked' ? ['environment.previous'] : []
  const unmet = rules.filter(({ state }) => state === 'unmet').map((rule) => rule.code)
  expect(unmet).toEqual([...also, code])
  expect(rules.map((rule) => rule.code)).toEqual([...new Set(['environment.previous', code])])
})

test.each(PAIRS)('%s and %s are both told, each as it is alone, and nothing besides', async (one, other) => {
  const rules = await verdictWith([one, other])
  const [first, second] = [alone.get(one) ?? [], alone.get(other) ?? []]
  const expected = new Map([...first, ...second].map((rule) => [rule.code, rule]))
  // Met it is only if neither speaks against it; a mask there is told before a withdrawal.
  const previous = [...first, ...second].filter(({ code }) => code === 'environment.previous')
  const unmet = previous.filter(({ state }) => state === 'unmet')
  const told = unmet.find(({ detail }) => detail.includes('masked')) ?? unmet[0] ?? previous[0]
  if (told) expected.set(told.code, told)
  expect(rules.toSorted(byCode)).toEqual([...expected.values()].toSorted(byCode))
})

function byCode(a: Told, b: Told): number {
  return a.code < b.code ? -1 : 1
}
