/**
 * How much is tried, and from where it begins. `HUB_TEST_FUZZ_CASES` is the number of cases of all targets together,
 * `HUB_TEST_SEED` repeats a run, and `HUB_TEST_FUZZ_ONLY=<target>` or `<target>:<path>` one target or one case of it, as
 * a failure prints it.
 */
import { randomInt } from 'node:crypto'

/** A share small enough for every run of the tests; a full run has 100,000. */
const ORDINARY_CASES = 2000

/** A case may take this much processor time, whatever else the machine does meanwhile. */
export const CPU_LIMIT_MS = 1000

const TOTAL_CASES = numberOf('HUB_TEST_FUZZ_CASES') ?? ORDINARY_CASES

/** Every target of one run begins here: another number each time, unless it is given. */
export const SEED = (numberOf('HUB_TEST_SEED') ?? randomInt(2 ** 31)) | 0

const [onlyTarget, ...onlyPath] = (process.env['HUB_TEST_FUZZ_ONLY'] ?? '').split(':')

/** Cases of a target that has `share` thousandths of the whole. */
export function casesOf(share: number): number {
  return Math.max(5, Math.ceil((TOTAL_CASES * share) / 1000))
}

export function isWanted(target: string): boolean {
  return !onlyTarget || target === onlyTarget
}

/** The one case to repeat, in fast-check's own words; undefined: all. */
export const ONLY_PATH = onlyPath.length === 0 ? undefined : onlyPath.join(':')

/** Never reached unless something is stuck without working: that is no question of speed. */
export function patienceMs(cases: number): number {
  return 600_000 + cases * 200
}

function numberOf(variable: string): number | undefined {
  const text = process.env[variable] ?? ''
  return /^\d+$/.test(text) ? Number(text) : undefined
}
