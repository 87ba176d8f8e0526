/** Processor time of another process, from the kernel. Source: proc(5), `/proc/<pid>/stat`. */
import { readFileSync } from 'node:fs'

/** The kernel tells these times in hundredths of a second, whatever its own clock is. */
const TICK_MS = 10

/** Milliseconds that the process has worked, all threads together; null when it is gone. */
export function cpuMsOf(pid: number): number | null {
  try {
    // The name of the program stands in brackets and may have spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return null
  }
}
