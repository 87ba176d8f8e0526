/**
 * Nodes fetch small distfiles: 4 KiB each, a thousand of them, 16 connections. Peer: nginx with the same files. And
 * the hub behind nginx, deciding and leaving the bytes to nginx (`X-Accel-Redirect`).
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { compareLoads } from './support/compare-loads.ts'
import { ask, basicAuth } from './support/http-client.ts'
import { startPreparedHub } from './support/hub.ts'
import type { BenchBuild } from './support/hub.ts'
import { startNginxFront } from './support/nginx-front.ts'
import { startNginx } from './support/nginx.ts'
import { uploadApps } from './support/overlay-of-apps.ts'
import { runPart } from './support/part.ts'

const CONNECTIONS = 16
const SIZE_BYTES = 4096
/** Header fields of one answer. */
const HEADER_BYTES = 1500
const SAMPLES = 20

type Way = Parameters<typeof compareLoads>[1]['hub'][string]

await runPart({
  name: 'distfile-small',
  title: 'distfiles of 4 KiB, 16 connections',
  needs: ['nginx', 'wrk'],
  async run(bench) {
    const { options, folder, report, resources } = bench
    const env = { HUB_ANONYMOUS_READ: 'staging' }
    const { hub, prepared: builds } = await startPreparedHub(
      { folder: join(folder, 'hub'), env, profile: options.profile },
      async (preparing) =>
        await uploadApps(preparing, { apps: options.quick ? 10 : 1000, sizeBytes: SIZE_BYTES }),
    )
    resources.use(hub)
    const authorization = basicAuth(await hub.createToken({ role: 'node', environments: ['staging'] }))
    const locations = `    location /distfiles/ { root ${hub.folder}; }`
    const nginx = resources.use(await startNginx({ folder: join(folder, 'nginx'), locations }))
    report.peer(`${nginx.description}; the very same ${builds.length} files; no password`)

    const way = (url: string, pids: readonly number[], headers: Readonly<Record<string, string>>): Way => ({
      url,
      pids,
      connections: CONNECTIONS,
      requests: builds.map((build) => ({ method: 'GET', path: pathOf(build), headers })),
      shuffled: true,
      meanBytes: { from: SIZE_BYTES, to: SIZE_BYTES + HEADER_BYTES },
    })
    const ways = {
      'with a token': way(hub.url, [hub.pid], { authorization }),
      'open to all': way(hub.url, [hub.pid], {}),
    }
    const peer = { name: 'nginx', way: way(nginx.url, [nginx.pid], {}) }
    for (const { url, requests } of [...Object.values(ways), peer.way])
      await checkBytes(url, builds, requests[0]?.headers ?? {})
    const common = { unit: 'requests', peer, target: { ratio: 0.3 } }
    await compareLoads(bench, { ...common, measured: `${SIZE_BYTES} bytes`, hub: ways })

    await hub[Symbol.asyncDispose]()
    const front = resources.use(await startNginxFront(join(folder, 'front'), hub))
    report.peer(front.description)
    await checkBytes(front.url, builds, { authorization })
    const handed = way(front.url, front.pids, { authorization })
    await compareLoads(bench, {
      unit: 'requests',
      measured: `${SIZE_BYTES} bytes, nginx in front, the hub decides, nginx sends`,
      hub: { 'with a token': handed },
      peer,
    })
  },
})

function pathOf({ tarball }: BenchBuild): string {
  return `/distfiles/staging/${tarball.name}`
}

async function checkBytes(
  url: string,
  builds: readonly BenchBuild[],
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  for (const build of builds.slice(0, SAMPLES)) {
    const { status, body } = await ask({ url: url + pathOf(build), headers })
    if (status !== 200 || createHash('sha512').update(body).digest('hex') !== build.tarball.sha512)
      throw new Error(`${url + pathOf(build)} is not the file: status ${status}`)
  }
}
