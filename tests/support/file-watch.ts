/** Which files below a folder were touched in between, by any process: shows that an answer came from memory. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** Path below the folder: how often it was opened, read or written. */
export type Touched = Readonly<Record<string, number>>

/** Watches from now on. The function that it gives ends that, and tells. @throws {Error} if it cannot. */
export async function watchFiles(folder: string): Promise<() => Promise<Touched>> {
  const watcher = spawn('python3', [join(import.meta.dirname, 'file-watch.py'), folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let output = ''
  watcher.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const closed = once(watcher, 'close')
  while (!output.includes('\n') && watcher.exitCode === null) {
    await Promise.race([once(watcher.stdout, 'data'), closed])
  }
  if (output !== 'watching\n') throw new Error(`${folder} is not watched`)
  return async () => {
    watcher.stdin.end()
    await closed
    if (watcher.exitCode !== 0) throw new Error('it is not known what was touched')
    return JSON.parse(output.slice('watching\n'.length)) as Touched
  }
}
