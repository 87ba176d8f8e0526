/**
 * A client that takes builds of two apps through an environment whose policy changes all the time: asks for them, alone and
 * as a release set, reports checks, approves, rejects, cancels, hurries on, withdraws, yanks and pins. It is the only one there, so that
 * what the hub says can be held against what it was told.
 */
import type { PromotionState } from '../../src/environments/promotion.ts'
import type { RawReply, RawRequest } from '../support/raw-http.ts'
import { change, jsonRequest } from './change.ts'
import { GATED, GATED_APPS } from './pipeline-ledger.ts'
import { promote } from './production.ts'
import { ask, found } from './requests.ts'
import type { World } from './requests.ts'
import { byPut, newTarball, sendBuild } from './uploaders.ts'

/** So many of each app. */
const BUILDS = 3

interface Build {
  readonly app: string
  readonly build: number
}

export async function runPipeline(world: World): Promise<void> {
  const { ledger, random } = world
  const builds = ledger.acknowledgedBuilds().filter(({ app }) => isGated(app))
  const countOf = (app: string): number => builds.filter((build) => build.app === app).length
  const [fewest] = GATED_APPS.toSorted((a, b) => countOf(a) - countOf(b))
  const count = countOf(fewest ?? '')
  const waiting = builds.find(({ app, build }) => !isInProduction(world, { app, build }))
  if (waiting) await promote(world, ledger.standing(waiting.app, waiting.build))
  else if (fewest !== undefined && (count === 0 || (count < BUILDS && random.chance(0.2))))
    await upload(world, fewest)
  else await random.pick(ACTS)?.(world, random.pick(builds) as Build)
}

type Act = (world: World, build: Build) => Promise<void>

const ACTS: readonly Act[] = [
  ...[askFor, askFor, askFor, askTogether, askTogether, askTogether, setPolicy, setPolicy, report, report],
  ...[approve, approve, approve, approve, withdraw, withdraw, end, look, yank, unyank, unyank, pin],
]

function isGated(app: string): boolean {
  return GATED_APPS.some((gated) => gated === app)
}

/** And told to be: one whose promotion there never got its answer is asked for again. */
function isInProduction({ ledger }: World, { app, build }: Build): boolean {
  const { possible } = ledger.standing(app, build)
  return possible.size === 1 && possible.has('released')
}

async function upload(world: World, app: string): Promise<void> {
  const known = [...world.ledger.builds.values()].filter((build) => build.app === app)
  const open = known.find(({ acknowledged }) => acknowledged === null)
  const next = open ?? world.ledger.build(app, known.length + 1)
  await sendBuild(world, next, [...next.sent.values()][0] ?? newTarball(world.random), byPut)
}

async function askFor(world: World, build: Build): Promise<void> {
  await request(world, { app: build.app, build: build.build })
}

async function askTogether(world: World): Promise<void> {
  const { ledger, random } = world
  const set = GATED_APPS.map((app) => {
    const builds = ledger.acknowledgedBuilds().filter((build) => build.app === app)
    return { app, build: random.pick(builds)?.build }
  })
  await request(world, { set: random.chance(0.5) ? set : set.toReversed() })
}

/** What may not come is refused at once, and what may waits; both are right, as the check finds out. */
async function request(world: World, what: object): Promise<void> {
  const override = world.random.chance(0.1) ? { override: { reason: 'a test is in a hurry' } } : {}
  const body = { ...what, environment: GATED, liftWithdrawal: true, ...override }
  await hear(world, jsonRequest('POST', '/api/v1/promotions', body), ['promotion.not_eligible'])
}

/** Each makes promotions wait for something else, or for nothing. A freeze of these days ends by another policy. */
async function setPolicy(world: World): Promise<void> {
  const { ledger, random } = world
  const unit = { commit: ['unit'] }
  const one = { count: 1, roles: ['approver'] }
  const freezes = [freezeOfThisDay()]
  const policy = random.pick([
    {},
    { checks: unit },
    { approvals: one },
    { approvals: { ...one, count: 2 } },
    { checks: unit, approvals: one },
    { soak: '9d' },
    { freezes },
    { approvals: one, freezes },
  ])
  const path = `/api/v1/environments/${GATED}/policy`
  const wanted = jsonRequest('PUT', path, policy)
  const reply = await ask(world, wanted)
  if (reply.status !== 200) found(world, wanted, reply)
  else {
    ledger.pipeline.policies.set(reply.json['version'] as number, policy as object)
    ledger.heard()
  }
}

function freezeOfThisDay() {
  const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
  const today = new Date().getUTCDay()
  const day = (after: number): string => days[(today + after + 7) % 7] ?? ''
  return { from: `${day(-1)} 00:00`, to: `${day(2)} 00:00`, timeZone: 'UTC', reason: 'a test is under way' }
}

