/** The command line's door: what is asked for, and the exit status that it ends with. */
import { CommanderError } from 'commander'
import { EXIT } from './cli/exit-status.ts'
import { createProgram } from './cli/program.ts'

try {
  await createProgram().parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  // Commander has said it already: help that was asked for, or what is wrong with the call.
  process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage
}
