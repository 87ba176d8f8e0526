/** hub-node's own unit tests, which are Python's. What needs Portage is in tests/portage/restore-points.test.ts. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { ALL_STEPS } from '../support/hub-node-steps.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const PYTHON_311 = 'import sys; sys.exit(sys.version_info < (3, 11))'

const { status } = spawnSync('python3', ['-c', PYTHON_311])
const why = status === 0 ? '' : ' [skipped: no python3 of version 3.11 or newer on PATH]'

test('the tests that kill it know each of its steps', () => {
  const program = readFileSync(path.join(ROOT, 'node/hub-node'), 'utf8')
  const steps = [...program.matchAll(/^ +reached\([\w.]+, "([^"]+)"\)$/gm)].map((match) => match[1])
  expect(new Set(steps)).toEqual(ALL_STEPS)
  expect(program.match(/\breached\(/g)).toHaveLength(steps.length + 1)
})

describe.skipIf(status !== 0)(`hub-node${why}`, () => {
  test('keeps its promises where no Portage is needed (node/tests)', { timeout: 180_000 }, () => {
    const args = ['-B', '-m', 'unittest', 'discover', '--start-directory', 'node/tests']
    const ran = spawnSync('python3', args, { cwd: ROOT, encoding: 'utf8' })
    expect(ran.status, ran.stderr).toBe(0)
    expect(ran.stderr).toMatch(/^Ran [1-9]\d+ tests/m)
  })
})
