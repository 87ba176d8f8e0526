/**
 * A git client that costs next to nothing: the requests of the real one, recorded once and sent again with other ids,
 * each poll on a connection of its own as `git fetch` does it, and answers read as closely as git reads them.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { gitEnvironment, recordGit } from './git-exchange.ts'
import type { Exchanged } from './git-exchange.ts'
import { basicAuth } from './http-client.ts'
import { startBenchHub } from './hub.ts'
import { LightConnection } from './light-connection.ts'
import type { LightReply } from './light-connection.ts'
import { tinyTarball } from './tiny-tarballs.ts'
import { programPath } from './programs.ts'

/** What one `git fetch --depth 1` asks, in its order. */
export interface GitRequests {
  /** Without the token that the client has, and refused. */
  readonly refused: readonly Exchanged[]
  readonly advertisement: Exchanged
  readonly lsRefs: Exchanged
  readonly fetch: Exchanged
  /** The ids in `fetch`: what was asked for, and what the client had. */
  readonly wanted: string
  readonly had: string
}

/**
 * Records a node's clone and, when `publish` has changed the overlay, its next fetch.
 * @param remote an address of an overlay, without the token
 */
export async function recordFetch(
  folder: string,
  remote: string,
  token: string,
  publish: () => Promise<void>,
): Promise<GitRequests> {
  const clone = join(folder, 'recorded-clone')
  const git = (...args: readonly string[]): string =>
    execFileSync(programPath('git'), args, { env: gitEnvironment(), encoding: 'utf8', stdio: 'pipe' }).trim()
  git('clone', '--quiet', '--depth', '1', remote.replace('://', `://node:${token}@`), clone)
  git('-C', clone, 'remote', 'set-url', 'origin', remote)
  const had = git('-C', clone, 'rev-parse', 'HEAD')
  await publish()
  const user = `node:${token}`
  const asked = await recordGit(['-C', clone, 'fetch', '--quiet', '--depth', '1', 'origin'], { remote, user })
  const wanted = git('-C', clone, 'rev-parse', 'FETCH_HEAD')
  const find = (what: string, test: (one: Exchanged) => boolean): Exchanged => {
    const found = asked.find(test)
    if (!found) throw new Error(`git fetch sent no ${what}`)
    return found
  }
  const says = (text: string) => (one: Exchanged) => one.body?.includes(text) ?? false
  return {
    refused: asked.filter(({ status }) => status === 401),
    advertisement: find('request of the advertisement', (one) => one.method === 'GET' && one.status === 200),
    lsRefs: find('ls-refs', says('command=ls-refs')),
    fetch: find('fetch', says('command=fetch')),
    ...{ wanted, had },
  }
}

/** The requests of a node's fetch, recorded from a small hub that lives no longer. */
export async function recordRequests(folder: string): Promise<GitRequests> {
  await using hub = await startBenchHub({ folder: join(folder, 'hub') })
  const token = await hub.createToken({ role: 'node', environments: ['staging'] })
  let build = 0
  const publish = async (): Promise<void> => {
    build++
    await hub.upload({ app: 'app', build, version: `1.${build}.0`, tarball: tinyTarball() })
  }
  await publish()
  return await recordFetch(folder, `${hub.url}/git/staging.git`, token, publish)
}

/** The same requests of a node with another token. */
export function withToken(requests: GitRequests, token: string): GitRequests {
  const give = (one: Exchanged): Exchanged => ({
    ...one,
    headers: { ...one.headers, authorization: basicAuth(token) },
  })
  const { advertisement, fetch } = requests
  return {
    ...requests,
    ...{ advertisement: give(advertisement), lsRefs: give(requests.lsRefs), fetch: give(fetch) },
  }
}

export interface Poll {
  /** The newest commit when it was asked. */
  readonly commit: string
  /** Whether it was new to the client, and fetched. */
  readonly fetched: boolean
  readonly tookMs: number
}

/** One node's poll. @throws {Error} for any answer that git would not take. */
export async function pollByGit(url: string, requests: GitRequests, have: string): Promise<Poll> {
  const started = performance.now()
  const connection = connectTo(url)
  try {
    for (const one of requests.refused) expectStatus(await connection.ask(one), 401, one)
    expectStatus(await connection.ask(requests.advertisement), 200, requests.advertisement)
    const commit = await lsRefs(connection, requests)
    if (commit !== have) {
      const body = withIds(requests, commit, have)
      const reply = await connection.ask({ ...requests.fetch, body, keepsBody: true })
      expectStatus(reply, 200, requests.fetch)
      checkFetchedOnce(reply.beginning, commit, have)
    }
    return { commit, fetched: commit !== have, tookMs: performance.now() - started }
  } finally {
    connection.close()
  }
}

