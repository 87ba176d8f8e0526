/** Which files builds have: counted once each, whatever the archive held before there was such an index. */
import { readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import { zstdCompress } from 'node:zlib'
import { Migrator } from 'kysely/migration'
import type { Migration } from 'kysely/migration'
import { expect, test } from 'vitest'
import { EVERYTHING } from '../../src/access/rights.ts'
import type { Sight } from '../../src/access/rights.ts'
import { indexFiles } from '../../src/builds/index-files.ts'
import { openSqlite } from '../../src/records/database.ts'
import type { Db } from '../../src/records/database.ts'
import { migrate } from '../../src/records/migrate.ts'
import { Records } from '../../src/records/records.ts'
import { Turns } from '../../src/turns.ts'

const compress = promisify(zstdCompress)
const MIGRATIONS = new URL('../../migrations/', import.meta.url)
const PRODUCTION: Sight = [{ apps: null, environments: ['production'] }]

async function archive(
  { builds, apps }: Records,
  app: string,
  build: number,
  paths: readonly string[],
  topDirectory: string | null = null,
): Promise<void> {
  await apps.ensure({ name: app, category: 'app-hub', versionPolicy: '{}', createdAt: 'x' })
  const digest = `${app}${String(build)}`.padStart(128, '0')
  await builds.add({
    ...{ app, build, semver: null, category: 'app-hub', pn: app, pv: `0_p${String(build)}` },
    ...{ distfileName: `hub-${app}-${String(build)}.tar`, format: 'tar', topDirectory, entryCount: 1 },
    ...{ unpackedBytes: 1, sizeBytes: 1, blake2b: digest, sha512: digest, sha256: digest.slice(64) },
    ...{ recipe: '{}', recipeSource: 'default', ebuildOid: 'e'.repeat(40), cacheOid: null, ciUrl: null },
    ...{ commitId: null, branch: null, uploadedBy: 'ci', receivedAt: `2026-01-02T03:04:${String(build)}Z` },
  })
  const entries = paths.map((path) => ({
    ...{ path: path.replace(/\/$/, ''), type: path.endsWith('/') ? 'directory' : 'file', mode: 0o644 },
    sizeBytes: 1,
  }))
  await builds.addListing(digest, await compress(JSON.stringify(entries)))
}

async function release(records: Records, id: string, app: string, build: number): Promise<void> {
  await records.releases.add({
    ...{ id, environment: 'production', app, build, state: 'withdrawn', releasedBy: 'ada', releasedAt: 'x' },
    ...{ revision: 1, withdrawnBy: null, withdrawnAt: null, withdrawnRevision: null, reason: null },
  })
}

async function opened(): Promise<Records> {
  const db = openSqlite(':memory:')
  await migrate(db)
  return new Records(db)
}

const index = async (records: Records, signal?: AbortSignal) =>
  await indexFiles({ records, turns: new Turns() }, signal)
const found = async (records: Records, words: readonly string[], sight = EVERYTHING) =>
  (await records.fileIndex.find(words, sight, 50)).map(
    ({ app, path, firstBuild, newestBuild, builds }) =>
      `${app} ${path} ${String(firstBuild)}-${String(newestBuild)} ${String(builds)}`,
  )

test('a file is found by part of its path, with the builds that have it, in whatever order they came', async () => {
  await using records = await opened()
  for (const build of [3, 1, 2])
    await archive(
      records,
      'shop',
      build,
      [
        `shop-${String(build)}/`,
        `shop-${String(build)}/bin/`,
        `shop-${String(build)}/bin/Shop.sh`,
        `shop-${String(build)}/only-${String(build)}`,
      ],
      `shop-${String(build)}`,
    )
  await archive(records, 'desk', 7, ['bin/', 'bin/desk.sh'])
  await index(records)
  expect(await found(records, ['shop.sh'])).toEqual(['shop bin/Shop.sh 1-3 3'])
  expect(await found(records, ['only-2'])).toEqual(['shop only-2 2-2 1'])
  expect(await found(records, ['bin/'])).toEqual(['desk bin/desk.sh 7-7 1', 'shop bin/Shop.sh 1-3 3'])
  expect(await found(records, ['desk', 'bin'])).toEqual(['desk bin/desk.sh 7-7 1'])
  expect(await found(records, ['hop', '.sh'])).toEqual(['shop bin/Shop.sh 1-3 3'])
  expect(await found(records, ['desk', 'shop.sh'])).toEqual([])
  expect(await records.fileIndex.queued(0, 10)).toEqual([])
})

test.each([
  [[]],
  [['bi']],
  [['bin', 'x']],
  [['"']],
  [['" OR path : "bin']],
  [['NEAR(bin']],
  [['bin*']],
  [['\0bi']],
])('the words %j find nothing, and do no harm', async (words) => {
  await using records = await opened()
  await archive(records, 'desk', 7, ['bin/desk.sh'])
  await index(records)
  expect(await found(records, words)).toEqual([])
})

test('whoever sees what an environment released finds what those builds have, and counts no other', async () => {
  await using records = await opened()
  for (const build of [1, 2, 3]) await archive(records, 'shop', build, ['run', `new-${String(build)}`])
  await archive(records, 'desk', 1, ['run'])
  await index(records)
  expect(await found(records, ['run'], PRODUCTION)).toEqual([])
  // Again after it was withdrawn: the same build counts once.
  for (const id of ['rel_1', 'rel_2']) await release(records, id, 'shop', 2)
  await index(records)
  expect(await found(records, ['run'], PRODUCTION)).toEqual(['shop run 2-2 1'])
  expect(await found(records, ['new'], PRODUCTION)).toEqual(['shop new-2 2-2 1'])
  expect(await found(records, ['run'], [{ apps: ['desk'], environments: null }])).toEqual(['desk run 1-1 1'])
  expect(await found(records, ['run'], [{ apps: ['desk'], environments: ['production'] }])).toEqual([])
  expect(await found(records, ['run'], [])).toEqual([])
})

test('what is stopped goes on where it was: nothing is left out or counted twice', async () => {
  await using records = await opened()
  const paths = Array.from({ length: 1234 }, (_, at) => `lib/part-${String(at).padStart(4, '0')}`)
  for (const build of [1, 2]) await archive(records, 'shop', build, paths)
  const stopped = AbortSignal.abort()
  await index(records, stopped)
  const [first] = await records.fileIndex.queued(0, 10)
  expect(first?.done).toBeGreaterThan(0)
  expect(first?.done).toBeLessThan(paths.length)
  expect(await found(records, ['part-1233'])).toEqual([])
  for (let turn = 0; turn < 10; turn++) await index(records, stopped)
  for (const part of ['part-0000', 'part-0500', 'part-1233'])
    expect(await found(records, [part])).toEqual([`shop lib/${part} 1-2 2`])
  expect(await records.fileIndex.queued(0, 10)).toEqual([])
})

test('what was archived and released before there was an index is taken into it', async () => {
  const db = openSqlite(':memory:')
  await migrateBefore(db, '0026')
  await using records = new Records(db)
  for (const build of [1, 2]) await archive(records, 'shop', build, ['run', 'etc/shop.conf'])
  for (const id of ['rel_1', 'rel_2']) await release(records, id, 'shop', 1)
  await migrate(db)
  await index(records)
  expect(await found(records, ['shop.conf'])).toEqual(['shop etc/shop.conf 1-2 2'])
  expect(await found(records, ['shop.conf'], PRODUCTION)).toEqual(['shop etc/shop.conf 1-1 1'])
})

async function migrateBefore(db: Db, number: string): Promise<void> {
  const names = readdirSync(MIGRATIONS).filter((name) => name < number)
  const migrations = names.map(
    async (name) => [name.slice(0, -3), (await import(new URL(name, MIGRATIONS).href)) as Migration] as const,
  )
  const getMigrations = async () => Object.fromEntries(await Promise.all(migrations))
  const { error } = await new Migrator({ db, provider: { getMigrations } }).migrateToLatest()
  expect(error).toBeUndefined()
}
