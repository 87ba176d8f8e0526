/** One build, from the first byte of its upload to the moment at which a git client sees its commit. */
import type { BenchHub, BenchUpload } from './hub.ts'
import { connectTo, lsRefs } from './light-git.ts'
import type { GitRequests } from './light-git.ts'

export interface PublishTimes {
  /** From the first byte sent until the whole answer was there. */
  readonly answeredMs: number
  /** From the answer until `ls-refs`, on a connection of its own, named the new commit. */
  readonly seenMs: number
  /** Both. */
  readonly wholeMs: number
}

export async function publishOnce(
  hub: BenchHub,
  requests: GitRequests,
  upload: BenchUpload,
): Promise<PublishTimes> {
  const before = await publishedTip(hub, requests)
  const started = performance.now()
  await hub.upload(upload)
  const answered = performance.now()
  while ((await publishedTip(hub, requests)) === before);
  const seen = performance.now()
  return { answeredMs: answered - started, seenMs: seen - answered, wholeMs: seen - started }
}

/** The newest commit, asked for on a new connection: so does every `git fetch`. */
export async function publishedTip(hub: BenchHub, requests: GitRequests): Promise<string> {
  const connection = connectTo(hub.url)
  try {
    return await lsRefs(connection, requests)
  } finally {
    connection.close()
  }
}