/** A connection to the server at `url`, whose path is not looked at. */
export function connectTo(url: string): LightConnection {
  return new LightConnection(Number(new URL(url).port))
}

/** The newest commit, by `ls-refs` alone. */
export async function lsRefs(connection: LightConnection, requests: GitRequests): Promise<string> {
  const reply = await connection.ask(requests.lsRefs)
  expectStatus(reply, 200, requests.lsRefs)
  const commit = /([0-9a-f]{40}) refs\/heads\/main/.exec(reply.beginning.toString('latin1'))?.[1]
  if (commit === undefined) throw new Error(`ls-refs names no main: ${reply.beginning.toString('latin1')}`)
  return commit
}

function expectStatus({ status, beginning }: LightReply, wanted: number, { method, path }: Exchanged): void {
  if (status !== wanted)
    throw new Error(`${method} ${path} answered ${status}: ${beginning.toString('latin1').slice(0, 300)}`)
}

function withIds({ fetch, wanted, had }: GitRequests, want: string, have: string): Buffer {
  const text = (fetch.body ?? Buffer.alloc(0)).toString('latin1')
  return Buffer.from(text.replaceAll(wanted, want).replaceAll(had, have), 'latin1')
}

/** Answers that were read, by what was asked. */
const checked = new Map<string, Buffer>()
const MOST_CHECKED = 200

/**
 * As `checkFetched`; bytes that are those of an answer to the same question are not read again. Thousands of nodes on one
 * machine would be busy with inflating, each the same.
 */
function checkFetchedOnce(body: Buffer, commit: string, have: string): void {
  const question = `${commit} ${have}`
  if (checked.get(question)?.equals(body)) return
  checkFetched(body, commit)
  if (checked.size >= MOST_CHECKED) checked.clear()
  checked.set(question, body)
}

/** The pack is whole, its digest right, and the commit in it. @throws {Error} otherwise. */
export function checkFetched(body: Buffer, commit: string): void {
  const pack = packOf(body)
  const end = pack.byteLength - 20
  if (end < 12 || pack.toString('latin1', 0, 4) !== 'PACK') throw new Error('the answer has no pack')
  const digest = createHash('sha1').update(pack.subarray(0, end)).digest()
  if (!digest.equals(pack.subarray(end))) throw new Error('the pack has another digest than it says')
  let hasCommit = false
  let at = 12
  for (let left = pack.readUInt32BE(8); left > 0; left--) {
    const { type, contentAt } = objectHeader(pack, at)
    const { content, bytes } = inflateAt(pack, contentAt)
    hasCommit ||= type === 1 && objectId(content) === commit
    at = contentAt + bytes
  }
  if (at !== end) throw new Error('the pack has more or less in it than it says')
  if (!hasCommit) throw new Error(`the pack lacks the commit ${commit}`)
}

/** Side band 1 of the section `packfile`. */
function packOf(body: Buffer): Buffer {
  const parts: Buffer[] = []
  let inPack = false
  for (let at = 0; at + 4 <= body.byteLength;) {
    const length = Number.parseInt(body.toString('latin1', at, at + 4), 16)
    const line = body.subarray(at + 4, at + Math.max(length, 4))
    at += Math.max(length, 4)
    if (length > 4 && inPack && line[0] === 1) parts.push(line.subarray(1))
    if (length > 4 && inPack && line[0] === 3) throw new Error(line.subarray(1).toString('latin1'))
    if (line.toString('latin1').trimEnd() === 'packfile') inPack = true
  }
  return Buffer.concat(parts)
}

function objectHeader(pack: Buffer, start: number): { readonly type: number; readonly contentAt: number } {
  let at = start
  const type = ((pack[at] ?? 0) >> 4) & 7
  while ((pack[at++] ?? 0) & 0x80);
  // A delta names its base before its instructions.
  return { type, contentAt: type === 7 ? at + 20 : at }
}

function inflateAt(pack: Buffer, at: number): { readonly content: Buffer; readonly bytes: number } {
  const { buffer, engine } = inflateSync(pack.subarray(at), { info: true }) as unknown as {
    buffer: Buffer
    engine: { bytesWritten: number }
  }
  return { content: buffer, bytes: engine.bytesWritten }
}

function objectId(content: Buffer): string {
  return createHash('sha1').update(`commit ${content.byteLength}\0`).update(content).digest('hex')
}
