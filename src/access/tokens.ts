/**
 * Tokens: made once, shown once, kept as a digest; each has one role and a scope, ends at its time and can be revoked.
 * A token is 256 random bits, so a fast digest is enough to keep it by: there is nothing to guess.
 */
import { hash, randomBytes } from 'node:crypto'
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import type { TokenRow } from '../records/tokens.ts'
import { ROLES } from './rights.ts'
import type { Principal, Role } from './rights.ts'

export interface NewToken {
  readonly name: string
  readonly role: Role
  /** null: every app, now and later. */
  readonly apps: readonly string[] | null
  /** null: every environment. */
  readonly environments: readonly string[] | null
  /** The node that it belongs to, or that alone it may enrol. */
  readonly node?: string | null
  /** Whether uploads with it may bring what nodes run as root. */
  readonly maySendCommands: boolean
  /** Seconds from now; null: no end. */
  readonly expiresInSec: number | null
  /** The name of who makes it. */
  readonly by: string
  /** Who is behind it, as `Principal.owner` says; null: it stands for somebody of its own. */
  readonly owner: string | null
}

const PREFIX = 'phub_'

/** Makes a token. `secret` is its only copy. */
export async function createToken(
  hub: Pick<Hub, 'records' | 'clock'>,
  token: NewToken,
): Promise<{ readonly secret: string; readonly row: TokenRow }> {
  const drafted = draftToken(hub.clock.now(), token)
  await addToken(hub, drafted.row)
  return drafted
}

async function addToken(hub: Pick<Hub, 'records' | 'clock'>, row: TokenRow): Promise<void> {
  await hub.records.transaction(async (records) => {
    await records.tokens.add(row)
    const change = { type: 'token.created', subject: row.id, after: factsOf(row) } as const
    await recordChange(records, hub.clock, change)
  })
}

/** What the audit says of a token: never its secret, nor the digest of it. */
function factsOf({ name, role, apps, environments, node, expiresAt, owner }: TokenRow) {
  return { name, role, apps, environments, node, expiresAt, owner }
}

/** A new token that is not kept yet: `row` must be added to the records, alone or with what it belongs to. */
export function draftToken(now: Date, token: NewToken): { readonly secret: string; readonly row: TokenRow } {
  const secret = PREFIX + randomBytes(32).toString('base64url')
  return { secret, row: tokenRow(now, token, secret) }
}

/** Who made the tokens that come from the settings. */
const BY_SETTINGS = 'settings'

/**
 * Makes `secret`, chosen by the operator (`HUB_ADMIN_TOKEN`), an administrator's token, and ends the one that the
 * setting had before: whoever changes it wants the old one gone. One that was revoked stays so; false is given then.
 */
export async function ensureAdministrator(
  hub: Pick<Hub, 'records' | 'clock'>,
  secret: string,
): Promise<boolean> {
  const now = hub.clock.now()
  await hub.records.tokens.revokeOthersBy(BY_SETTINGS, digestOf(secret), timestamp(now))
  const known = await hub.records.tokens.findBySecret(digestOf(secret))
  if (known) return known.revokedAt === null
  const token = { name: 'HUB_ADMIN_TOKEN', role: 'administrator', apps: null, environments: null } as const
  const lasting = { ...token, maySendCommands: true, expiresInSec: null, by: BY_SETTINGS, owner: null }
  await addToken(hub, tokenRow(now, lasting, secret))
  return true
}

function tokenRow(now: Date, token: NewToken, secret: string): TokenRow {
  const { expiresInSec } = token
  const id = newId('tok', now)
  return {
    id,
    name: token.name,
    role: token.role,
    apps: token.apps && JSON.stringify(token.apps),
    environments: token.environments && JSON.stringify(token.environments),
    node: token.node ?? null,
    maySendCommands: token.maySendCommands ? 1 : 0,
    secretSha256: digestOf(secret),
    createdBy: token.by,
    owner: token.owner ?? id,
    createdAt: timestamp(now),
    expiresAt: expiresInSec === null ? null : timestamp(new Date(now.getTime() + expiresInSec * 1000)),
    revokedAt: null,
  }
}

