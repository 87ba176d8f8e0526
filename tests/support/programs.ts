/**
 * Tests that need a program which not every machine has. Where it is missing the test says so in its name and is
 * skipped; a continuous integration installs everything, so nothing is skipped there.
 */
import { accessSync, constants, globSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'

/** Debian keeps the programs of a PostgreSQL server outside PATH, by its version: the newest first. */
const OF_POSTGRESQL = globSync('/usr/lib/postgresql/*/bin').toSorted((a, b) =>
  b.localeCompare(a, 'en', { numeric: true }),
)
const FOLDERS = [...(process.env['PATH'] ?? '').split(':'), ...OF_POSTGRESQL]

/** Where a program is; undefined if it is not installed. */
export function folderOf(program: string): string | undefined {
  return FOLDERS.find((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** `testWith('xz')('a name', async () => …)`: a test that runs where the programs are. */
export function testWith(
  ...programs: readonly string[]
): (name: string, body: () => Promise<void>, timeoutMs?: number) => void {
  const missing =
    process.env['CI'] === undefined ? programs.filter((program) => folderOf(program) === undefined) : []
  return (name, body, timeoutMs) => {
    if (missing.length === 0) test(name, body, timeoutMs)
    else test.skip(`${name} [skipped: no ${missing.join(', no ')}]`, body)
  }
}
