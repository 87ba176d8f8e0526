/**
 * A node that syncs by zip asks whether it has changed: conditional GET, and the whole zip. Peer: nginx with the same
 * zip as a static file.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { compareLoads } from './support/compare-loads.ts'
import { ask, basicAuth } from './support/http-client.ts'
import { startPreparedHub } from './support/hub.ts'
import { startNginx } from './support/nginx.ts'
import { uploadApps } from './support/overlay-of-apps.ts'
import { runPart } from './support/part.ts'
import type { LoadRequest } from './support/wrk.ts'

const PATH = '/overlays/staging.zip'
const CONNECTIONS = 16
/** A header and no body. */
const UNCHANGED_BYTES = { from: 80, to: 1500 }

await runPart({
  name: 'zip-poll',
  title: 'the overlay as a zip, unchanged and whole',
  needs: ['nginx', 'wrk'],
  async run(bench) {
    const { options, folder, report, resources } = bench
    const { hub } = await startPreparedHub(
      { folder: join(folder, 'hub'), env: { HUB_ANONYMOUS_READ: 'staging' }, profile: options.profile },
      async (preparing) => await uploadApps(preparing, { apps: options.quick ? 5 : 1000 }),
    )
    resources.use(hub)
    const authorization = basicAuth(await hub.createToken({ role: 'node', environments: ['staging'] }))
    const { body: zip } = await ask({ url: hub.url + PATH })
    const root = join(folder, 'static')
    await mkdir(dirname(join(root, PATH)), { recursive: true })
    await writeFile(join(root, PATH), zip)
    const nginx = resources.use(
      await startNginx({ folder: join(folder, 'nginx'), locations: `    location / { root ${root}; }` }),
    )
    report.peer(`${nginx.description}; the same zip (${zip.byteLength} bytes) as a static file; no password`)

    const ofHub = { url: hub.url, pids: [hub.pid], connections: CONNECTIONS }
    const ofNginx = { url: nginx.url, pids: [nginx.pid], connections: CONNECTIONS }
    const [token, open, peer] = await Promise.all([
      requestsOf(hub.url, zip, { authorization }),
      requestsOf(hub.url, zip, {}),
      requestsOf(nginx.url, zip, {}),
    ])
    const whole = { from: zip.byteLength, to: zip.byteLength + 1500 }
    for (const [kind, measured, meanBytes] of [
      ['unchanged', 'conditional GET', UNCHANGED_BYTES],
      ['whole', 'whole zip', whole],
    ] as const) {
      await compareLoads(bench, {
        measured,
        unit: 'requests',
        hub: {
          'with a token': { ...ofHub, requests: [token[kind]], meanBytes },
          'open to all': { ...ofHub, requests: [open[kind]], meanBytes },
        },
        peer: { name: 'nginx', way: { ...ofNginx, requests: [peer[kind]], meanBytes } },
        ...(kind === 'unchanged' && { target: { ratio: 0.25 } }),
      })
    }
  },
})

/** Both requests to one server, tried once: the bytes are the zip, and with its ETag there are none. */
async function requestsOf(
  url: string,
  zip: Buffer,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly whole: LoadRequest; readonly unchanged: LoadRequest }> {
  const first = await ask({ url: url + PATH, headers })
  if (first.status !== 200 || !first.body.equals(zip)) throw new Error(`${url + PATH} is not the zip`)
  const conditional = { ...headers, 'if-none-match': first.headers.etag ?? '' }
  const second = await ask({ url: url + PATH, headers: conditional })
  if (second.status !== 304) throw new Error(`${url + PATH} answered ${second.status} to its own ETag`)
  return {
    whole: { method: 'GET', path: PATH, headers },
    unchanged: { method: 'GET', path: PATH, headers: conditional },
  }
}
