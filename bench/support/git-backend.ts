/**
 * What one would serve a repository with otherwise: git's own http-backend, started by fcgiwrap, behind nginx. The
 * repository is a clone of the hub's, every object in one pack with a bitmap and a commit-graph.
 * Source: git-http-backend(1) "Examples", gitprotocol-http(5).
 */
import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { isListening, startServer } from './child.ts'
import { startNginx } from './nginx.ts'
import { gitHttpBackend, programPath, programVersion } from './programs.ts'

export interface GitBackend extends AsyncDisposable {
  /** Address to clone. */
  readonly remote: string
  readonly url: string
  readonly description: string
}

/** Serves a packed clone of `repository` (a bare one) from `folder`. */
export async function startGitBackend(folder: string, repository: string): Promise<GitBackend> {
  const served = join(folder, 'served', 'staging.git')
  await mkdir(dirname(served), { recursive: true })
  cloneAndPack(repository, served)
  await using parts = new AsyncDisposableStack()
  const socket = join(folder, 'fcgiwrap.sock')
  // Each serves one request at a time: two for each core keep the cores busy.
  const children = 2 * availableParallelism()
  parts.use(
    await startServer({
      name: 'fcgiwrap',
      file: programPath('fcgiwrap'),
      args: ['-c', String(children), '-s', `unix:${socket}`],
      isReady: () => isListening(socket),
    }),
  )
  const nginx = parts.use(
    await startNginx({ folder: join(folder, 'nginx'), locations: location(dirname(served), socket) }),
  )
  const kept = parts.move()
  return {
    remote: `${nginx.url}/git/staging.git`,
    url: nginx.url,
    description:
      `git-http-backend of ${programVersion('git')} by ${programVersion('fcgiwrap')} with ${children} children behind ` +
      `${nginx.description}; a bare clone of the hub's repository, packed by git gc with bitmap and commit-graph; no password`,
    async [Symbol.asyncDispose]() {
      await kept.disposeAsync()
    },
  }
}

function cloneAndPack(from: string, to: string): void {
  const git = (...args: readonly string[]): unknown =>
    execFileSync(programPath('git'), args, { stdio: ['ignore', 'ignore', 'pipe'] })
  git('clone', '--quiet', '--mirror', '--no-local', from, to)
  git('-C', to, 'gc', '--quiet')
  git('-C', to, 'repack', '-a', '-d', '--quiet', '--write-bitmap-index')
  git('-C', to, 'commit-graph', 'write', '--reachable')
  git('-C', to, 'pack-refs', '--all')
}

function location(root: string, socket: string): string {
  return `    location ~ ^/git(/.*)$ {
      fastcgi_pass unix:${socket};
      fastcgi_param SCRIPT_FILENAME ${gitHttpBackend()};
      fastcgi_param GIT_PROJECT_ROOT ${root};
      fastcgi_param GIT_HTTP_EXPORT_ALL 1;
      fastcgi_param GIT_PROTOCOL $http_git_protocol;
      fastcgi_param PATH_INFO $1;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_buffers 64 16k;
    }`
}
