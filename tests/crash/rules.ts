/** A client that says what may be promoted: holds and their lifting, checks of builds, and who approves. */
import { FORM_TYPE, formBody } from '../support/raw-http.ts'
import type { RawRequest } from '../support/raw-http.ts'
import { change, jsonRequest } from './change.ts'
import { Uncertain } from './fleet-ledger.ts'
import type { World } from './requests.ts'
import { byPut, newTarball, sendBuild } from './uploaders.ts'

/** Nobody promotes builds of this one: they are held now and then. */
export const HELD_APP = 'held'
const BUILDS = 2
const JUNIT = '<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>'
const APPROVERS = ['administrator', 'release-manager', 'approver']

export async function keepRules(world: World): Promise<void> {
  const { ledger, random } = world
  const builds = ledger.acknowledgedBuilds().filter(({ app }) => app === HELD_APP)
  if (builds.length < BUILDS) {
    const next = ledger.build(HELD_APP, builds.length + 1)
    const bytes = [...next.sent.values()][0] ?? newTarball(random)
    await sendBuild(world, next, bytes, byPut)
    return
  }
  const { build } = random.pick(builds) as { readonly build: number }
  const act = random.pick([hold, lift, lift, check, check, approve] as const)
  await act?.(world, build)
}

/** One that masks is true with the revision that shows it. */
async function hold(world: World, build: number): Promise<void> {
  const { fleet } = world.ledger
  const reason = `hold ${String(fleet.next())}`
  const sent = {
    reason,
    id: null as string | null,
    state: new Uncertain<'absent' | 'held' | 'lifted'>('absent'),
  }
  fleet.holds.set(reason, sent)
  const body = { app: HELD_APP, build, reason, mask: world.random.chance(0.4) }
  const request = jsonRequest('POST', '/api/v1/environments/production/holds', body)
  const reply = await change(world, { of: sent.state, to: 'held', request })
  if (reply) sent.id = reply.json['id'] as string
}

async function lift(world: World): Promise<void> {
  const held = [...world.ledger.fleet.holds.values()].find(({ id, state }) => id !== null && state.is('held'))
  if (!held) return
  const request = jsonRequest('POST', `/api/v1/holds/${held.id ?? ''}/lift`, { reason: 'a test lifts it' })
  await change(world, { of: held.state, to: 'lifted', request })
}

/** As JSON, or as a form with a report of tests. */
async function check(world: World, build: number): Promise<void> {
  const { fleet } = world.ledger
  const name = `check ${String(fleet.next())}`
  const path = `/api/v1/apps/${HELD_APP}/builds/${String(build)}/checks`
  const hasReport = world.random.chance(0.5)
  const form = formBody({ stage: 'acceptance', name, junit: Buffer.from(JUNIT) })
  const request: RawRequest = hasReport
    ? {
        method: 'POST',
        path,
        headers: { 'Content-Type': FORM_TYPE, 'Content-Length': String(form.length) },
        body: form,
      }
    : jsonRequest('POST', path, { stage: 'commit', name, status: 'passed' })
  const state = new Uncertain<'absent' | 'recorded'>('absent')
  fleet.checks.set(name, { app: HELD_APP, build, reports: hasReport ? 1 : 0, state })
  await change(world, { of: state, to: 'recorded', request })
}

/** It asks for no approval: what others promote is promoted all the same. */
async function approve(world: World): Promise<void> {
  const roles = APPROVERS.filter(() => world.random.chance(0.5))
  const request = jsonRequest('PUT', '/api/v1/environments/production/policy', {
    approvals: { count: 0, roles },
  })
  await change(world, { of: world.ledger.fleet.policy, to: roles.join(' '), request })
}
