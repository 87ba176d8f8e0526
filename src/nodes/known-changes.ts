/** Which files of a node's packages are not as they were installed, as far as its restore points tell. */
import type { ChangedFiles } from '../binpkgs/changed-files.ts'
import type { PackageChangesRow } from '../records/package-changes.ts'

/** As a restore point found it; later changes show in the next one. */
export interface KnownChanges extends ChangedFiles {
  readonly restorePoint: string
  /** When that was taken. */
  readonly at: string
}

export function knownChanges({ point, takenAt, changedFiles }: PackageChangesRow): KnownChanges {
  const { count, names } = JSON.parse(changedFiles) as ChangedFiles
  return { count, names, restorePoint: point, at: takenAt }
}
