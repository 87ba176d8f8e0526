import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { openSqlite } from '../../src/records/database.ts'
import { migrate } from '../../src/records/migrate.ts'
import { Records } from '../../src/records/records.ts'
import { temporaryFolder } from '../git/support.ts'

test('a transaction that finds the disk full says so, and the next one works', async () => {
  await using folder = await temporaryFolder()
  const database = openSqlite(join(folder.path, 'hub.db'))
  await migrate(database)
  await using records = new Records(database)
  await sql`pragma max_page_count = 100`.execute(database)
  const add = async (oid: string, sizeBytes: number): Promise<void> => {
    await records.transaction(async (inside) => await inside.overlays.addBlob(oid, Buffer.alloc(sizeBytes)))
  }
  await expect(add('a', 1024 * 1024)).rejects.toMatchObject({ code: 'SQLITE_FULL' })
  await add('b', 10)
  expect(await records.overlays.findBlob('a')).toBeUndefined()
  expect(await records.overlays.findBlob('b')).toHaveLength(10)
})
