/** The real disk with a listener before each operation that changes something: what the listener throws, it fails with. */
import type { FileHandle } from 'node:fs/promises'
import { REAL_DISK } from '../../src/storage/disk.ts'
import type { Disk } from '../../src/storage/disk.ts'

/** `open` is counted where it makes a file; `handle.*` are the operations on one that is open. */
export type Operation =
  | 'chmod'
  | 'copyFile'
  | 'link'
  | 'mkdir'
  | 'open'
  | 'rename'
  | 'rm'
  | 'rmdir'
  | 'writeFile'
  | 'handle.write'
  | 'handle.sync'

export type Listener = (operation: Operation, path: string) => void

const CHANGES = ['chmod', 'copyFile', 'link', 'mkdir', 'rename', 'rm', 'rmdir', 'writeFile'] as const
const OF_HANDLES: Readonly<Record<string, Operation>> = {
  write: 'handle.write',
  writev: 'handle.write',
  writeFile: 'handle.write',
  appendFile: 'handle.write',
  truncate: 'handle.write',
  sync: 'handle.sync',
  datasync: 'handle.sync',
}

export function watchedDisk(listener: Listener): Disk {
  const disk: Record<string, unknown> = { ...REAL_DISK }
  for (const name of CHANGES) {
    const real = REAL_DISK[name] as (...args: unknown[]) => Promise<unknown>
    disk[name] = async (...args: unknown[]) => {
      // The second path of those that have two: what is made.
      const path = ['copyFile', 'link', 'rename'].includes(name) ? args[1] : args[0]
      listener(name, String(path))
      return await real(...args)
    }
  }
  disk['open'] = async (...args: Parameters<Disk['open']>) => {
    const [path, flags] = args
    if (flags !== undefined && flags !== 'r') listener('open', String(path))
    return watchedHandle(await REAL_DISK.open(...args), String(path), listener)
  }
  return disk as unknown as Disk
}

function watchedHandle(handle: FileHandle, path: string, listener: Listener): FileHandle {
  return new Proxy(handle, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      const operation = OF_HANDLES[String(name)]
      // No bound function: V8 does not take one for what `await using` calls.
      const method = (...args: unknown[]): unknown => Reflect.apply(value, target, args)
      if (operation === undefined) return method
      return async (...args: unknown[]) => {
        listener(operation, path)
        return await method(...args)
      }
    },
  })
}

/** As the operating system reports it. */
export function diskError(code: 'EIO' | 'ENOSPC' | 'EROFS', operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: made by this test, ${operation} '${path}'`), { code })
}
