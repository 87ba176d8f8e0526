/**
 * Promotions that wait: for checks, for people, for their time. Who approved which, and by which version of the policy;
 * who asked with which token, so that nobody approves what they asked for; and the roles of those who may.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await widenPromotions(db)
  await widenTokens(db)
  await db.schema
    .createTable('approvals')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('promotion', 'text', (c) => c.notNull().references('promotions.id'))
    .addColumn('by', 'text', (c) => c.notNull())
    .addColumn('token_id', 'text', (c) => c.notNull())
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('policy_version', 'bigint', (c) => c.notNull())
    .addColumn('comment', 'text')
    .addColumn('at', 'text', (c) => c.notNull())
    .addUniqueConstraint('approvals_once', ['promotion', 'token_id', 'policy_version'])
    .execute()
}

const STATES = sql`state in (
  'requested', 'checking', 'awaiting_approval', 'scheduled', 'publishing',
  'released', 'refused', 'cancelled', 'superseded', 'failed'
)`

/** SQLite cannot change a CHECK: the table is made anew and takes the rows over. */
async function widenPromotions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('promotions_that_wait')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('app', 'text', (c) => c.notNull())
    .addColumn('build', 'bigint', (c) => c.notNull())
    .addColumn('environment', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull().check(STATES))
    .addColumn('lift_withdrawal', 'integer', (c) => c.notNull().check(sql`lift_withdrawal in (0, 1)`))
    .addColumn('requested_by', 'text', (c) => c.notNull())
    .addColumn('requested_with', 'text')
    .addColumn('requested_at', 'text', (c) => c.notNull())
    .addColumn('finished_at', 'text')
    .addColumn('release_id', 'text')
    .addColumn('revision', 'bigint')
    .addColumn('detail', 'text')
    .addColumn('policy_version', 'bigint')
    .addColumn('override_reason', 'text')
    .addColumn('override_by', 'text', (c) => c.check(sql`override_by is null or override_reason is not null`))
    .addColumn('superseded_by', 'text')
    .addForeignKeyConstraint('promotions_build_fk', ['app', 'build'], 'builds', ['app', 'build'])
    .execute()
  const kept = sql.raw(
    'id, app, build, environment, state, lift_withdrawal, requested_by, requested_at, finished_at, release_id, revision, detail, policy_version, override_reason',
  )
  await sql`insert into promotions_that_wait (${kept}, override_by)
    select ${kept}, case when override_reason is null then null else requested_by end from promotions`.execute(
    db,
  )
  await db.schema.dropTable('promotions').execute()
  await db.schema.alterTable('promotions_that_wait').renameTo('promotions').execute()
  await db.schema.createIndex('promotions_state').on('promotions').columns(['state', 'id']).execute()
  await db.schema.createIndex('promotions_build').on('promotions').columns(['app', 'build']).execute()
  await db.schema.createIndex('promotions_release').on('promotions').column('release_id').execute()
}

async function widenTokens(db: Kysely<unknown>): Promise<void> {
  const roles = sql`role in (
    'administrator', 'release-manager', 'approver', 'developer', 'uploader', 'promoter', 'enrol', 'node', 'reader'
  )`
  await db.schema
    .createTable('tokens_of_roles')
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
    'id, name, role, apps, environments, node, may_send_commands, secret_sha256, created_by, created_at, expires_at, revoked_at',
  )
  await sql`insert into tokens_of_roles (${kept}) select ${kept} from tokens`.execute(db)
  await db.schema.dropTable('tokens').execute()
  await db.schema.alterTable('tokens_of_roles').renameTo('tokens').execute()
}
