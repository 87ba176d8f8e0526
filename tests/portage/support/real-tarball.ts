/** A tarball that nobody here made: a package of the npm registry, as its authors packed it. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execFileAsync = promisify(execFile)

/** Several megabytes, with folders and executables. The project has it installed, so npm has it in its cache. */
const PACKAGE = 'typescript'
const INSTALLED = join(import.meta.dirname, '../../../node_modules', PACKAGE, 'package.json')

/** The bytes as the registry has them, or null where there is neither npm's cache nor a network. */
export async function fetchRealTarball(): Promise<Buffer | null> {
  const folder = await mkdtemp(join(tmpdir(), 'portage-hub-npm-'))
  try {
    const { version } = JSON.parse(await readFile(INSTALLED, 'utf8')) as { version: string }
    const options = ['--prefer-offline', '--fetch-retries=0', '--pack-destination', folder]
    await execFileAsync('npm', ['pack', `${PACKAGE}@${version}`, ...options])
    return await readFile(join(folder, `${PACKAGE}-${version}.tgz`))
  } catch {
    return null
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
