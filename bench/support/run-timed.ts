/** A program that is run to its end, with what it printed and the CPU time that it used. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export interface TimedRun {
  readonly stdout: string
  /** User and system time of the program and of what it waited for. */
  readonly cpuSeconds: number
}

/** Node is not told what its children used; a shell is. @throws {Error} for an exit status other than 0. */
export async function runTimed(file: string, args: readonly string[]): Promise<TimedRun> {
  const command = ['-c', '"$@" || exit; times >&2', 'sh', file, ...args]
  const { stdout, stderr } = await promisify(execFile)('/bin/sh', command, { maxBuffer: 16 * 2 ** 20 })
  const ofChildren = stderr.trim().split('\n').at(-1) ?? ''
  const parts = [...ofChildren.matchAll(/(\d+)m([\d.]+)s/g)].map(([, m, s]) => Number(m) * 60 + Number(s))
  return { stdout, cpuSeconds: parts.reduce((sum, value) => sum + value, 0) }
}
