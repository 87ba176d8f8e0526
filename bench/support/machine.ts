/** The machine that figures were measured on: a figure without it means nothing. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { HUB_VERSION } from '../../src/version.ts'

export interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  /** Of the folder that is measured in. */
  readonly fileSystem: string
  readonly hub: string
  /** Processes that wanted a core, over the minute before the start: more than a few tenths, and figures are noise. */
  readonly loadBefore: number
  readonly text: string
}

export function describeMachine(folder: string): Machine {
  const cores = availableParallelism()
  const cpu = cpus()[0]?.model ?? 'unknown'
  const memoryGiB = Math.round(totalmem() / 2 ** 30)
  const loadBefore = loadavg()[0] ?? NaN
  const fileSystem = fileSystemOf(folder)
  const [kernel, node, hub] = [`Linux ${release()}`, process.version, hubVersion()]
  const text =
    `${cores} cores of ${cpu} (${modelNumber()}), ${memoryGiB} GiB, ${kernel}, ${fileSystem}, Node ${node}, ` +
    `Portage Hub ${hub}; load before: ${loadBefore.toFixed(2)}`
  return { cores, cpu, memoryGiB, kernel, node, fileSystem, hub, loadBefore, text }
}

function modelNumber(): string {
  const field = (name: string): string => {
    const match = new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(readFileSync('/proc/cpuinfo', 'utf8'))
    return match?.[1] ?? '?'
  }
  return `family ${field('cpu family')}, model ${field('model')}, ${field('cpu MHz')} MHz`
}

function fileSystemOf(folder: string): string {
  try {
    return execFileSync('stat', ['--file-system', '--format=%T', folder], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown file system'
  }
}

/** The version, and in a checkout the commit with a `+` if something is changed. */
function hubVersion(): string {
  try {
    const options = {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: 'pipe',
    } as const
    return `${HUB_VERSION} (${execFileSync('git', ['describe', '--always', '--dirty=+'], options).trim()})`
  } catch {
    return HUB_VERSION
  }
}
