/** Writing so that a crash at any point leaves either the old file or the new one, whole, under its name. */
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import { REAL_DISK } from './disk.ts'
import type { Disk } from './disk.ts'

/** A name that nobody else uses, beside `path`; what a crash leaves of it is known by `isTemporary`. */
export function temporaryBeside(path: string): string {
  return `${path}.${randomUUID()}.tmp`
}

/** Whether a file of this name is a leftover of a write that did not end. */
export function isTemporary(fileName: string): boolean {
  return /\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/.test(fileName)
}

/** Makes a folder's entries (creations, renames, removals) survive a power cut. */
export async function syncDirectory(path: string, disk: Disk = REAL_DISK): Promise<void> {
  const handle = await disk.open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes a file that is not there yet and fsyncs it; when it fails, no file is left. */
export async function writeNewFile(
  path: string,
  data: string | Uint8Array,
  mode: number,
  disk: Disk = REAL_DISK,
): Promise<void> {
  const handle = await disk.open(path, 'wx', mode)
  try {
    try {
      await handle.writeFile(data)
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    await removeQuietly(path, disk)
    throw error
  }
}

/** Writes to a temporary name beside `path`, fsyncs, renames over `path` and fsyncs the folder. */
export async function writeFileDurably(
  path: string,
  data: string | Uint8Array,
  mode = 0o644,
  disk: Disk = REAL_DISK,
): Promise<void> {
  const temporary = temporaryBeside(path)
  await writeNewFile(temporary, data, mode, disk)
  try {
    await disk.rename(temporary, path)
  } catch (error) {
    await removeQuietly(temporary, disk)
    throw error
  }
  await syncDirectory(dirname(path), disk)
}

/**
 * `mkdir -p` whose every new level is on disk when it returns. When it fails, what it made is taken back, so that the
 * next try makes it, and fsyncs it, anew.
 */
export async function makeDirectoryDurably(
  path: string,
  mode = 0o755,
  disk: Disk = REAL_DISK,
): Promise<void> {
  const firstMade = await disk.mkdir(path, { recursive: true, mode })
  if (firstMade === undefined) return
  try {
    for (let level = path; level.length >= firstMade.length; level = dirname(level))
      await syncDirectory(dirname(level), disk)
  } catch (error) {
    for (let level = path; level.length >= firstMade.length; level = dirname(level))
      await disk.rmdir(level).catch(() => undefined)
    throw error
  }
}

/** After a failure, whose error is the one that counts; a start sweeps what stays. False: it stays. */
export async function removeQuietly(path: string, disk: Disk = REAL_DISK): Promise<boolean> {
  return await disk.rm(path, { force: true }).then(
    () => true,
    () => false,
  )
}
