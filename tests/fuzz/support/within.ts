/** The limit of a case, for inputs that once were beyond it. */
import { CPU_LIMIT_MS } from './settings.ts'

/** What `work` gives or throws. @throws if it took more processor time than a case may. */
export async function withinTheLimit<T>(work: () => Promise<T> | T): Promise<T> {
  const before = process.cpuUsage()
  const [result] = await Promise.allSettled([Promise.resolve().then(work)])
  const { user, system } = process.cpuUsage(before)
  const tookMs = (user + system) / 1000
  // The compiler and the collector of garbage work in this process too: what was found took many times as long.
  if (tookMs > 2 * CPU_LIMIT_MS) throw new Error(`it took ${tookMs.toFixed(0)} ms of processor time`)
  if (result.status === 'rejected') throw result.reason
  return result.value
}
