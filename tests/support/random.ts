/** Chance that comes again: the same seed gives the same choices. */

export interface Random {
  /** A whole number from 0 to `below` - 1. */
  int(below: number): number
  chance(probability: number): boolean
  pick<T>(items: readonly T[]): T | undefined
  bytes(count: number): Buffer
  /** Another stream of choices, which does not depend on how many are drawn from this one. */
  fork(name: string): Random
}

/** Source: the generator "mulberry32", which is in the public domain. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const int = (below: number): number => next() % below
  return {
    int,
    chance: (probability) => next() / 2 ** 32 < probability,
    pick: (items) => items[int(Math.max(items.length, 1))],
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => int(256))),
    fork: (name) => seededRandom(Buffer.from(name).reduce((sum, byte) => Math.imul(sum, 31) + byte, seed)),
  }
}

/** `HUB_TEST_SEED`, or one of this moment. Tests print it, so that a finding can be had again. */
export function seedOfRun(): number {
  const given = process.env['HUB_TEST_SEED']
  return given === undefined || given === '' ? Date.now() % 1_000_000 : Number(given)
}

/** A size of a run, from a variable such as `HUB_TEST_KILLS`; the small share of every test run is the default. */
export function sizeOfRun(variable: string, usual: number): number {
  const given = process.env[variable]
  return given === undefined || given === '' ? usual : Number(given)
}