/**
 * Who presents the secret of this digest.
 * @throws {HubError} `auth.invalid`, which does not tell unknown from expired from revoked.
 */
export async function authenticate(
  hub: Pick<Hub, 'records' | 'clock'>,
  secretSha256: string,
): Promise<Principal> {
  const row = await hub.records.tokens.findBySecret(secretSha256)
  const principal = row && livingPrincipal(row, hub.clock.now())
  if (principal) return principal
  throw new HubError(
    'auth.invalid',
    'this token is unknown, expired or revoked; ask an administrator for a new one',
  )
}

/**
 * The same for a request that makes a node, which may be repeated when its answer was lost: a token that was used up stands
 * for its principal here. Whoever takes that must know that it is used up, as `nodes/repeated-enrolment.ts` does.
 * @throws {HubError} `auth.invalid`.
 */
export async function authenticateForEnrolment(
  hub: Pick<Hub, 'records' | 'clock'>,
  secretSha256: string,
): Promise<Principal> {
  const row = await hub.records.tokens.findBySecret(secretSha256)
  const isUsedUp = row?.role === 'enrol' && row.revokedAt !== null
  if (isUsedUp && isAlive({ ...row, revokedAt: null }, hub.clock.now())) {
    const principal = principalOf(row)
    if (principal) return principal
  }
  return await authenticate(hub, secretSha256)
}

/** The same where its token was read before; undefined for any other, which `authenticate` judges. */
export function knownPrincipal(
  { records, clock }: Pick<Hub, 'records' | 'clock'>,
  secretSha256: string,
): Principal | undefined {
  const row = records.tokens.knownBySecret(secretSha256)
  return row && livingPrincipal(row, clock.now())
}

/** A row that was read is the same object until a token changes, and so is who it stands for. */
const principals = new WeakMap<TokenRow, Principal>()

function livingPrincipal(row: TokenRow, now: Date): Principal | undefined {
  if (!isAlive(row, now)) return undefined
  const known = principals.get(row)
  if (known) return known
  const principal = principalOf(row)
  if (principal) principals.set(row, principal)
  return principal
}

function principalOf(row: TokenRow): Principal | undefined {
  if (!isRole(row.role)) return undefined
  const apps = row.apps === null ? null : (JSON.parse(row.apps) as string[])
  const environments = row.environments === null ? null : (JSON.parse(row.environments) as string[])
  return {
    kind: 'token',
    id: row.id,
    name: row.name,
    grants: [{ role: row.role, apps, environments }],
    node: row.node,
    maySendCommands: row.maySendCommands === 1,
    owner: row.owner,
  }
}

/** Ends a token now. A second call changes nothing. @throws {HubError} `token.unknown`. */
export async function revokeToken(hub: Pick<Hub, 'records' | 'clock'>, id: string): Promise<TokenRow> {
  const row = await hub.records.tokens.find(id)
  if (!row) throw new HubError('token.unknown', `there is no token ${JSON.stringify(id.slice(0, 100))}`)
  const revokedAt = row.revokedAt ?? timestamp(hub.clock.now())
  if (row.revokedAt === null)
    await hub.records.transaction(async (records) => {
      await records.tokens.revoke(id, revokedAt)
      const change = { type: 'token.revoked', subject: id, before: factsOf(row) } as const
      await recordChange(records, hub.clock, change)
    })
  return { ...row, revokedAt }
}

function isAlive({ revokedAt, expiresAt }: TokenRow, now: Date): boolean {
  return revokedAt === null && (expiresAt === null || expiresAt > timestamp(now))
}

/** By which a token is kept and found. */
export function digestOf(secret: string): string {
  return hash('sha256', secret)
}

function isRole(role: string): role is Role {
  return (ROLES as readonly string[]).includes(role)
}