async function report(world: World, { app, build }: Build): Promise<void> {
  const path = `/api/v1/apps/${app}/builds/${String(build)}/checks`
  const status = world.random.chance(0.7) ? 'passed' : world.random.chance(0.5) ? 'failed' : 'running'
  const wanted = jsonRequest('POST', path, { stage: 'commit', name: 'unit', status })
  const reply = await ask(world, wanted)
  if (reply.status !== 201) found(world, wanted, reply)
  else {
    world.ledger.pipeline.checks.push(reply.json['id'] as string)
    world.ledger.heard()
  }
}

/** By one of two who may, now and then by whoever asked for it, who may not. */
async function approve(world: World): Promise<void> {
  const { pipeline } = world.ledger
  const id = world.random.pick(pipeline.open())
  const [approver, token] = world.random.pick([...pipeline.approvers, ['nobody', undefined] as const]) ?? []
  if (id === undefined || approver === undefined) return
  const path = `/api/v1/promotions/${id}/approve`
  const refusals = ['promotion.ended', 'promotion.approval_forbidden', 'promotion.own_request']
  const reply = await hear(world, jsonRequest('POST', path, {}, token), refusals)
  if (!reply) return
  if (approver === 'nobody') world.ledger.findings.push(`${id} was approved by who asked for it`)
  const { policyVersion } = reply.json['approval'] as { readonly policyVersion: number }
  const [first] = (reply.json['set'] ?? []) as readonly { readonly id: string }[]
  pipeline.approvals.push({ promotion: first?.id ?? id, approver, policyVersion })
}

async function end(world: World): Promise<void> {
  const { random, ledger } = world
  const id = random.pick(ledger.pipeline.open())
  const verb = random.pick(['reject', 'cancel'] as const)
  if (id === undefined || verb === undefined) return
  const wanted = jsonRequest('POST', `/api/v1/promotions/${id}/${verb}`, { reason: 'a test thinks so' })
  await hear(world, wanted, ['promotion.ended'])
}

/** So that what stands there already is asked for again. */
async function withdraw(world: World): Promise<void> {
  const { ledger, random } = world
  const id = random.pick([...ledger.pipeline.releases])
  if (id === undefined) return
  const path = `/api/v1/environments/${GATED}/releases/${id}/withdraw`
  const wanted = jsonRequest('POST', path, { reason: 'a test took it back' })
  const reply = await ask(world, wanted)
  const isDone = reply.status === 200 || reply.json['code'] === 'release.already_withdrawn'
  if (!isDone) found(world, wanted, reply)
  else {
    ledger.pipeline.releases.delete(id)
    ledger.heard()
  }
}

async function look(world: World): Promise<void> {
  const id = world.random.pick([...world.ledger.pipeline.promotions.keys()])
  if (id !== undefined) await hear(world, { path: `/api/v1/promotions/${id}` }, [])
}

/** One that is in every environment but for this. */
async function yank(world: World, { app, build }: Build): Promise<void> {
  const { yank: of } = world.ledger.pipeline.marksOf(app, build)
  if (!of.is(false)) return
  const path = `/api/v1/apps/${app}/builds/${String(build)}/yank`
  await change(world, { of, to: true, request: jsonRequest('POST', path, { reason: 'a test yanks it' }) })
}

async function unyank(world: World): Promise<void> {
  const marks = [...world.ledger.pipeline.marks.values()].find(({ yank: of }) => of.is(true))
  if (!marks) return
  const path = `/api/v1/apps/${marks.app}/builds/${String(marks.build)}/unyank`
  const request = jsonRequest('POST', path, { reason: 'a test takes it back' })
  await change(world, { of: marks.yank, to: false, request })
}

async function pin(world: World, { app, build }: Build): Promise<void> {
  const { pin: of } = world.ledger.pipeline.marksOf(app, build)
  const isPinned = of.is(true)
  if (!isPinned && !of.is(false)) return
  const path = `/api/v1/apps/${app}/builds/${String(build)}/${isPinned ? 'unpin' : 'pin'}`
  await change(world, {
    of,
    to: !isPinned,
    request: jsonRequest('POST', path, { reason: 'a test keeps it' }),
  })
}

/** Sends a request about a promotion and writes down what is said of it and of those that go with it. */
async function hear(
  world: World,
  request: RawRequest,
  refusals: readonly string[],
): Promise<RawReply | null> {
  const { ledger } = world
  const reply = await ask(world, request)
  if (reply.status >= 300) {
    if (!refusals.includes(String(reply.json['code']))) found(world, request, reply)
    return null
  }
  const state = reply.json['state'] as PromotionState
  const set = (reply.json['set'] ?? [{ id: reply.json['id'] }]) as readonly { readonly id: string }[]
  for (const { id } of set) ledger.findings.push(...ledger.pipeline.told(id, state))
  const releaseId = reply.json['releaseId']
  if (typeof releaseId === 'string') ledger.pipeline.releases.add(releaseId)
  ledger.heard()
  return reply
}
