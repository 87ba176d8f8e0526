/**
 * A node looks whether there is anything new, and there is not: all that `git fetch --depth 1` asks then, recorded from
 * the real client, and `ls-refs` alone. Peer: git-http-backend behind nginx.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { compareLoads } from './support/compare-loads.ts'
import { startGitBackend } from './support/git-backend.ts'
import { gitEnvironment, recordGit } from './support/git-exchange.ts'
import type { Exchanged } from './support/git-exchange.ts'
import { ask } from './support/http-client.ts'
import { startPreparedHub } from './support/hub.ts'
import { uploadApps } from './support/overlay-of-apps.ts'
import { runPart } from './support/part.ts'
import { childrenMark } from './support/processes.ts'
import { programPath } from './support/programs.ts'

const CONNECTIONS = 16
/** Header fields of one answer. */
const HEADER_BYTES = 1500
/** Two overlays of the same apps: git sends its password only where it was refused without. */
const ENVIRONMENTS = {
  HUB_ENVIRONMENTS: 'staging:automatic guarded:automatic',
  HUB_ANONYMOUS_READ: 'staging',
}

await runPart({
  name: 'idle-poll',
  title: 'git fetch --depth 1 with nothing new',
  needs: ['nginx', 'fcgiwrap', 'wrk', 'git'],
  async run(bench) {
    const { options, folder, report, resources } = bench
    const { hub } = await startPreparedHub(
      { folder: join(folder, 'hub'), env: ENVIRONMENTS, profile: options.profile },
      async (preparing) => await uploadApps(preparing, { apps: options.quick ? 5 : 100 }),
    )
    resources.use(hub)
    const backend = resources.use(
      await startGitBackend(join(folder, 'peer'), join(hub.folder, 'overlays', 'staging.git')),
    )
    report.peer(backend.description)

    const token = await hub.createToken({ role: 'node', environments: ['guarded'] })
    const open = await recordPoll(join(folder, 'node-of-hub'), `${hub.url}/git/staging.git`)
    const peer = await recordPoll(join(folder, 'node-of-peer'), backend.remote)
    const withToken = await recordPoll(
      join(folder, 'node-with-token'),
      `${hub.url}/git/guarded.git`,
      `node:${token}`,
    )
    const refused = withToken.filter(({ status }) => status === 401)
    const asked = withToken.filter(({ status }) => status !== 401)
    report.note(`The exchange, as recorded: ${open.map(describe).join('; ')}`)
    const ofHub = { url: hub.url, pids: [hub.pid], connections: CONNECTIONS }
    // fcgiwrap has nobody wait for what it starts, so its use of the CPU is not told.
    const ofPeer = { url: backend.url, pids: [], connections: CONNECTIONS }
    const before = childrenMark(hub.pid)
    const target = { ratio: 50 }
    const exchanges = { measured: 'whole exchange', unit: 'exchanges', requestsEach: open.length, target }
    await compareLoads(bench, {
      ...exchanges,
      hub: {
        'with a token': { ...ofHub, ...repeated(asked) },
        'open to all': { ...ofHub, ...repeated(open) },
      },
      peer: { name: 'git-http-backend', way: { ...ofPeer, ...repeated(peer) } },
    })
    await compareLoads(bench, {
      measured: 'ls-refs alone',
      unit: 'requests',
      hub: {
        'with a token': { ...ofHub, ...repeated(asked.filter(isLsRefs)) },
        'open to all': { ...ofHub, ...repeated(open.filter(isLsRefs)) },
      },
      peer: { name: 'git-http-backend', way: { ...ofPeer, ...repeated(peer.filter(isLsRefs)) } },
      target,
    })
    await compareLoads(bench, {
      measured: `the ${refused.length} × 401 before, for git asks first without the token it has`,
      unit: 'requests',
      hub: { 'no token': { ...ofHub, ...repeated(refused), refused: true } },
    })
    report.row({
      measured: 'processes that the hub started meanwhile',
      unit: '0 or some',
      better: 'less',
      hub: childrenMark(hub.pid) === before ? 0 : 1,
      target: { atMost: 0 },
    })
    await checkAgain(hub.url, asked)
    await checkAgain(hub.url, open)
  },
})

/** A shallow clone as Portage makes it, then its fetch: what the fetch asks. */
async function recordPoll(clone: string, remote: string, user?: string): Promise<readonly Exchanged[]> {
  const through = user === undefined ? remote : remote.replace('://', `://${user}@`)
  const options = { env: gitEnvironment(), stdio: 'pipe' } as const
  execFileSync(programPath('git'), ['clone', '--quiet', '--depth', '1', through, clone], options)
  // The recorder puts the password in.
  execFileSync(programPath('git'), ['-C', clone, 'remote', 'set-url', 'origin', remote], options)
  return await recordGit(['-C', clone, 'fetch', '--quiet', '--depth', '1', 'origin'], {
    remote,
    user: user ?? null,
  })
}

function repeated(requests: readonly Exchanged[]) {
  const mean = requests.reduce((sum, { reply }) => sum + reply.byteLength, 0) / requests.length
  return { requests, meanBytes: { from: mean + 80, to: mean + HEADER_BYTES } }
}

function isLsRefs({ body }: Exchanged): boolean {
  return body?.includes('command=ls-refs') ?? false
}

function describe({ method, path, body, status, reply }: Exchanged): string {
  const command = /command=([a-z-]+)/.exec(body?.toString('latin1') ?? '')?.[1] ?? ''
  return `${method} ${path} ${command} (${status}, ${reply.byteLength} bytes)`.replace(/ +/g, ' ')
}

/** After the load the hub still answers what it answered the real client. */
async function checkAgain(url: string, exchange: readonly Exchanged[]): Promise<void> {
  for (const { method, path, headers, body, status, reply } of exchange) {
    const again = await ask({ url: url + path, method, headers, ...(body && { body }) })
    if (again.status !== status || !again.body.equals(reply))
      throw new Error(`${method} ${path} is answered otherwise after the load`)
  }
}
