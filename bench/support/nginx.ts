/** nginx as a careful operator would run it for this alone: everything it writes is below one folder. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { userInfo } from 'node:os'
import { freePort, isListening, startServer } from './child.ts'
import { programPath, programVersion } from './programs.ts'

export interface NginxOptions {
  /** Made for it: configuration, logs, temporary files. */
  readonly folder: string
  /** `location … { … }` of the one server. */
  readonly locations: string
  /** `upstream … { … }` and the like, beside the server. */
  readonly http?: string
}

export interface Nginx extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** For the report: version and what is set. */
  readonly description: string
}

const SET =
  'worker_processes auto, sendfile on, tcp_nopush on, tcp_nodelay on, access_log off, keep-alive without end, ' +
  'open_file_cache'

export async function startNginx({ folder, locations, http = '' }: NginxOptions): Promise<Nginx> {
  await mkdir(folder, { recursive: true })
  const port = await freePort()
  const path = join(folder, 'nginx.conf')
  await writeFile(path, configuration({ folder, locations, http, port }))
  const server = await startServer({
    name: 'nginx',
    file: programPath('nginx'),
    args: ['-p', folder, '-c', path, '-e', 'stderr'],
    isReady: () => isListening(port),
  })
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: server.pid,
    description: `${programVersion('nginx')}: ${SET}`,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
    },
  }
}

function configuration(options: Required<NginxOptions> & { readonly port: number }): string {
  const { folder, locations, http, port } = options
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((what) => `  ${what}_temp_path ${join(folder, what)};`)
    .join('\n')
  return `daemon off;
${process.getuid?.() === 0 ? `user ${userInfo().username};` : ''}
worker_processes auto;
worker_rlimit_nofile 16384;
pid ${join(folder, 'nginx.pid')};
error_log stderr warn;
events { worker_connections 4096; }
http {
${temporary}
  default_type application/octet-stream;
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_timeout 65;
  keepalive_requests 100000000;
  open_file_cache max=20000 inactive=10m;
  open_file_cache_valid 10m;
  client_max_body_size 0;
  gzip off;
${http}
  server {
    listen 127.0.0.1:${port} backlog=1024;
${locations}
  }
}
`
}
