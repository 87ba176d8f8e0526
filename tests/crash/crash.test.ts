/**
 * Kills the hub at every named step and at moments that chance chooses, while all kinds of clients are at work, and
 * looks after each start whether anything was lost, made up or left behind.
 *
 * `HUB_TEST_KILLS` (30; a whole run has 300) says how often, `HUB_TEST_SEED` repeats a run.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { STEPS } from '../../src/steps.ts'
import { seedOfRun, seededRandom, sizeOfRun } from '../support/random.ts'
import type { Random } from '../support/random.ts'
import { Checked, checkFolder } from './checks.ts'
import { CLIENTS } from './clients.ts'
import { startProcess } from './hub-process.ts'
import type { HubProcess } from './hub-process.ts'
import { planKills } from './kills.ts'
import type { Kill } from './kills.ts'
import { Ledger } from './ledger.ts'
import { HubGone } from './requests.ts'
import type { Client, World } from './requests.ts'

const KILLS = sizeOfRun('HUB_TEST_KILLS', 30)
const SEED = seedOfRun()
/** One folder lives through so many kills; then a new one begins. */
const KILLS_OF_A_FOLDER = 25
/** A client does so much in one life of the hub; when the moment to kill has not come by then, it is now. */
const ACTS = 40

/** What a run has to tell. */
class Tally {
  readonly kills = new Map<string, number>()
  acknowledged = 0
  views = 0
  /** Promotions that a hub came back with, by state. */
  readonly promotions = new Map<string, number>()
  readonly findings: string[] = []

  count(at: string): void {
    this.kills.set(at, (this.kills.get(at) ?? 0) + 1)
  }
}

test(
  `killed ${String(KILLS)} times, the hub loses nothing, makes nothing up and leaves nothing behind`,
  { timeout: 60_000 + KILLS * 60_000 },
  async () => {
    const random = seededRandom(SEED)
    const folder = await mkdtemp(join(tmpdir(), 'portage-hub-crash-'))
    const tally = new Tally()
    try {
      const kills = planKills(KILLS, SEED, random)
      for (let at = 0, end = 0; at < kills.length; at = end) {
        end = at + KILLS_OF_A_FOLDER
        // A kill at a start belongs to the one before it.
        while (kills[end]?.phase === 'start') end++
        await new Life(folder, at, tally, random.fork(String(at))).run(kills.slice(at, end))
      }
    } finally {
      report(tally)
      await rm(folder, { recursive: true, force: true })
    }
    expect(tally.findings, `HUB_TEST_SEED=${String(SEED)}`).toEqual([])
  },
)

/** One data folder and the hubs that die on it. */
class Life {
  readonly #directory: string
  readonly #cache: string
  readonly #clients: string
  readonly #tally: Tally
  readonly #random: Random
  readonly #ledger = new Ledger()
  readonly #checked = new Checked()
  #lives = 0

  constructor(folder: string, number: number, tally: Tally, random: Random) {
    this.#directory = join(folder, `data-${String(number)}`)
    this.#clients = join(folder, `clients-${String(number)}`)
    this.#cache = folder
    this.#tally = tally
    this.#random = random
  }

