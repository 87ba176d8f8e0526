/** Git for tests: the real client, its environment empty, and an overlay served over HTTP by the hub's code. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { gunzipSync } from 'node:zlib'
import { HubError } from '../../src/errors.ts'
import { parseProtocolVersion } from '../../src/git/advertisement.ts'
import type { HeldRevision } from '../../src/git/fetch-plan.ts'
import { encodeCommit, objectId } from '../../src/git/objects.ts'
import type { Oid } from '../../src/git/objects.ts'
import { newObjects } from '../../src/git/tree-diff.ts'
import { applyChanges, EMPTY_TREE } from '../../src/git/tree.ts'
import { GitServer } from '../../src/overlays/serve-git.ts'
import type { GitAnswer, GitServerOptions } from '../../src/overlays/serve-git.ts'
import { GitRepository } from '../../src/storage/git-repository.ts'
import type { PackedObject } from '../../src/storage/git-repository.ts'

const GIT_ENV = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.org',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.org',
}

interface GitOptions {
  readonly input?: string | Buffer
  readonly trace?: boolean
}

/** Runs git; resolves to its output without the last line feed, or fails with its complaint. */
export async function git(
  cwd: string,
  args: readonly string[],
  { input, trace }: GitOptions = {},
): Promise<string> {
  return await new Promise((resolve, reject) => {
    const env = { ...GIT_ENV, ...(trace === true ? { GIT_TRACE_PACKET: '1' } : {}) }
    const child = execFile(
      'git',
      args,
      { cwd, env, maxBuffer: 2 ** 28, timeout: 50_000 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`git ${args.join(' ')}: ${stderr}`))
        else resolve((trace === true ? stderr : stdout).trimEnd())
      },
    )
    child.stdin?.end(input)
  })
}

export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'hub-git-'))
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) }
}

export function blobOf(text: string): { oid: Oid; content: Buffer } {
  const content = Buffer.from(text)
  return { oid: objectId('blob', content), content }
}

/** Files by path; null takes one away. */
export type Files = Readonly<Record<string, string | null>>

/** A history of revisions, written to a repository and held in memory as the hub holds an overlay. */
export class OverlayFixture {
  readonly repository: GitRepository
  readonly blobs = new Map<Oid, Buffer>()
  /** Oldest first; the tests forget revisions by removing them here. */
  held: HeldRevision[] = []
  tip: HeldRevision | null = null
  blobReads = 0
  #published = 0

  constructor(repository: GitRepository) {
    this.repository = repository
  }

  async publish(files: Files, message = 'change'): Promise<HeldRevision> {
    const changes = new Map<string, Oid | null>()
    for (const [path, text] of Object.entries(files)) {
      const blob = text === null ? null : blobOf(text)
      if (blob) this.blobs.set(blob.oid, blob.content)
      changes.set(path, blob?.oid ?? null)
    }
    const before = this.tip
    const tree = applyChanges(before?.tree ?? EMPTY_TREE, changes)
    const author = { name: 'Hub', email: 'hub@example.org' }
    const timeSec = 1_700_000_000 + 60 * this.#published++
    const commitBytes = encodeCommit({
      tree: tree.oid,
      parent: before?.commit ?? null,
      author,
      timeSec,
      message,
    })
    const revision = { commit: objectId('commit', commitBytes), commitBytes, tree }
    await this.repository.writePack(this.#newObjects(before, revision))
    await this.repository.updateTip(revision.commit, before?.commit ?? null)
    if (before) this.held.push(before)
    this.tip = revision
    return revision
  }

  #newObjects(before: HeldRevision | null, { commit, commitBytes, tree }: HeldRevision): PackedObject[] {
    const { trees, blobs } = newObjects(before?.tree ?? null, tree)
    return [
      { type: 'commit', oid: commit, content: commitBytes },
      ...trees.map((step) => ({ type: 'tree' as const, oid: step.tree.oid, content: step.tree.content })),
      ...blobs.map((oid) => ({ type: 'blob' as const, oid, content: this.readBlob(oid) })),
    ]
  }

  readBlobs = async (oids: readonly Oid[]): Promise<ReadonlyMap<Oid, Buffer>> =>
    await Promise.resolve(new Map(oids.map((oid) => [oid, this.readBlob(oid)])))

  readBlob = (oid: Oid): Buffer => {
    this.blobReads++
    const content = this.blobs.get(oid)
    if (!content) throw new Error(`no blob ${oid}`)
    return content
  }
}

export interface ServedFixture extends AsyncDisposable {
  readonly overlay: OverlayFixture
  readonly server: GitServer
  readonly url: string
  /** Folder for clones. */
  readonly folder: string
  /** Method and path of each request since the last look. */
  takeRequests(): string[]
}

/** An empty overlay behind HTTP on a free port. */
export async function serveOverlay(options: GitServerOptions = {}): Promise<ServedFixture> {
  const folder = await temporaryFolder()
  const overlay = new OverlayFixture(await GitRepository.open(join(folder.path, 'hub.git')))
  const server = new GitServer(options)
  let requests: string[] = []
  const http = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    answer(server, overlay, request, response).catch((error: unknown) => {
      response.statusCode = error instanceof HubError ? 400 : 500
      response.end(String(error))
    })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    overlay,
    server,
    folder: folder.path,
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/staging.git`,
    takeRequests: () => requests.splice(0),
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
      requests = []
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function answer(
  server: GitServer,
  overlay: OverlayFixture,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const protocolVersion = parseProtocolVersion(request.headers['git-protocol'] as string | undefined)
  const left = new AbortController()
  response.on('close', () => left.abort())
  const send = async ({ contentType, body }: GitAnswer): Promise<void> => {
    response.setHeader('Content-Type', contentType)
    await pipeline(body instanceof Buffer ? [body] : Readable.from(body, { objectMode: false }), response)
  }
  if (request.method === 'GET') {
    await send(server.advertise(overlay.tip?.commit ?? null, protocolVersion))
    return
  }
  const raw = await buffer(request)
  const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw
  const { repository, tip, held: former, readBlobs: blobs } = overlay
  await send(
    await server.answerUploadPack({
      overlay: { tip, former },
      blobs,
      repository,
      body,
      protocolVersion,
      signal: left.signal,
    }),
  )
}
