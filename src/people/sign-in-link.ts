/** Links by which somebody signs in once: an invitation, and the way back for who forgot the password. */
import { hash, randomBytes } from 'node:crypto'
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import type { PersonRow } from '../records/people.ts'
import type { SignInLinkRow } from '../records/sessions.ts'
import { addSession } from './session.ts'
import type { Entrance, OpenedSession } from './session.ts'

export interface MadeLink {
  readonly link: SignInLinkRow
  /** What the link ends with: its only copy. */
  readonly secret: string
}

/**
 * Makes a link. The ones made before for the same person end: who lost one asks for another.
 * @throws {HubError} `person.disabled`.
 */
export async function makeSignInLink(
  hub: Pick<Hub, 'records' | 'clock'>,
  wanted: {
    readonly person: PersonRow
    readonly expiresInSec: number
    readonly by: string
    readonly dryRun: boolean
  },
): Promise<MadeLink> {
  const { person, expiresInSec, by, dryRun } = wanted
  const now = hub.clock.now()
  const secret = randomBytes(32).toString('base64url')
  const expiresAt = timestamp(new Date(now.getTime() + expiresInSec * 1000))
  const link: SignInLinkRow = {
    ...{ id: newId('lnk', now), person: person.id, secretSha256: hash('sha256', secret), createdBy: by },
    ...{ createdAt: timestamp(now), expiresAt, usedAt: null },
  }
  await hub.records.transaction(async (records) => {
    if ((await records.people.find(person.id))?.disabledAt !== null)
      throw new HubError('person.disabled', `${person.name} is disabled: enable them first`)
    if (dryRun) return
    await records.signInLinks.removeOf(person.id)
    await records.signInLinks.add(link)
    const after = { name: person.name, expiresAt }
    const change = { type: 'person.link_made', subject: person.id, after } as const
    await recordChange(records, hub.clock, change)
  })
  return { link, secret }
}

/** The address that a link is. */
export function linkAddress({ config }: Pick<Hub, 'config'>, secret: string): string {
  return `${config.publicUrl}/sign-in/${secret}`
}

/** Signs in by a link, which is used up by that. @throws {HubError} `auth.link_invalid`. */
export async function useSignInLink(
  hub: Pick<Hub, 'records' | 'clock' | 'config'>,
  secret: string,
  entrance: Omit<Entrance, 'way'>,
): Promise<OpenedSession> {
  return await hub.records.transaction(async (records) => {
    const link = await records.signInLinks.useUp(hash('sha256', secret), timestamp(hub.clock.now()))
    const person = link && (await records.people.find(link.person))
    if (person?.disabledAt !== null)
      throw new HubError(
        'auth.link_invalid',
        'this link is unknown, used or too old; ask an administrator for a new one',
      )
    return await addSession({ ...hub, records }, person, { ...entrance, way: 'link' })
  })
}
