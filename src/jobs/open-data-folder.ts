/** A hub's data folder opened for checks and repairs: the records and the files as they are, with nothing caught up. */
import { access } from 'node:fs/promises'
import { relative } from 'node:path'
import type { Config } from '../config.ts'
import { HubError } from '../errors.ts'
import { createLog } from '../log.ts'
import type { Logger } from '../log.ts'
import { openSqlite } from '../records/database.ts'
import { Records } from '../records/records.ts'
import { BlobStore } from '../storage/blob-store.ts'
import { pathsOf } from '../storage/paths.ts'
import type { Paths } from '../storage/paths.ts'
import { TreeStore } from '../storage/tree-store.ts'

export interface DataFolder extends AsyncDisposable {
  readonly config: Config
  readonly log: Logger
  readonly paths: Paths
  readonly records: Records
  readonly blobs: BlobStore
  readonly binpkgBlobs: BlobStore
  readonly trees: TreeStore
  /** A path as people are told it: from the data folder on. */
  shown(path: string): string
}

/** The file of the records. */
export function databasePath(config: Pick<Config, 'dataDir' | 'blobs' | 'databaseUrl'>): string {
  return pathsOf(config).inData(config.databaseUrl.slice('sqlite:'.length))
}

/**
 * Opens what is there and changes nothing of it; a database of an older form is left to the next start.
 * @throws {HubError} `config.invalid` when there is no hub in the folder; `verify.failed` when its records cannot be read.
 */
export async function openDataFolder(config: Config): Promise<DataFolder> {
  const paths = pathsOf(config)
  const databaseFile = databasePath(config)
  await access(databaseFile).catch(() => {
    throw new HubError(
      'config.invalid',
      `there is no hub in ${paths.data}: ${databaseFile} is missing; set HUB_DATA_DIR to the data folder of one`,
    )
  })
  const records = await openRecords(databaseFile)
  return {
    config,
    log: createLog(config.logLevel),
    paths,
    records,
    blobs: await BlobStore.open(paths),
    binpkgBlobs: await BlobStore.open({ ...paths, ...paths.binpkgs }, { isPrivate: true }),
    trees: new TreeStore(paths),
    shown: (path) => {
      const fromData = relative(paths.data, path)
      return fromData.startsWith('..') ? path : fromData
    },
    async [Symbol.asyncDispose]() {
      await records[Symbol.asyncDispose]()
    },
  }
}

async function openRecords(path: string): Promise<Records> {
  let why = 'it has no tables that this version reads; start the hub once, which brings them up to date'
  try {
    const records = new Records(openSqlite(path))
    if (await records.isReachable()) return records
    await records[Symbol.asyncDispose]()
  } catch (error) {
    why = `${(error as Error).message}; restore it from a backup`
  }
  throw new HubError('verify.failed', `the records in ${path} cannot be read: ${why}`)
}
