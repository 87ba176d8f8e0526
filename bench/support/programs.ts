/** The programs that measurements start: where they are, their versions, and what to install where one is missing. */
import { execFileSync, spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Each with the Debian package that has it, and how it tells its version. */
const PROGRAMS = {
  nginx: { package: 'nginx-light', version: ['-v'] },
  fcgiwrap: { package: 'fcgiwrap', version: ['-h'] },
  wrk: { package: 'wrk', version: ['-v'] },
  git: { package: 'git', version: ['--version'] },
  curl: { package: 'curl', version: ['--version'] },
  python3: { package: 'python3', version: ['--version'] },
  sha512sum: { package: 'coreutils', version: ['--version'] },
  b2sum: { package: 'coreutils', version: ['--version'] },
} as const

export type Program = keyof typeof PROGRAMS

/** Debian puts servers where a user's PATH does not look. */
const FOLDERS = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin']

/** Those that are not installed here. */
export function missingPrograms(programs: readonly Program[]): Program[] {
  return programs.filter((program) => findProgram(program) === null)
}

/** Full path, or null. */
export function findProgram(program: Program): string | null {
  for (const folder of FOLDERS) {
    const path = join(folder, program)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not in this folder.
    }
  }
  return null
}

/** Full path. @throws {Error} that says what to install. */
export function programPath(program: Program): string {
  const path = findProgram(program)
  if (path === null) throw new Error(installHint([program]))
  return path
}

/** `no nginx, no wrk; to measure it: apt-get install nginx-light wrk` */
export function installHint(missing: readonly Program[]): string {
  const packages = [...new Set(missing.map((program) => PROGRAMS[program].package))]
  return `no ${missing.join(', no ')}; to measure it: apt-get install ${packages.join(' ')}`
}

/** `nginx 1.22.1`. */
export function programVersion(program: Program): string {
  const { stdout, stderr } = spawnSync(programPath(program), PROGRAMS[program].version, { encoding: 'utf8' })
  return `${program} ${/\d+\.\d+(\.\d+)*/.exec(stdout + stderr)?.[0] ?? 'of an unknown version'}`
}

/** What git calls for smart HTTP, full path. @throws {Error} if this git has none. */
export function gitHttpBackend(): string {
  const folder = execFileSync(programPath('git'), ['--exec-path'], { encoding: 'utf8' }).trim()
  const path = join(folder, 'git-http-backend')
  accessSync(path, constants.X_OK)
  return path
}
