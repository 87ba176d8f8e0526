/** Clients that promote builds to production and take them back. */
import type { Standing, Standings } from './ledger.ts'
import { askJson, found } from './requests.ts'
import type { Client, World } from './requests.ts'
import { GATED_APPS } from './pipeline-ledger.ts'
import { HELD_APP } from './rules.ts'

/** Promotes a build to production, takes it back, or puts it there again. One of these at a time owns a build. */
export function manager(share: number, shares: number): Client {
  return async (world) => {
    const mine = world.ledger
      .acknowledgedBuilds()
      .filter(({ app, build }) => !OTHERS.includes(app) && build % shares === share)
    const chosen = world.random.pick(mine)
    if (!chosen) return
    const standing = world.ledger.standing(chosen.app, chosen.build)
    if (standing.possible.has('released') && standing.releaseId !== null && world.random.chance(0.4))
      await withdraw(world, standing, standing.releaseId)
    else await promote(world, standing)
  }
}

/** Apps whose builds another client owns. */
const OTHERS: readonly string[] = [HELD_APP, ...GATED_APPS]

export async function promote(world: World, standing: Standings): Promise<void> {
  const { app, build } = standing
  const liftWithdrawal = standing.possible.has('withdrawn')
  const before = expectAlso(standing, 'released')
  const body = { app, build, environment: 'production', liftWithdrawal }
  const reply = await askJson(world, 'POST', '/api/v1/promotions', body)
  if (reply.status === 201 || reply.status === 200) {
    settle(world, standing, 'released')
    standing.releaseId = reply.json['releaseId'] as string
    return
  }
  // The only way to get here: it was withdrawn by a request that never got its answer.
  if (reply.status !== 409 || !before.has('withdrawn'))
    found(world, { method: 'POST', path: `/promotions ${app} ${String(build)}` }, reply)
  standing.possible = before
}

async function withdraw(world: World, standing: Standings, releaseId: string): Promise<void> {
  const before = expectAlso(standing, 'withdrawn')
  const path = `/api/v1/environments/production/releases/${releaseId}/withdraw`
  const reply = await askJson(world, 'POST', path, { reason: 'a test took it back' })
  const isDoneBefore = reply.status === 409 && reply.json['code'] === 'release.already_withdrawn'
  if (reply.status === 200) settle(world, standing, 'withdrawn')
  else standing.possible = before
  if (reply.status !== 200 && !(isDoneBefore && before.has('withdrawn')))
    found(world, { method: 'POST', path }, reply)
}

function expectAlso(standing: Standings, also: Standing): Set<Standing> {
  const before = standing.possible
  standing.possible = new Set([...before, also])
  return before
}

function settle({ ledger }: World, standing: Standings, now: Standing): void {
  standing.possible = new Set([now])
  ledger.heard()
}
