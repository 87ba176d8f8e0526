/**
 * Hostile and random input for everything that reads text or bytes from outside: each case is taken or refused with a
 * known code, within a second of processor time, and what is taken keeps what the module promises. Cases run in a process
 * of their own, so that a crash and a loop without end are found too. See support/settings.ts for how much is tried.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { runLibraries } from './support/run-libraries.ts'
import { casesOf, isWanted, patienceMs, SEED } from './support/settings.ts'
import { outcomeLine } from './support/target.ts'
import type { Outcome } from './support/target.ts'
import { LIBRARY_TARGETS } from './targets/libraries.ts'

const wanted = LIBRARY_TARGETS.filter(({ name }) => isWanted(name))

describe.skipIf(wanted.length === 0)('fuzzing the libraries', () => {
  let outcomes: readonly Outcome[] = []
  beforeAll(
    async () => {
      outcomes = await runLibraries(wanted)
    },
    patienceMs(casesOf(1000)),
  )

  test.each(wanted)('$name holds', ({ name }) => {
    const outcome = outcomes.find((one) => one.name === name)
    if (!outcome) throw new Error('it was not tried')
    process.stdout.write(`${outcomeLine(outcome, SEED)}\n`)
    expect(outcome.failure).toBeNull()
  })
})
