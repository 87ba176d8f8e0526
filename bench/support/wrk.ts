/**
 * Load by wrk: one thread, keep-alive connections, the given requests in turn. Its own use of the CPU is measured too,
 * for on a small machine the one who asks can be the limit. Source: wrk(1) and its SCRIPTING.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cpuSeconds } from './processes.ts'
import { programPath } from './programs.ts'
import { runTimed } from './run-timed.ts'

export interface LoadRequest {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer
}

export interface Load {
  /** Where the script is written. */
  readonly folder: string
  readonly url: string
  readonly connections: number
  readonly seconds: number
  /** Sent in turn over all connections. */
  readonly requests: readonly LoadRequest[]
  /** Random order instead: for many files. */
  readonly shuffled?: boolean
  /** Processes of the server that is asked, to know what one answer costs it; none if that cannot be told. */
  readonly pids: readonly number[]
  /** Every answer should be 400 or more. */
  readonly refused?: boolean
  /** Least and most bytes of an answer on average, header included: shows that the answers are the ones expected. */
  readonly meanBytes: { readonly from: number; readonly to: number }
}

/** All by the second or by request; times in microseconds. */
export interface LoadResult {
  readonly rate: number
  readonly serverCpuUs: number
  readonly p50Us: number
  readonly p99Us: number
  /** Share of one core that wrk used: near 1, and wrk is the limit. */
  readonly wrkBusy: number
  readonly [measure: string]: number
}

interface Done {
  readonly requests: number
  readonly bytes: number
  readonly durationUs: number
  readonly p50Us: number
  readonly p99Us: number
  readonly errors: Readonly<Record<'connect' | 'read' | 'write' | 'status' | 'timeout', number>>
}

/** @throws {Error} if any request failed, was answered 400 or more, or answers had another size than expected. */
export async function load(options: Load): Promise<LoadResult> {
  const script = join(options.folder, 'load.lua')
  await writeFile(script, luaScript(options))
  const args = ['-t1', `-c${options.connections}`, `-d${options.seconds}s`, '--timeout', '30s', '-s', script]
  const before = cpuOf(options.pids)
  const run = await runTimed(programPath('wrk'), [...args, options.url])
  const serverCpu = cpuOf(options.pids) - before
  const done = JSON.parse(run.stdout.slice(run.stdout.lastIndexOf('{"requests"'))) as Done
  checkAnswers(done, options)
  return {
    rate: done.requests / (done.durationUs / 1e6),
    serverCpuUs: options.pids.length === 0 ? NaN : (serverCpu * 1e6) / done.requests,
    p50Us: done.p50Us,
    p99Us: done.p99Us,
    wrkBusy: run.cpuSeconds / (done.durationUs / 1e6),
  }
}

function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)
}

function checkAnswers(done: Done, { meanBytes, url, refused = false }: Load): void {
  const unexpected = { ...done.errors, status: done.errors.status - (refused ? done.requests : 0) }
  const failed = Object.entries(unexpected).filter(([, count]) => count !== 0)
  if (failed.length > 0 || done.requests === 0) {
    throw new Error(
      `of ${done.requests} requests to ${url} failed: ${JSON.stringify(Object.fromEntries(failed))}`,
    )
  }
  const mean = done.bytes / done.requests
  // Answers that were under way when the time was over are counted by their bytes only.
  if (mean < meanBytes.from || mean > meanBytes.to * 1.02 + 512)
    throw new Error(`answers of ${url} have ${mean} bytes on average, not ${JSON.stringify(meanBytes)}`)
}

function luaScript({ requests, shuffled = false }: Load): string {
  const lines = requests.map(({ method, path, headers, body }) => {
    const fields = Object.entries(headers).map(([name, value]) => `[${luaText(name)}]=${luaText(value)}`)
    const parts = [luaText(method), luaText(path), `{${fields.join(',')}}`, body ? luaText(body) : 'nil']
    return `  wrk.format(${parts.join(', ')}),`
  })
  return `local all, at
function init(args)
  all = {
${lines.join('\n')}
  }
  at = 0
  math.randomseed(1)
end
function request()
  ${shuffled ? 'at = math.random(#all)' : 'at = at % #all + 1'}
  return all[at]
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"bytes":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end
`
}

/** Every byte as an escape: bodies of git are binary. */
function luaText(value: string | Buffer): string {
  return `"${[...Buffer.from(value)].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')}"`
}
