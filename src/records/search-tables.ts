/** Columns of what the search for everything is done by, beside the indexes of the tables themselves. */
import type { Generated } from 'kysely'

/** Each path that a tarball of an app has or had, inside its single top folder, if there is one. */
export interface FilePathTable {
  id: Generated<number>
  app: string
  path: string
}

/** Paths and their apps by trigrams, filled by a trigger; asked with `match`. */
export interface FileSearchTable {
  /** That of the path. */
  rowid: number
}

/** Which builds have the path: of all of the archive, and of those that were ever released in an environment. */
export interface FileBuildTable {
  file: number
  /** `''`: of the whole archive. */
  environment: string
  firstBuild: number
  newestBuild: number
  /** How many have it. */
  builds: number
}

/** Builds whose files are not all counted yet. Triggers add to it. */
export interface FileQueueTable {
  id: Generated<number>
  app: string
  build: number
  environment: string
  /** So many entries of the listing are counted. */
  done: number
}
