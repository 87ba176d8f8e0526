/**
 * The frame around a part of the bench: its options, a temporary folder, what must be closed at the end, and its report.
 *
 *     await runPart({
 *       name: 'zip-poll',
 *       title: 'conditional GET of the overlay as a zip',
 *       needs: ['nginx', 'wrk'],
 *       async run({ options, folder, report, resources }) {
 *         const hub = resources.use(await startBenchHub({ folder: join(folder, 'hub'), ...options }))
 *         …
 *         report.row({ … })
 *       },
 *     })
 *
 * Every part takes `--quick` (small and once: does it still run?), `--rounds N`, `--seconds N`, `--out FOLDER`,
 * `--folder FOLDER` (where to work)
 * and `--profile` (tells where the hub's time went; the figures are slower for it). A part that lacks a program says so by name and ends with status 0.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { ParseArgsConfig } from 'node:util'
import { systemClock, timestamp } from '../../src/clock.ts'
import { describeMachine } from './machine.ts'
import { describeProfiles } from './profile.ts'
import { installHint, missingPrograms } from './programs.ts'
import type { Program } from './programs.ts'
import { Report } from './report.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const ROUNDS = 5
const SECONDS = 6

export interface BenchOptions {
  /** Small sizes, one round: shows that the part runs, measures nothing. */
  readonly quick: boolean
  readonly rounds: number
  /** How long a load lasts, for parts that measure a rate. */
  readonly seconds: number
  /** Folder for CPU profiles of the hub, or null; `startBenchHub` takes it. */
  readonly profile: string | null
  /** Options of the part's own, as `parseArgs` gives them. */
  readonly own: Readonly<Record<string, unknown>>
}

export interface Bench {
  readonly options: BenchOptions
  /** Empty at start, removed at the end. */
  readonly folder: string
  readonly report: Report
  /** Disposed backwards at the end, before the folder is removed. */
  readonly resources: AsyncDisposableStack
}

export interface Part {
  readonly name: string
  readonly title: string
  readonly needs: readonly Program[]
  /** Options of its own, as `util.parseArgs` takes them. */
  readonly options?: NonNullable<ParseArgsConfig['options']>
  run(bench: Bench): Promise<void>
}

const COMMON_OPTIONS = {
  quick: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  out: { type: 'string', default: join(ROOT, 'var', 'bench') },
  // Not /tmp: it is often in memory, and the hub's data folder is not.
  folder: { type: 'string', default: process.env['TMPDIR'] ?? '/var/tmp' },
  profile: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options']

/** Runs one part with the options of the command line. Never throws: a failure is told and ends with status 1. */
export async function runPart(part: Part): Promise<void> {
  const values = optionsOf(part)
  if (values === null) return
  const report = new Report(part.name, part.title)
  const folder = await mkdtemp(join(resolve(values.folder), `portage-hub-bench-${part.name}-`))
  const machine = describeMachine(folder)
  const options: BenchOptions = {
    quick: values.quick,
    rounds: values.quick ? 1 : wholeNumber('--rounds', values.rounds, ROUNDS),
    seconds: values.quick ? 1 : wholeNumber('--seconds', values.seconds, SECONDS),
    profile: values.profile ? join(values.out, 'profiles', part.name) : null,
    own: values,
  }
  if (options.profile) await rm(options.profile, { recursive: true, force: true })
  const missing = missingPrograms(part.needs)
  const startedAt = timestamp(systemClock.now())
  process.stderr.write(`${part.name}: ${part.title}\n`)
  try {
    if (missing.length > 0) report.skip(installHint(missing))
    else {
      await using resources = new AsyncDisposableStack()
      const stop = stopOnSignal(resources, folder)
      resources.defer(stop)
      await part.run({ options, folder, report, resources })
    }
    console.log(report.toText(machine))
    if (options.profile) console.log(await describeProfiles(options.profile))
    const path = await report.write(resolve(values.out), { startedAt, quick: options.quick, machine })
    console.log(`${path}\n`)
  } catch (error) {
    console.error(
      `${part.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    )
    process.exitCode = 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Null, and told, if the command line has something else. */
function optionsOf({ name, options }: Part) {
  try {
    return parseArgs({ options: { ...options, ...COMMON_OPTIONS }, strict: true }).values
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`)
    process.exitCode = 2
    return null
  }
}

/** Ctrl-C must not leave servers and gigabytes behind. */
function stopOnSignal(resources: AsyncDisposableStack, folder: string): () => void {
  const stop = (): void => {
    void resources
      .disposeAsync()
      .finally(() => rm(folder, { recursive: true, force: true }))
      .finally(() => process.exit(130))
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop)
  }
}

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new Error(`${name} must be a whole number from 1`)
}
