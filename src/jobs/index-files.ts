/** Has the files of what is archived or released found soon after, and at a start those that were not counted before. */
import { indexFiles } from '../builds/index-files.ts'
import { Bell } from '../events/bell.ts'
import type { Hub } from '../hub.ts'

type Needs = Pick<Hub, 'records' | 'turns' | 'log'>

/** After a failure, a full disk for example, it is tried again. */
const LOOK_EVERY_MS = 60_000

/** Starts it; the returned function waits for what is under way. */
export function startFileIndex(hub: Needs): () => Promise<void> {
  const stop = new AbortController()
  const running = indexUntil(hub, stop.signal)
  return async () => {
    stop.abort()
    await running
  }
}

async function indexUntil(hub: Needs, signal: AbortSignal): Promise<void> {
  using bell = new Bell(hub.records.growth)
  while (!signal.aborted) {
    bell.silence()
    await indexFiles(hub, signal).catch((error: unknown) => {
      hub.log.error({ err: error }, 'the files of builds could not be made ready to be searched for')
    })
    await bell.rung(LOOK_EVERY_MS, signal)
  }
}
