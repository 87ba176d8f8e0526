/** Small file systems of a test's own. Mounting needs root; where that is missing the test says so in its name. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, mkdtempSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'vitest'

const run = promisify(execFile)
const makeFolder = promisify(mkdtemp)

/** Told by trying: root in a container may not be allowed to. */
const mayMount = ((): boolean => {
  const folder = mkdtempSync(join(tmpdir(), 'portage-hub-mount-'))
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]).status === 0
  if (isMounted) spawnSync('umount', [folder])
  rmSync(folder, { recursive: true })
  return isMounted
})()

/** A test that mounts something. */
export function testMounting(name: string, body: () => Promise<void>): void {
  if (mayMount) test(name, body)
  else test.skip(`${name} [skipped: mounting is not permitted]`, body)
}

export interface Mounted extends AsyncDisposable {
  readonly path: string
  remount(options: string): Promise<void>
}

/** A file system in memory of `sizeBytes`. Whoever has files open there must be gone before it is disposed. */
export async function mountMemory(sizeBytes: number): Promise<Mounted> {
  const path = await makeFolder(join(tmpdir(), 'portage-hub-mounted-'))
  await run('mount', ['-t', 'tmpfs', '-o', `size=${String(sizeBytes)}`, 'tmpfs', path])
  return {
    path,
    async remount(options) {
      await run('mount', ['-o', `remount,${options}`, path])
    },
    async [Symbol.asyncDispose]() {
      await run('umount', [path])
      await rm(path, { recursive: true })
    },
  }
}
