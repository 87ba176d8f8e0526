/** Whether the real Portage can be run here, and if not, why: the tests that need it say so in their names. */
import { spawnSync } from 'node:child_process'
import { existsSync, writeSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterAll, describe } from 'vitest'
import { GENTOO_NODE, nodeEnvironment } from './gentoo-node.ts'

const STANDARD_OUTPUT = 1
const PROGRAMS = ['bash', 'unshare', 'python3', 'git', 'gpg', 'wget', 'tar', 'gzip', 'bzip2', 'xz', 'zstd']

/** A build of a package takes seconds, and several run at once. */
const TIMEOUT_MS = 180_000

/** Either what judges, as `emerge --version` puts it, or why nothing can. */
type Judge = { readonly version: string } | { readonly missing: string }

let judge: Judge | undefined

/**
 * A `describe` whose tests run against the real Portage. Without it they are skipped, and the name says why. When they
 * ran, the version of Portage that judged is printed. Tests that each have hosts of their own may run side by side.
 */
export function describeWithPortage(
  name: string,
  tests: () => void,
  {
    concurrent = false,
    timeoutMs = TIMEOUT_MS,
  }: { readonly concurrent?: boolean; readonly timeoutMs?: number } = {},
): void {
  const found = (judge ??= findJudge())
  if ('missing' in found) {
    const title = `${name} [skipped: ${found.missing}]`
    say(title)
    describe.skip(title, tests)
    return
  }
  describe(name, { concurrent, timeout: timeoutMs }, () => {
    tests()
    afterAll(() => {
      say(`${name} [judged by ${found.version}]`)
    })
  })
}

/** Past the reporter, which shows neither the names of skipped tests nor what passing ones print. */
function say(line: string): void {
  writeSync(STANDARD_OUTPUT, `${line}\n`)
}

function findJudge(): Judge {
  const { PORTAGE_SRC: source } = nodeEnvironment()
  if (source === undefined && !isOnPath('emerge')) {
    return { missing: 'no Portage: set PORTAGE_SRC to a checkout of it' }
  }
  if (source !== undefined && !existsSync(join(source, 'bin', 'emerge'))) {
    return { missing: 'no Portage: PORTAGE_SRC has no bin/emerge' }
  }
  const lacking = PROGRAMS.find((program) => !isOnPath(program))
  if (lacking !== undefined) return { missing: `no ${lacking} on PATH` }
  const probe = spawnSync(GENTOO_NODE, ['probe'], { env: nodeEnvironment(), encoding: 'utf8' })
  const said = probe.stdout.trim()
  return probe.status === 0 ? { version: said } : { missing: said || 'no host can be made here' }
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
}
