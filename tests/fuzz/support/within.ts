/** The limit of a case, for inputs that once were beyond it. */
import { CPU_LIMIT_MS } from './settings.ts'

const TRIES = 3

/**
 * What `work` gives or throws. The compiler and the collector of garbage work in this process too, now and then for
 * longer than the case: what takes too long is tried again, and what was found took too long each time.
 * @throws if it took more processor time than a case may, every time.
 */
export async function withinTheLimit<T>(work: () => Promise<T> | T): Promise<T> {
  let tookMs = Infinity
  for (let tried = 0; tried < TRIES; tried++) {
    const before = process.cpuUsage()
    const [result] = await Promise.allSettled([Promise.resolve().then(work)])
    const { user, system } = process.cpuUsage(before)
    tookMs = Math.min(tookMs, (user + system) / 1000)
    if (tookMs > 2 * CPU_LIMIT_MS) continue
    if (result.status === 'rejected') throw result.reason
    return result.value
  }
  throw new Error(`it took ${tookMs.toFixed(0)} ms of processor time`)
}
