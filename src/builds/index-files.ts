/** Counts which files the tarballs of each app have, so that they can be searched for: what was archived or released last. */
import { setImmediate as others } from 'node:timers/promises'
import type { Hub } from '../hub.ts'
import type { CountedFiles, QueuedBuild } from '../records/file-index.ts'
import type { ArchiveEntry } from './archive-contents.ts'

type Needs = Pick<Hub, 'records' | 'turns'>

/** In one transaction: others wait for it. */
const FILES_AT_ONCE = 500
const BUILDS_AT_ONCE = 50

/** Counts until nothing is left, or the signal is given; what was begun goes on where it was. */
export async function indexFiles(hub: Needs, signal?: AbortSignal): Promise<void> {
  await hub.turns.run('file index', async () => {
    let batch: CountedFiles[] = []
    for await (const part of uncounted(hub)) {
      batch.push(part)
      if (batch.reduce((sum, { paths }) => sum + paths.length, batch.length) < FILES_AT_ONCE) continue
      await keep(hub, batch)
      batch = []
      await others()
      if (signal?.aborted === true) return
    }
    await keep(hub, batch)
  })
}

async function keep({ records }: Needs, batch: readonly CountedFiles[]): Promise<void> {
  if (batch.length === 0) return
  await records.transaction(async ({ fileIndex }) => {
    for (const files of batch) await fileIndex.count(files)
  })
}

/** In the order in which they came; a large tarball in parts. */
async function* uncounted({ records }: Needs): AsyncGenerator<CountedFiles> {
  for (let last = 0; ;) {
    const waiting = await records.fileIndex.queued(last, BUILDS_AT_ONCE)
    for (const of of waiting) {
      const entries = (await records.builds.findListing<ArchiveEntry>(of.sha512)) ?? []
      for (let at: number | null = of.done; at !== null;) {
        const some: readonly ArchiveEntry[] = entries.slice(at, at + FILES_AT_ONCE)
        const end: number = at + some.length
        const done = end < entries.length ? end : null
        yield { of, paths: pathsOf(of, some), done }
        at = done
      }
      last = of.id
    }
    if (waiting.length === 0) return
  }
}

/** Folders are found by what is in them. */
function pathsOf({ topDirectory }: QueuedBuild, entries: readonly ArchiveEntry[]): readonly string[] {
  const inside = topDirectory === null ? 0 : topDirectory.length + 1
  return entries.filter(({ type }) => type !== 'directory').map(({ path }) => path.slice(inside))
}
