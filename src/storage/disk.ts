/**
 * The operations that the cellar asks of the file system. There is one real disk; a test puts another in its place, in
 * which an operation of its choice fails as a worn-out, full or read-only disk would let it fail.
 */
import * as fileSystem from 'node:fs/promises'

export type Disk = Pick<
  typeof fileSystem,
  | 'chmod'
  | 'copyFile'
  | 'link'
  | 'mkdir'
  | 'open'
  | 'readFile'
  | 'readdir'
  | 'rename'
  | 'rm'
  | 'rmdir'
  | 'stat'
  | 'writeFile'
>

export const REAL_DISK: Disk = fileSystem
