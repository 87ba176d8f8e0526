/**
 * Everybody at once: uploaders that dispute and repeat each other's builds, promoters that want the same ones, and
 * clients that sync all the time. No answer may be a fault, no view half-made, and in the end everything must agree.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Checked, checkFolder } from '../crash/checks.ts'
import { CLIENTS } from '../crash/clients.ts'
import { startProcess } from '../crash/hub-process.ts'
import { Ledger } from '../crash/ledger.ts'
import { promote } from '../crash/production.ts'
import type { Client, World } from '../crash/requests.ts'
import { byForm, byPush, byPut, newTarball, sendBuild, uploadByKey } from '../crash/uploaders.ts'
import { temporaryFolder } from '../git/support.ts'
import { seedOfRun, seededRandom } from '../support/random.ts'

const SEED = seedOfRun()
const APPS = 8
/** Of each app: one by each way, and one that goes by whichever. */
const WAYS = [byPut, byForm, byPush, byPut]
const PROMOTERS = 4
const SYNCERS = ['git', 'http', 'http', 'http', 'zip', 'zip', 'browser', 'browser'] as const
const SYNCERS_OF_EACH = 4
/** What each of them does. */
const ACTS = 6

/**
 * The four uploaders of an app send the same numbers at the same time: of two builds in three the same bytes, as CI
 * jobs that were started twice do; of the others each its own, and one wins.
 */
function uploaderOf(app: string, way: (typeof WAYS)[number], shared: readonly Buffer[]): Client {
  let build = 0
  return async (world) => {
    const bytes = shared[build++]
    const isDisputed = build % 3 === 0
    if (bytes)
      await sendBuild(
        world,
        world.ledger.build(app, build),
        isDisputed ? newTarball(world.random) : bytes,
        way,
      )
    if (build % 2 === 0) await uploadByKey(world)
  }
}

async function promoteAny(world: World): Promise<void> {
  const chosen = world.random.pick(world.ledger.acknowledgedBuilds())
  if (chosen) await promote(world, world.ledger.standing(chosen.app, chosen.build))
}

test('32 uploaders, 4 promoters and 32 syncing clients at once', { timeout: 300_000 }, async () => {
  await using folder = await temporaryFolder()
  const directory = join(folder.path, 'data')
  const ledger = new Ledger()
  const random = seededRandom(SEED)
  const clients: Client[] = []
  for (let number = 0; number < APPS; number++) {
    const shared = Array.from({ length: ACTS }, () => newTarball(random))
    for (const way of WAYS) clients.push(uploaderOf(`app-${'abcdefgh'.charAt(number)}`, way, shared))
  }
  for (let number = 0; number < PROMOTERS; number++) clients.push(promoteAny)
  for (let number = 0; number < SYNCERS_OF_EACH; number++)
    for (const name of SYNCERS) clients.push(CLIENTS[name] as Client)
  expect(clients).toHaveLength(32 + 4 + 32)
  await mkdir(directory)
  await using hub = await startProcess(directory)
  const url = hub.url ?? ''
  const work = clients.map(async (client, number) => {
    const own = join(folder.path, `client-${String(number)}`)
    await mkdir(own)
    const world = { url, ledger, random: random.fork(String(number)), folder: own }
    for (let act = 0; act < ACTS; act++) await client(world)
  })
  await Promise.all(work)
  const views = ledger.views.length
  const checked = new Checked()
  expect(await checkFolder({ directory, url, ledger, checked }), `HUB_TEST_SEED=${String(SEED)}`).toEqual([])
  expect(await hub.stop()).toBe(0)
  await using again = await startProcess(directory)
  expect(await checkFolder({ directory, url: again.url ?? '', ledger, checked })).toEqual([])
  process.stdout.write(
    `${String(clients.length)} clients at once (HUB_TEST_SEED=${String(SEED)}): ` +
      `${String(ledger.acknowledged)} changes acknowledged, ${String(views)} views checked\n`,
  )
})
