/**
 * Roles have the names that people use for them: an uploader is a developer, a promoter a release manager. And it is kept who
 * is behind a token, a request and an approval: "never the requester" counts people, and one may have two tokens. Who that
 * was before is not known: there, as it counted then, tokens of one name are one.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await renameColumns(db)
  await widenTokens(db)
  await widenPromotions(db)
  await widenApprovals(db)
  await renameInPolicies(db)
}

interface Tables {
  policies: { environment: string; version: number; body: string }
}

const PRESENT_NAMES: Readonly<Record<string, string>> = { uploader: 'developer', promoter: 'release-manager' }

const presentRole = sql`case role when 'uploader' then 'developer' when 'promoter' then 'release-manager' else role end`

/** People act as well, and have ids of their own. The audit's records stay as they are: a hash has no names of columns. */
async function renameColumns(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('audit').renameColumn('token_id', 'actor_id').execute()
  await db.schema.alterTable('idempotency_keys').renameColumn('token_id', 'principal').execute()
  await db.schema.alterTable('partial_uploads').renameColumn('token_id', 'principal').execute()
}

/** SQLite cannot change a CHECK: the table is made anew and takes the rows over. */
async function widenTokens(db: Kysely<unknown>): Promise<void> {
  const roles = sql`role in (
    'administrator', 'release-manager', 'approver', 'developer', 'reader', 'node', 'enrol'
  )`
  await db.schema
    .createTable('tokens_of_owners')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('role', 'text', (c) => c.notNull().check(roles))
    .addColumn('apps', 'text')
    .addColumn('environments', 'text')
    .addColumn('node', 'text', (c) => c.check(sql`node is null or role in ('enrol', 'node')`))
    .addColumn('may_send_commands', 'integer', (c) => c.notNull().check(sql`may_send_commands in (0, 1)`))
    .addColumn('secret_sha256', 'text', (c) => c.notNull().unique())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('owner', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('expires_at', 'text')
    .addColumn('revoked_at', 'text')
    .execute()
  const kept = sql.raw(
    'id, name, apps, environments, node, may_send_commands, secret_sha256, created_by, created_at, expires_at, revoked_at',
  )
  await sql`insert into tokens_of_owners (${kept}, role, owner)
    select ${kept}, ${presentRole}, (select min(first.id) from tokens as first where first.name = tokens.name)
    from tokens`.execute(db)
  await db.schema.dropTable('tokens').execute()
  await db.schema.alterTable('tokens_of_owners').renameTo('tokens').execute()
}

/** Of a policy's request it is whoever uploaded the build. */
async function widenPromotions(db: Kysely<unknown>): Promise<void> {
  for (const column of ['requested_owner', 'override_owner'])
    await db.schema.alterTable('promotions').addColumn(column, 'text').execute()
  await sql`update promotions set
    requested_owner = coalesce(
      (select owner from tokens where tokens.id = promotions.requested_with),
      (select min(tokens.id) from tokens
        join builds on builds.uploaded_by = tokens.name
        where builds.app = promotions.app and builds.build = promotions.build)),
    override_owner = (select min(tokens.id) from tokens where tokens.name = promotions.override_by)`.execute(
    db,
  )
}

async function widenApprovals(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('approvals_of_people')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('promotion', 'text', (c) => c.notNull().references('promotions.id'))
    .addColumn('by', 'text', (c) => c.notNull())
    .addColumn('approver', 'text', (c) => c.notNull())
    .addColumn('owner', 'text', (c) => c.notNull())
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('policy_version', 'bigint', (c) => c.notNull())
    .addColumn('comment', 'text')
    .addColumn('at', 'text', (c) => c.notNull())
    .addUniqueConstraint('approvals_once_each', ['promotion', 'owner', 'policy_version'])
    .execute()
  await sql`insert into approvals_of_people (id, promotion, "by", approver, owner, role, policy_version, comment, at)
    select id, promotion, "by", token_id, token_id, ${presentRole}, policy_version, comment, at from approvals`.execute(
    db,
  )
  await db.schema.dropTable('approvals').execute()
  await db.schema.alterTable('approvals_of_people').renameTo('approvals').execute()
}

/** Of those that held before as well: each is still what judged its promotions. */
async function renameInPolicies(db: Kysely<Tables>): Promise<void> {
  for (const { environment, version, body } of await db.selectFrom('policies').selectAll().execute()) {
    const policy = JSON.parse(body) as Record<'approvals' | 'override', { roles: string[] } | undefined>
    for (const part of [policy.approvals, policy.override])
      if (part) part.roles = part.roles.map((role) => PRESENT_NAMES[role] ?? role)
    await db
      .updateTable('policies')
      .set({ body: JSON.stringify(policy) })
      .where('environment', '=', environment)
      .where('version', '=', version)
      .execute()
  }
}
