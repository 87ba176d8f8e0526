/** One node of a fleet: polls, remembers what it has, and reads what it gets as closely as Portage's git and zip do. */
import { Agent } from 'node:http'
import { ask, basicAuth } from './http-client.ts'
import { pollByGit } from './light-git.ts'
import type { GitRequests } from './light-git.ts'

/** One poll. Times are of `performance.now()`. */
export interface Poll {
  readonly by: 'git' | 'zip'
  readonly startedAt: number
  readonly tookMs: number
  /** What was newest: a commit for git, a tree for zip; null when the poll failed. */
  readonly saw: string | null
  /** Whether that was new to the node, and fetched. */
  readonly fetched: boolean
  readonly fault: string | null
}

export interface FleetNode {
  poll(): Promise<Poll>
}

/** Has `commit` and fetches by git, as `sync-type = git` does. */
export function gitNode(url: string, requests: GitRequests, commit: string): FleetNode {
  let have = commit
  return {
    poll: async () =>
      await timed('git', async () => {
        const { commit: saw, fetched } = await pollByGit(url, requests, have)
        have = saw
        return { saw, fetched }
      }),
  }
}

/** Has the zip of `tree` and asks for another, as `sync-type = zipfile` does. */
export function zipNode(url: string, token: string, tree: string): FleetNode {
  let have = tree
  const headers = { Authorization: basicAuth(token) }
  return {
    poll: async () =>
      await timed('zip', async () => {
        const saw = await fetchZip(`${url}/overlays/staging.zip`, {
          ...headers,
          'If-None-Match': etagOf(have),
        })
        const fetched = saw !== null
        have = saw ?? have
        return { saw: have, fetched }
      }),
  }
}

async function timed(
  by: Poll['by'],
  poll: () => Promise<{ readonly saw: string; readonly fetched: boolean }>,
): Promise<Poll> {
  const startedAt = performance.now()
  try {
    const { saw, fetched } = await poll()
    return { by, startedAt, tookMs: performance.now() - startedAt, saw, fetched, fault: null }
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error)
    return { by, startedAt, tookMs: performance.now() - startedAt, saw: null, fetched: false, fault }
  }
}

/** The hub's validator is the id of the tree with the form of the zip before it. */
let zipForm = 'zip2'

function etagOf(tree: string): string {
  return `"${zipForm}-${tree}"`
}

/** The tree of the new zip; null when there is none. */
async function fetchZip(url: string, headers: Readonly<Record<string, string>>): Promise<string | null> {
  const agent = new Agent()
  try {
    const reply = await ask({ url, headers, agent })
    if (reply.status === 304) return null
    const [, form, tree] = /^"(zip\d+)-([0-9a-f]{40})"$/.exec(reply.headers.etag ?? '') ?? []
    if (reply.status !== 200 || form === undefined || tree === undefined)
      throw new Error(`${url} answered ${reply.status} with ETag ${reply.headers.etag ?? 'none'}`)
    zipForm = form
    checkZip(reply.body)
    return tree
  } finally {
    agent.destroy()
  }
}

/** Begins with an entry, ends with its list, and the list is where the end says. */
function checkZip(zip: Buffer): void {
  const end = zip.byteLength - 22
  const isWhole = zip.readUInt32LE(0) === 0x04034b50 && zip.readUInt32LE(end) === 0x06054b50
  if (!isWhole) throw new Error('the zip is not whole')
  const [listBytes, listAt] = [zip.readUInt32LE(end + 12), zip.readUInt32LE(end + 16)]
  if (listAt + listBytes !== end || zip.readUInt32LE(listAt) !== 0x02014b50)
    throw new Error("the zip's list of entries is not where its end says")
}
