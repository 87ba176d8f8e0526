/**
 * The hub behind nginx, which sends the archive's files in its place: the hub looks at the token and names the file
 * (`HUB_ACCEL_REDIRECT`), nginx sends it. Source: nginx's "X-Accel" and docs/operations.md.
 */
import { join } from 'node:path'
import { startBenchHub } from './hub.ts'
import type { BenchHub } from './hub.ts'
import { startNginx } from './nginx.ts'

const LOCATION = '/archive'

export interface Front extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** nginx and the hub behind it. */
  readonly pids: readonly number[]
  readonly description: string
}

/** Starts a hub on the data of another, which must have been stopped, and nginx in front of it. */
export async function startNginxFront(
  folder: string,
  { folder: data, adminToken, port }: Pick<BenchHub, 'folder' | 'adminToken' | 'port'>,
): Promise<Front> {
  await using parts = new AsyncDisposableStack()
  const env = { HUB_ACCEL_REDIRECT: LOCATION, HUB_TRUST_PROXY: 'true' }
  const hub = parts.use(await startBenchHub({ folder: data, adminToken, port, env }))
  const nginx = parts.use(
    await startNginx({
      folder,
      http: `  upstream hub { server 127.0.0.1:${hub.port}; keepalive 32; keepalive_requests 100000000; }`,
      locations: `    location / {
      proxy_pass http://hub;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
    location ${LOCATION}/ { internal; alias ${join(data, 'distfiles', 'archive')}/; }`,
    }),
  )
  const kept = parts.move()
  return {
    url: nginx.url,
    port: nginx.port,
    pids: [nginx.pid, hub.pid],
    description: `in front of the hub: ${nginx.description}; proxy_pass with keep-alive, X-Accel-Redirect into the archive`,
    async [Symbol.asyncDispose]() {
      await kept.disposeAsync()
    },
  }
}
