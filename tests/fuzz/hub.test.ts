/**
 * Hostile and random requests to a hub that runs in a process of its own. No answer is a fault, every refusal has its
 * form and leaves nothing behind, no request costs a second of processor time, and the hub goes on.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startFuzzedHub } from './support/hub-process.ts'
import type { FuzzedHub } from './support/hub-process.ts'
import { casesOf, isWanted, ONLY_PATH, patienceMs, SEED } from './support/settings.ts'
import { outcomeLine, runTarget } from './support/target.ts'
import { HUB_TARGETS } from './targets/hub.ts'

const wanted = Object.entries(HUB_TARGETS).filter(([name]) => isWanted(name))

describe.skipIf(wanted.length === 0)('fuzzing the hub', () => {
  let hub: FuzzedHub
  beforeAll(async () => {
    hub = await startFuzzedHub()
  }, patienceMs(0))
  afterAll(async () => {
    await hub[Symbol.asyncDispose]()
  })

  test.each(wanted)('%s holds', { timeout: patienceMs(casesOf(1000)) }, async (name, makeTarget) => {
    const target = { ...makeTarget(hub), name }
    const outcome = await runTarget(target, {
      cases: casesOf(target.share),
      seed: SEED,
      path: ONLY_PATH,
      cpuMs: hub.cpuMs,
    })
    process.stdout.write(`${outcomeLine(outcome, SEED)}\n`)
    expect(outcome.failure).toBeNull()
    expect(hub.complaints()).toBe('')
    expect((await hub.ask({ path: '/healthz' })).status).toBe(200)
  })
})
