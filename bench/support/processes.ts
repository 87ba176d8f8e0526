/** What running processes use, from /proc. A server is counted with everything that it started. Source: proc(5). */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'

/** `USER_HZ`, which is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
const KIB = 1024

interface Stat {
  readonly parent: number
  /** Own and those of children that ended. */
  readonly cpuTicks: number
  /** Page faults of children that ended and were waited for: any program faults hundreds of times before it runs. */
  readonly childFaults: number
}

/** CPU seconds used so far by the process, its children of now, and theirs that ended. */
export function cpuSeconds(pid: number): number {
  return treeOf(pid).reduce((sum, member) => sum + (readStat(member)?.cpuTicks ?? 0), 0) / TICKS_PER_SECOND
}

/** Bytes of memory that the process holds now (`VmRSS`), without its children. */
export function residentBytes(pid: number): number {
  return statusField(pid, 'VmRSS')
}

/** The most that it held since it began, or since `resetPeakResident` (`VmHWM`). */
export function peakResidentBytes(pid: number): number {
  return statusField(pid, 'VmHWM')
}

/** From now on the peak counts anew. */
export function resetPeakResident(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** A mark to compare with later: equal if the process started no other in between that ended or still runs. */
export function childrenMark(pid: number): string {
  return `${readStat(pid)?.childFaults ?? 0}:${treeOf(pid).slice(1).join(',')}`
}

/** The process first, then all below it. */
function treeOf(pid: number): number[] {
  const childrenOf = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : null
    if (stat) childrenOf.set(stat.parent, [...(childrenOf.get(stat.parent) ?? []), Number(name)])
  }
  const below = (parent: number): number[] =>
    (childrenOf.get(parent) ?? []).flatMap((child) => [child, ...below(child)])
  return [pid, ...below(pid)]
}

/** Null when it has ended. */
function readStat(pid: number): Stat | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return null
  }
  // The name in brackets may hold spaces; the third field follows it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (number: number): number => Number(fields[number - 3])
  return {
    parent: field(4),
    cpuTicks: field(14) + field(15) + field(16) + field(17),
    childFaults: field(11),
  }
}

function statusField(pid: number, name: string): number {
  const match = new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(match?.[1] ?? NaN) * KIB
}
