/**
 * New nodes: 200 shallow clones of an overlay with 1,000 apps, 8 at a time. First what the server can do, with a client
 * that says what git says and throws the pack away; then with real clients, which on a small machine do most of the
 * work themselves. Peer: git-http-backend behind nginx.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startGitBackend } from './support/git-backend.ts'
import { gitEnvironment, recordGit } from './support/git-exchange.ts'
import type { Exchanged } from './support/git-exchange.ts'
import { basicAuth } from './support/http-client.ts'
import { startPreparedHub } from './support/hub.ts'
import { LightConnection } from './support/light-connection.ts'
import { smallTarball, uploadApps } from './support/overlay-of-apps.ts'
import { runPart } from './support/part.ts'
import { cpuSeconds } from './support/processes.ts'
import { programPath } from './support/programs.ts'
import { alternate } from './support/rounds.ts'

const AT_ONCE = 8
/** Where real clones go, if it is there: else the disk that catches up on the last round is what is measured. */
const IN_MEMORY = '/dev/shm'

await runPart({
  name: 'cold-clone',
  title: 'shallow clones of an overlay, 8 at a time',
  needs: ['nginx', 'fcgiwrap', 'git'],
  async run({ options, folder, report, resources }) {
    const { apps, clones, realClones } = options.quick
      ? { apps: 8, clones: 16, realClones: 4 }
      : { apps: 1000, clones: 200, realClones: 40 }
    const { hub } = await startPreparedHub(
      { folder: join(folder, 'hub'), env: { HUB_ANONYMOUS_READ: 'staging' }, profile: options.profile },
      async (preparing) => await uploadApps(preparing, { apps }),
    )
    resources.use(hub)
    const backend = resources.use(
      await startGitBackend(join(folder, 'peer'), join(hub.folder, 'overlays', 'staging.git')),
    )
    report.peer(backend.description)
    const remotes = { hub: `${hub.url}/git/staging.git`, peer: backend.remote }
    const token = await hub.createToken({ role: 'node', environments: ['staging'] })
    const authorization = basicAuth(token)
    const recorded = {
      hub: await recordClone(join(folder, 'recorded-hub'), remotes.hub),
      peer: await recordClone(join(folder, 'recorded-peer'), remotes.peer),
    }
    report.note(
      `The exchange: ${recorded.hub.map(({ method, reply }) => `${method} (${reply.byteLength} bytes)`).join(', ')}`,
    )

    let build = 1
    const replayed = await alternate({
      rounds: options.rounds,
      contestants: {
        hub: async () => {
          // Something new: what the hub keeps of the last round is of no use.
          build++
          const app = { app: 'fresh', build, version: '1.0.0', tarball: smallTarball('fresh') }
          await hub.upload(app)
          const before = cpuSeconds(hub.pid)
          const measured = await measure(clones, () => replay(hub.url, recorded.hub, { authorization }))
          return { ...measured, serverCpuMs: ((cpuSeconds(hub.pid) - before) * 1000) / clones }
        },
        // fcgiwrap has nobody wait for what it starts, so its use of the CPU is not told.
        'git-http-backend': async () => ({
          ...(await measure(clones, () => replay(backend.url, recorded.peer, {}))),
          serverCpuMs: NaN,
        }),
      },
    })
    const more = { better: 'more', peerName: 'git-http-backend' } as const
    report.row({
      ...more,
      measured: `${clones} clones of ${apps} apps, replayed, with a token`,
      unit: 'clones/s',
      hub: replayed.hub.rate,
      peer: replayed['git-http-backend'].rate,
      target: { ratio: 10 },
    })
    report.row({
      measured: 'one of these clones',
      unit: 'ms of CPU of the hub',
      better: 'less',
      hub: replayed.hub.serverCpuMs,
    })
    const { clientCpuMs, clientBusy } = replayed.hub
    report.note(
      `The replaying client used ${clientCpuMs.median.toFixed(2)} ms of CPU for a clone of the hub, ` +
        `${Math.round(clientBusy.median * 100)} % of one core. Near 100 % it is the limit.`,
    )
    report.note(
      'Before each of its rounds the hub publishes a build, so each round begins with a pack to be made.',
    )

    const inMemory = existsSync(IN_MEMORY) ? IN_MEMORY : null
    const real = (remote: string) => async () => {
      const into = await mkdtemp(join(inMemory ?? folder, 'portage-hub-bench-clones-'))
      let next = 0
      const measured = await measure(realClones, () => cloneReally(remote, join(into, String(next++))))
      await rm(into, { recursive: true })
      return measured
    }
    const realResults = await alternate({
      rounds: Math.min(options.rounds, 2),
      contestants: { hub: real(remotes.hub), 'git-http-backend': real(remotes.peer) },
    })
    report.row({
      ...more,
      measured: `${realClones} clones of ${apps} apps by git itself, with all files written`,
      unit: 'clones/s',
      hub: realResults.hub.rate,
      peer: realResults['git-http-backend'].rate,
    })
    report.note(
      `git itself indexes the pack and writes every file (${inMemory ?? 'on disk'}): clients and server share the cores.`,
    )
  },
})

async function recordClone(clone: string, remote: string): Promise<readonly Exchanged[]> {
  const exchange = await recordGit(['clone', '--quiet', '--depth', '1', '--no-checkout', remote, clone], {
    remote,
  })
  const last = exchange.at(-1)
  if (!last?.reply.includes('PACK') || !last.body?.includes('want '))
    throw new Error(`${remote} sent no pack`)
  return exchange
}

/** One clone as git asks for it, on a connection of its own: the pack of what `ls-refs` named. */
async function replay(
  url: string,
  exchange: readonly Exchanged[],
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const connection = new LightConnection(Number(new URL(url).port))
  let tip = ''
  try {
    for (const asked of exchange) {
      const text = asked.body?.toString('latin1').replaceAll(/want [0-9a-f]{40}/g, `want ${tip}`)
      const body = text === undefined ? {} : { body: Buffer.from(text, 'latin1') }
      const { method, path } = asked
      const reply = await connection.ask({ method, path, headers: { ...asked.headers, ...headers }, ...body })
      // A build more makes it a little longer.
      if (reply.status !== 200 || reply.sizeBytes < asked.reply.byteLength * 0.9)
        throw new Error(`${method} ${url + path} answered ${reply.status} with ${reply.sizeBytes} bytes`)
      tip = /([0-9a-f]{40}) refs\/heads\/main/.exec(reply.beginning.toString('latin1'))?.[1] ?? tip
    }
  } finally {
    connection.close()
  }
}

async function cloneReally(remote: string, into: string): Promise<void> {
  const args = ['clone', '--quiet', '--depth', '1', remote, into]
  await promisify(execFile)(programPath('git'), args, { env: gitEnvironment() })
}

/** Does it so many times, several at once; gives how many a second, and what this process, the client, used for one. */
async function measure(times: number, one: () => Promise<void>) {
  let left = times
  const work = async (): Promise<void> => {
    while (left-- > 0) await one()
  }
  const started = performance.now()
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(before)
  return {
    rate: times / seconds,
    clientCpuMs: (user + system) / 1000 / times,
    clientBusy: (user + system) / 1e6 / seconds,
  }
}
