/** Webhooks may be e-mail addresses. */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/** SQLite cannot change a CHECK: the table is made anew, and with it the one that refers to it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('webhooks_and_mail')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('url', 'text', (c) => c.notNull())
    .addColumn('format', 'text', (c) =>
      c.notNull().check(sql`format in ('json', 'slack', 'matrix', 'email')`),
    )
    .addColumn('types', 'text')
    .addColumn('app', 'text')
    .addColumn('environment', 'text')
    .addColumn('enabled', 'integer', (c) => c.notNull().check(sql`enabled in (0, 1)`))
    .addColumn('after_seq', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addCheckConstraint('webhooks_mail', sql`(format = 'email') = (url like 'mailto:%')`)
    .execute()
  const webhooks = sql.raw(
    'id, url, format, types, app, environment, enabled, after_seq, created_by, created_at',
  )
  await sql`insert into webhooks_and_mail (${webhooks}) select ${webhooks} from webhooks`.execute(db)
  await db.schema
    .createTable('deliveries_and_mail')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('webhook', 'text', (c) => c.notNull().references('webhooks_and_mail.id'))
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull().check(sql`state in ('waiting', 'delivered', 'dead')`))
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('next_at', 'text')
    .addColumn('last_at', 'text')
    .addColumn('last_status', 'integer')
    .addColumn('last_error', 'text')
    .addUniqueConstraint('deliveries_once', ['webhook', 'seq'])
    .execute()
  const deliveries = sql.raw(
    'id, webhook, seq, type, state, attempts, created_at, next_at, last_at, last_status, last_error',
  )
  await sql`insert into deliveries_and_mail (${deliveries}) select ${deliveries} from webhook_deliveries`.execute(
    db,
  )
  await db.schema.dropTable('webhook_deliveries').execute()
  await db.schema.dropTable('webhooks').execute()
  await db.schema.alterTable('webhooks_and_mail').renameTo('webhooks').execute()
  await db.schema.alterTable('deliveries_and_mail').renameTo('webhook_deliveries').execute()
  await db.schema
    .createIndex('webhook_deliveries_due')
    .on('webhook_deliveries')
    .columns(['state', 'next_at'])
    .execute()
}
