/**
 * The process in which the libraries are fuzzed: `<journal> <seed> <name>:<cases>:<path> …`. A crash or a loop without
 * end takes this process and not the tests; the journal has the number of the case that runs. One line of JSON a target.
 */
import { openSync, writeSync } from 'node:fs'
import { LIBRARY_TARGETS } from '../targets/libraries.ts'
import { runTarget } from './target.ts'

const [journalPath = '', seedText = '', ...jobs] = process.argv.slice(2)
const journal = openSync(journalPath, 'w')
const word = Buffer.alloc(8)

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

for (const job of jobs) {
  const [name, cases, ...path] = job.split(':')
  const target = LIBRARY_TARGETS.find((one) => one.name === name)
  if (!target) throw new Error(`there is no target ${String(name)}`)
  const outcome = await runTarget(target, {
    cases: Number(cases),
    seed: Number(seedText),
    path: path.length === 0 ? undefined : path.join(':'),
    cpuMs,
    begin: (ordinal) => {
      word.writeDoubleLE(ordinal)
      writeSync(journal, word, 0, 8, 0)
    },
  })
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
}
