/** Writing so that a crash at any point leaves either the old file or the new one, whole, under its name. */
import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes a folder's entries (creations, renames, removals) survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes to a temporary name beside `path`, fsyncs, renames over `path` and fsyncs the folder. */
export async function writeFileDurably(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    const handle = await open(temporary, 'wx', mode)
    try {
      await handle.writeFile(data)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncDirectory(dirname(path))
}

/** `mkdir -p` whose every new level is on disk when it returns. */
export async function makeDirectoryDurably(path: string, mode = 0o755): Promise<void> {
  const firstMade = await mkdir(path, { recursive: true, mode })
  if (firstMade === undefined) return
  for (let level = path; level.length >= firstMade.length; level = dirname(level))
    await syncDirectory(dirname(level))
}