  async run(kills: readonly Kill[]): Promise<void> {
    for (const name of Object.keys(CLIENTS)) await mkdir(join(this.#clients, name), { recursive: true })
    await mkdir(this.#directory)
    let hub: HubProcess | null = null
    try {
      for (const kill of kills) {
        if (kill.phase === 'start') hub = await this.#killAtStart(hub, kill)
        else {
          hub ??= await this.#start(kill)
          await this.#killAtWork(hub, kill)
          hub = null
        }
      }
      hub ??= await this.#start(null)
      if ((await hub.stop()) !== 0) this.#tally.findings.push('the last hub did not stop well')
    } finally {
      await hub?.[Symbol.asyncDispose]()
      this.#tally.acknowledged += this.#ledger.acknowledged
      this.#tally.views += this.#ledger.viewsChecked
      for (const [state, count] of this.#ledger.pipeline.seen)
        this.#tally.promotions.set(state, (this.#tally.promotions.get(state) ?? 0) + count)
      await rm(this.#directory, { recursive: true, force: true })
      await rm(this.#clients, { recursive: true, force: true })
    }
  }

  /** A start that nothing disturbs, and the look at what it found. */
  async #start(after: Kill | null): Promise<HubProcess> {
    const hub = await startProcess(this.#directory, { cache: this.#cache })
    if (hub.url === null) throw new Error(`the hub does not start: ${(await hub.ended).said}`)
    await this.#check(hub.url, after)
    return hub
  }

  async #check(url: string, before: Kill | null): Promise<void> {
    const scene = { directory: this.#directory, url, ledger: this.#ledger, checked: this.#checked }
    const number = [...this.#tally.kills.values()].reduce((sum, count) => sum + count, 0)
    const when = `after kill ${String(number)} (before ${before?.at ?? 'the end'})`
    for (const finding of await checkFolder(scene)) this.#tally.findings.push(`${when}: ${finding}`)
  }

  async #killAtStart(running: HubProcess | null, kill: Kill): Promise<HubProcess | null> {
    await running?.[Symbol.asyncDispose]()
    const hub = await startProcess(this.#directory, { cache: this.#cache, kill })
    if (hub.url === null) {
      await this.#bury(hub, kill)
      return null
    }
    // The moment did not come: this start had less to do.
    await hub.arm(null)
    this.#tally.count(`${kill.phase} ${kill.at}, not reached`)
    await this.#check(hub.url, kill)
    return hub
  }

  async #killAtWork(hub: HubProcess, kill: Kill): Promise<void> {
    const { url } = hub
    if (url === null) throw new Error('no hub')
    this.#lives++
    if (kill.at === 'answer')
      void this.#ledger.afterAnswers(kill.count).then(() => {
        hub.kill()
      })
    else await hub.arm(kill)
    const clients = Object.entries(CLIENTS).map(async ([name, client]) => {
      const random = this.#random.fork(`${name} ${String(this.#lives)}`)
      await actUntilGone(client, { url, ledger: this.#ledger, random, folder: join(this.#clients, name) })
    })
    await Promise.all(clients)
    hub.kill()
    await this.#bury(hub, kill)
  }

  async #bury(hub: HubProcess, kill: Kill): Promise<void> {
    const { said, signal, status } = await hub.ended
    const last = /^killed at (\S+)/m.exec(said)?.[1]
    if (signal !== 'SIGKILL')
      this.#tally.findings.push(`the hub ended with ${String(signal ?? status)}: ${said}`)
    const errors = said.replace(/^killed at .*$/m, '').trim()
    if (errors !== '') this.#tally.findings.push(`the hub said: ${errors.slice(0, 1000)}`)
    if (last !== undefined || kill.at === 'answer') this.#tally.count(`${kill.phase} ${kill.at}`)
    else this.#tally.count(`${kill.phase} ${kill.at}, not reached`)
  }
}

async function actUntilGone(client: Client, world: World): Promise<void> {
  try {
    for (let act = 0; act < ACTS; act++) await client(world)
  } catch (error) {
    if (!(error instanceof HubGone)) throw error
  }
}

function report({ kills, acknowledged, views, promotions, findings }: Tally): void {
  const lines = [...kills]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([at, count]) => `  ${String(count).padStart(4)}  ${at}`)
  const missed = STEPS.filter((step) => !kills.has(`work ${step}`) && !kills.has(`start ${step}`))
  const total = [...kills]
    .filter(([at]) => !/^start .*not reached$/.test(at))
    .reduce((sum, [, count]) => sum + count, 0)
  process.stdout.write(
    [
      `${String(total)} kills (HUB_TEST_SEED=${String(SEED)}):`,
      ...lines,
      `named steps at which none came this time: ${missed.join(', ') || 'none'}`,
      `promotions of the gated environment, as the starts found them: ${countsText(promotions)}`,
      `${String(acknowledged)} changes acknowledged, ${String(views)} views checked, ${String(findings.length)} findings`,
      '',
    ].join('\n'),
  )
}

function countsText(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, count]) => `${String(count)} ${what}`).join(', ') || 'none'
}
