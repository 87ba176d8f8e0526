/**
 * Signing in as whom the OpenID provider knows. Somebody is found by issuer and subject alone: an e-mail address is whatever
 * the provider lets people write there. Whose account an administrator made keeps the grants that they gave; everybody else
 * has those of their groups, as the provider tells them at this moment.
 */
import { roleText } from '../access/rights.ts'
import type { Grant } from '../access/rights.ts'
import { actingAs, currentActor } from '../audit/actor.ts'
import { recordChange } from '../audit/record-change.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { PersonRow } from '../records/people.ts'
import type { Records } from '../records/records.ts'
import type { OpenIdentity } from './openid-provider.ts'
import { actingAsPerson, addWithin, factsOf } from './person.ts'
import { openSession } from './session.ts'
import type { Entrance, OpenedSession } from './session.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'config'>

/**
 * @throws {HubError} `openid.not_invited` for whom nobody has invited and whose groups may do nothing here; what they could
 *   do until then, they cannot any more. `auth.sign_in_failed` for who is disabled.
 */
export async function signInByIdentity(
  hub: Needs,
  identity: OpenIdentity,
  entrance: Omit<Entrance, 'way'>,
): Promise<OpenedSession> {
  const grants = grantsOfGroups(hub.config, identity)
  const person = await hub.records.transaction(
    async (records) => await admit({ ...hub, records }, identity, grants),
  )
  if (!person || (isOfProvider(person, identity) && grants.length === 0))
    throw new HubError(
      'openid.not_invited',
      `you are signed in there, but none of your groups may do anything here: ask an administrator, who has to know you as ${identity.subject}`,
    )
  if (person.disabledAt !== null)
    throw new HubError('auth.sign_in_failed', `your account ${person.name} is disabled: ask an administrator`)
  return await openSession(hub, person, { ...entrance, way: 'openid' })
}

/** Brings the account to what the provider says; undefined where there is none, and none is due. */
async function admit(
  { records, clock }: Pick<Needs, 'records' | 'clock'>,
  identity: OpenIdentity,
  grants: readonly Grant[],
): Promise<PersonRow | undefined> {
  const known = await records.people.findByIdentity(identity.issuer, identity.subject)
  if (!known) return grants.length === 0 ? undefined : await welcome({ records, clock }, identity, grants)
  const fullName = fullNameOf(identity)
  if (!isOfProvider(known, identity)) return known
  const person = { ...known, fullName, grants: JSON.stringify(grants) }
  if (person.grants === known.grants && person.fullName === known.fullName) return known
  await records.people.update(known.id, person)
  if (grants.length === 0) await records.sessions.removeOf(known.id)
  const told = { type: 'person.changed', subject: known.id } as const
  await actingAsPerson(known, async () => {
    await recordChange(records, clock, { ...told, before: factsOf(known), after: factsOf(person) })
  })
  return person
}

async function welcome(
  hub: Pick<Needs, 'records' | 'clock'>,
  identity: OpenIdentity,
  grants: readonly Grant[],
): Promise<PersonRow> {
  const [name, fullName] = [await freeName(hub.records, identity), fullNameOf(identity)]
  const { issuer, subject } = identity
  const actor = { ...currentActor(), name, role: roleText({ grants }) }
  return await actingAs(
    actor,
    async () =>
      await addWithin(hub, {
        name,
        fullName,
        grants,
        identity: { issuer, subject },
        by: issuer,
        dryRun: false,
      }),
  )
}

/** Whether the provider brought them, and so says what they may. */
function isOfProvider({ createdBy }: PersonRow, { issuer }: OpenIdentity): boolean {
  return createdBy === issuer
}

/** What the groups of somebody may, in the order of the settings. */
function grantsOfGroups(
  { oidcGroups, oidcGroupsClaim }: Hub['config'],
  { claims }: OpenIdentity,
): readonly Grant[] {
  const groups = new Set([claims[oidcGroupsClaim]].flat())
  return Object.entries(oidcGroups)
    .filter(([group]) => groups.has(group))
    .flatMap(([, grants]) => grants.map((grant) => ({ apps: null, environments: null, ...grant })))
}

const LONGEST_NAME = 64

/** What the provider calls them, as a name of an account that nobody has. */
async function freeName(records: Records, { claims, subject }: OpenIdentity): Promise<string> {
  const called = [claims['preferred_username'], claims['email'], subject].find(
    (one) => typeof one === 'string',
  )
  const name = String(called)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._@+-]/g, '-')
    .replace(/^(?:[^a-z0-9]+|prs_)+/, '')
    .slice(0, LONGEST_NAME)
  const plain = name === '' ? 'somebody' : name
  for (let count = 1; ; count++) {
    const suffix = count === 1 ? '' : `-${String(count)}`
    const tried = plain.slice(0, LONGEST_NAME - suffix.length) + suffix
    if (!(await records.people.findByName(tried))) return tried
  }
}

function fullNameOf({ claims }: OpenIdentity): string | null {
  const { name } = claims
  if (typeof name !== 'string') return null
  const line = name.replaceAll(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, ' ').trim()
  return Array.from(line).slice(0, 100).join('') || null
}
