/**
 * Measuring side by side: every contestant once a round, in one order and then in the other, so that whatever else the
 * machine does falls on all of them alike.
 *
 *     const results = await alternate({
 *       rounds: 5,
 *       contestants: {
 *         hub: async () => ({ rate: 120, cpuMs: 3 }),
 *         peer: async () => ({ rate: 100, cpuMs: 4 }),
 *       },
 *     })
 *     results.hub.rate.median
 */

/** One measure over all rounds. */
export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
  /** In the order of the rounds. */
  readonly values: readonly number[]
}

/** What one run of a contestant gives: named measures, the same names every time. */
export type Measures = Readonly<Record<string, number>>

export interface Alternation<Name extends string, M extends Measures> {
  readonly rounds: number
  readonly contestants: Readonly<Record<Name, () => Promise<M>>>
  /** Told before each run; by default a line on stderr, so that who waits sees that it goes on. */
  readonly progress?: (line: string) => void
}

export type Results<Name extends string, M extends Measures> = Readonly<
  Record<Name, Readonly<Record<keyof M, Summary>>>
>

/** Runs all contestants `rounds` times, the order turned round every other round. */
export async function alternate<Name extends string, M extends Measures>({
  rounds,
  contestants,
  progress = (line) => process.stderr.write(`${line}\n`),
}: Alternation<Name, M>): Promise<Results<Name, M>> {
  const names = Object.keys(contestants) as Name[]
  const runs = new Map<Name, M[]>(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const measures = await contestants[name]()
      progress(`  round ${round + 1}/${rounds}  ${name}: ${inOneLine(measures)}`)
      runs.get(name)?.push(measures)
    }
  }
  const summaries = names.map((name) => [name, summariseAll(runs.get(name) ?? [])])
  return Object.fromEntries(summaries) as Results<Name, M>
}

/** Median, least and most. @throws {Error} for an empty list. */
export function summarise(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b)
  const [min, max] = [sorted[0], sorted.at(-1)]
  if (min === undefined || max === undefined) throw new Error('nothing was measured')
  return { median: quantile(values, 0.5), min, max, values }
}

/** Linear between the neighbours; `share` 0.5 is the median, 0.99 the 99th percentile. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const [low, high] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN]
  return low + (high - low) * (at - Math.floor(at))
}

function summariseAll<M extends Measures>(runs: readonly M[]): Record<keyof M, Summary> {
  const keys = Object.keys(runs[0] ?? {})
  return Object.fromEntries(
    keys.map((key) => [key, summarise(runs.map((run) => run[key] ?? NaN))]),
  ) as Record<keyof M, Summary>
}

function inOneLine(measures: Measures): string {
  return Object.entries(measures)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(', ')
}
