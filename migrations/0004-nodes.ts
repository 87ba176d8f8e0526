/**
 * Nodes: which machines are enrolled where, what each reported last, and which packages it said are installed. Tokens
 * learn two things for it: the role `enrol`, which is good for one enrolment, and the node that a token belongs to.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await widenTokens(db)
  await createNodeTables(db)
}

/** SQLite cannot change a CHECK: the table is made anew and takes the rows over. */
async function widenTokens(db: Kysely<unknown>): Promise<void> {
  const roles = sql`role in ('administrator', 'uploader', 'promoter', 'enrol', 'node', 'reader')`
  await db.schema
    .createTable('tokens_with_nodes')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('role', 'text', (c) => c.notNull().check(roles))
    .addColumn('apps', 'text')
    .addColumn('environments', 'text')
    .addColumn('node', 'text', (c) => c.check(sql`node is null or role in ('enrol', 'node')`))
    .addColumn('may_send_commands', 'integer', (c) => c.notNull().check(sql`may_send_commands in (0, 1)`))
    .addColumn('secret_sha256', 'text', (c) => c.notNull().unique())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('expires_at', 'text')
    .addColumn('revoked_at', 'text')
    .execute()
  const kept = sql.raw(
    'id, name, role, apps, environments, may_send_commands, secret_sha256, created_by, created_at, expires_at, revoked_at',
  )
  await sql`insert into tokens_with_nodes (${kept}) select ${kept} from tokens`.execute(db)
  await db.schema.dropTable('tokens').execute()
  await db.schema.alterTable('tokens_with_nodes').renameTo('tokens').execute()
}

async function createNodeTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('nodes')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('environment', 'text', (c) => c.notNull())
    .addColumn('machine_id', 'text')
    .addColumn('token_id', 'text', (c) => c.notNull())
    .addColumn('enrolled_by', 'text', (c) => c.notNull())
    .addColumn('enrolled_at', 'text', (c) => c.notNull())
    .addColumn('left_at', 'text')
    .addColumn('reported_at', 'text')
    .addColumn('synced_commit', 'text')
    .execute()
  await db.schema
    .createIndex('nodes_by_environment_name')
    .on('nodes')
    .columns(['environment', 'name'])
    .execute()
  await db.schema
    .createTable('node_reports')
    .addColumn('node', 'text', (c) => c.primaryKey().references('nodes.name'))
    .addColumn('body', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('node_packages')
    .addColumn('node', 'text', (c) => c.notNull().references('nodes.name'))
    .addColumn('cpv', 'text', (c) => c.notNull())
    .addColumn('repository', 'text', (c) => c.notNull())
    .addColumn('app', 'text')
    .addColumn('build', 'bigint', (c) => c.check(sql`(app is null) = (build is null)`))
    .addColumn('binpkg_build_id', 'bigint')
    .addColumn('restore_point', 'text')
    .addColumn('since', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('node_packages_key', ['node', 'cpv'])
    .execute()
  await db.schema
    .createIndex('node_packages_by_app_build')
    .on('node_packages')
    .columns(['app', 'build'])
    .execute()
}
