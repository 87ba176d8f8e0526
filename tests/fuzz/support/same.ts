/** Comparisons that say what differs; usable outside of the test runner. */
import { deepStrictEqual } from 'node:assert/strict'

/** @throws unless both are the same JSON. */
export function sameJson(actual: unknown, expected: unknown): void {
  deepStrictEqual(JSON.parse(JSON.stringify(actual)), JSON.parse(JSON.stringify(expected)))
}

/** @throws with both, unless they are the same value. */
export function same(actual: unknown, expected: unknown, what: string): void {
  if (!Object.is(actual, expected))
    throw new Error(`${what}: ${String(actual)} instead of ${String(expected)}`)
}
