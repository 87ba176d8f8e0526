/** People: accounts that an administrator, or an OpenID provider, makes. Nobody is deleted, since records name them. */
import { roleText } from '../access/rights.ts'
import type { Grant, Principal } from '../access/rights.ts'
import { actingAs, currentActor } from '../audit/actor.ts'
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import type { PersonRow } from '../records/people.ts'

type Needs = Pick<Hub, 'records' | 'clock'>

export interface NewPerson {
  readonly name: string
  readonly fullName: string | null
  readonly grants: readonly Grant[]
  /** As whom an OpenID provider knows them; null: none does. */
  readonly identity: { readonly issuer: string; readonly subject: string } | null
  /** The name of who makes them. */
  readonly by: string
  readonly dryRun: boolean
}

/**
 * Makes a person, who has no way to sign in yet but by an identity.
 * @throws {HubError} `person.name_taken`, `person.identity_taken`.
 */
export async function addPerson(hub: Needs, wanted: NewPerson): Promise<PersonRow> {
  return await hub.records.transaction(async (records) => await addWithin({ ...hub, records }, wanted))
}

/** The same within a transaction that does more. */
export async function addWithin({ records, clock }: Needs, wanted: NewPerson): Promise<PersonRow> {
  const { name, fullName, grants, identity, by, dryRun } = wanted
  const now = clock.now()
  const person: PersonRow = {
    ...{ id: newId('prs', now), name, fullName, grants: JSON.stringify(grants), password: null },
    ...{ issuer: identity?.issuer ?? null, subject: identity?.subject ?? null },
    ...{ createdBy: by, createdAt: timestamp(now), signedInAt: null, disabledAt: null },
  }
  if (await records.people.findByName(name))
    throw new HubError('person.name_taken', `there is somebody called ${name} already: choose another name`)
  const same = identity && (await records.people.findByIdentity(identity.issuer, identity.subject))
  if (same)
    throw new HubError('person.identity_taken', `${identity.subject} has the account ${same.name} already`)
  if (dryRun) return person
  await records.people.add(person)
  await recordChange(records, clock, { type: 'person.added', subject: person.id, after: factsOf(person) })
  return person
}

/** By id or by name. @throws {HubError} `person.unknown`. */
export async function findPerson({ records }: Pick<Hub, 'records'>, idOrName: string): Promise<PersonRow> {
  const person = (await records.people.find(idOrName)) ?? (await records.people.findByName(idOrName))
  if (person) return person
  throw new HubError('person.unknown', `there is nobody called ${JSON.stringify(idOrName.slice(0, 100))}`)
}

export interface PersonChange {
  readonly fullName?: string | null
  readonly grants?: readonly Grant[]
  readonly disabled?: boolean
}

/**
 * Changes what is given. Whoever is disabled is signed out everywhere at once, and no link that they have opens anything.
 * Nothing that is so already is changed or told.
 * @param by who does it; nobody disables themselves or gives up administration, so that somebody is left who has it.
 * @throws {HubError} `person.self`.
 */
export async function changePerson(
  hub: Needs,
  {
    id,
    change,
    by,
    dryRun,
  }: { id: string; change: PersonChange; by: Pick<Principal, 'id'>; dryRun: boolean },
): Promise<PersonRow> {
  return await hub.records.transaction(async (records) => {
    const before = await findPerson({ records }, id)
    if (before.id === by.id) refuseOwn(before, change)
    const { fullName, grants, disabled } = change
    const disabledAt =
      disabled === undefined || disabled === (before.disabledAt !== null)
        ? before.disabledAt
        : disabled
          ? timestamp(hub.clock.now())
          : null
    const person: PersonRow = {
      ...before,
      ...(fullName !== undefined && { fullName }),
      ...(grants !== undefined && { grants: JSON.stringify(grants) }),
      disabledAt,
    }
    if (dryRun || JSON.stringify(person) === JSON.stringify(before)) return person
    await records.people.update(before.id, person)
    if (disabledAt !== null) {
      await records.sessions.removeOf(before.id)
      await records.signInLinks.removeOf(before.id)
    }
    const told = { type: 'person.changed', subject: before.id } as const
    await recordChange(records, hub.clock, { ...told, before: factsOf(before), after: factsOf(person) })
    return person
  })
}

function refuseOwn(person: PersonRow, { grants, disabled }: PersonChange): void {
  const isAdministrator = (list: readonly Grant[]) => list.some(({ role }) => role === 'administrator')
  const givesUp = grants !== undefined && isAdministrator(grantsOf(person)) && !isAdministrator(grants)
  if (disabled === true || givesUp)
    throw new HubError(
      'person.self',
      'nobody disables themselves or gives up administration: ask another administrator',
    )
}

export function grantsOf({ grants }: Pick<PersonRow, 'grants'>): readonly Grant[] {
  return JSON.parse(grants) as readonly Grant[]
}

/** Who somebody is that has signed in. */
export function principalOfPerson(person: PersonRow): Principal {
  const { id, name } = person
  return { kind: 'person', id, name, grants: grantsOf(person), node: null, maySendCommands: true, owner: id }
}

/** Runs `work` as done by the person, who is known only since a moment. */
export function actingAsPerson<T>(person: PersonRow, work: () => T): T {
  const role = roleText({ grants: grantsOf(person) })
  return actingAs({ ...currentActor(), name: person.name, role, id: person.id }, work)
}

/** What the audit says of a person: nothing of the password but whether there is one. */
export function factsOf(person: PersonRow) {
  const { name, fullName, issuer, subject, disabledAt } = person
  return { name, fullName, grants: grantsOf(person), issuer, subject, disabledAt }
}
