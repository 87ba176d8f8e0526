/** People: the list, one with what they may do, have done and are signed in with, and the link that is shown once. */
import type { AuditRecord } from '../../http/openapi/audit.ts'
import type { Person } from '../../http/openapi/people.ts'
import type { Session } from '../../http/openapi/signing-in.ts'
import type { Token } from '../../http/openapi/tokens.ts'
import {
  action,
  block,
  choice,
  empty,
  facts,
  field,
  fold,
  heading,
  pager,
  section,
  state,
  table,
  theirs,
  time,
} from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { recentChanges } from './audit-page.ts'
import { grantFields } from './grant-fields.ts'
import { tokenTable } from './token-page.ts'
import { wordsOfGrant } from './words.ts'

export interface PeopleList {
  readonly people: readonly Person[]
  readonly next: string | null
  /** What may be given to people. */
  readonly roles: readonly string[]
  /** How people call the OpenID provider; null where there is none. */
  readonly openid: string | null
  /** Empty: who looks has no form to send. */
  readonly csrf: string
  readonly now: Date
}

export function peoplePage({ people, next, roles, openid, csrf, now }: PeopleList): Html {
  const columns = [
    {
      title: 'Name',
      cell: ({ id, name, fullName }: Person) =>
        html`<a href="/people/${id}">${theirs(name)}</a>
          ${fullName !== null && html`<p class="beside">${theirs(fullName)}</p>`}`,
    },
    { title: 'May', cell: ({ grants }: Person) => grantList(grants) },
    { title: 'State', cell: (person: Person) => stateOf(person) },
    { title: 'Signed in', cell: ({ signedInAt }: Person) => time(signedInAt, now) },
    { title: 'Added', cell: ({ createdAt }: Person) => time(createdAt, now) },
  ]
  const nothing = empty('Nobody has an account yet.', 'portage-hub people add anna --grant reader')
  return html`${heading('People')} ${csrf !== '' && addForm(roles, openid, csrf)}
  ${table('People', columns, people, nothing)} ${pager(next, 'More people')}`
}

function addForm(roles: readonly string[], openid: string | null, csrf: string): Html {
  const inputs = html`${field('Name', {
    name: 'name',
    isRequired: true,
    help: 'With which they sign in: lower-case letters, digits and . _ @ + -',
  })}
  ${field('Full name', { name: 'fullName' })}
  ${
    openid !== null &&
    field(`Id at ${openid}`, {
      name: 'subject',
      help: 'As the provider names them (sub): they may sign in there then.',
    })
  }
  ${grantFields([], roles)} ${linkTime()}`
  const form = action({ address: '/people', label: 'Add them and make a link', csrf, tone: 'main' }, inputs)
  return html`<div class="actions part">${fold('Add somebody…', form)}</div>`
}

function linkTime(): Html {
  const times = [
    ['24h', 'one day'],
    ['3d', 'three days'],
    ['7d', 'seven days'],
  ] as const
  return choice('The link is good for', 'expiresIn', times, '24h')
}

function grantList(grants: readonly Person['grants'][number][]): Html {
  if (grants.length === 0) return html`<span class="none">nothing</span>`
  return html`<div class="cell">${grants.map((grant) => html`<p>${theirs(wordsOfGrant(grant))}</p>`)}</div>`
}

function stateOf({ state: at, hasPassword, identity, signedInAt }: Person): Html {
  if (at === 'disabled') return state('bad', 'disabled')
  if (hasPassword || identity !== null || signedInAt !== null) return state('good', 'active')
  return state('waiting', 'not been here')
}

export interface WholePerson {
  readonly person: Person
  /** Those that hold, newest first. */
  readonly sessions: readonly Session[]
  /** Theirs that are good, newest first. */
  readonly tokens: readonly Token[]
  /** What they did last, newest first. */
  readonly changes: readonly AuditRecord[]
  readonly roles: readonly string[]
  /** Their grants are those of their groups at the OpenID provider, set anew at each sign-in. */
  readonly isOfProvider: boolean
  /** Who looks is the person. */
  readonly isSelf: boolean
  readonly csrf: string
  readonly now: Date
}

export function personPage(view: WholePerson): Html {
  const { person, sessions, tokens, changes, isOfProvider, csrf, now } = view
  const { name, fullName } = person
  const all = `/audit?actor=${encodeURIComponent(name)}`
  return html`${heading(theirs(fullName ?? name), [['/people', 'People']])}
  ${csrf !== '' && personActions(view)}
  ${facts([
    ['Signs in as', theirs(name)],
    ['State', stateOf(person)],
    ['Password', person.hasPassword ? 'set' : 'none yet'],
    [
      'OpenID',
      person.identity && html`${theirs(person.identity.subject ?? '')} of ${theirs(person.identity.issuer)}`,
    ],
    ['Signed in', time(person.signedInAt, now)],
    ['Added', html`${time(person.createdAt, now)} by ${theirs(person.createdBy)}`],
    ['Disabled', person.disabledAt !== null && time(person.disabledAt, now)],
    ['Id', html`<code>${person.id}</code>`],
  ])}
  ${section(
    'May',
    html`${grantList(person.grants)}
    ${
      isOfProvider &&
      html`<p class="beside">
        As their groups at the OpenID provider say, anew at each sign-in: what is changed here holds until
        then.
      </p>`
    }`,
  )}
  ${section('Sessions', sessionTable(sessions, now))}
  ${section('Tokens', tokenTable(tokens, { csrf, now, nothing: empty('No token that is good stands for them.') }))}
  ${recentChanges('Lately', changes, all, now)}`
}

function sessionTable(sessions: readonly Session[], now: Date): Html {
  const columns = [
    {
      title: 'Browser',
      cell: ({ userAgent, current }: Session) =>
        html`${theirs(userAgent ?? 'does not say its name')}
        ${current && html`<p class="beside">this one</p>`}`,
    },
    { title: 'From', cell: ({ address }: Session) => theirs(address ?? 'unknown') },
    { title: 'By', cell: ({ way }: Session) => way },
    { title: 'Signed in', cell: ({ createdAt }: Session) => time(createdAt, now) },
    { title: 'Last used', cell: ({ seenAt }: Session) => time(seenAt, now) },
    { title: 'Ends', cell: ({ expiresAt }: Session) => time(expiresAt, now) },
  ]
  return table('Sessions', columns, sessions, empty('They are signed in nowhere.'))
}

function personActions({ person, sessions, roles, isSelf, csrf }: WholePerson): Html {
  const address = `/people/${person.id}`
  const isDisabled = person.state === 'disabled'
  const nameForm = html`${field('Full name', { name: 'fullName', value: person.fullName ?? '' })}
  ${grantFields(person.grants, roles)}`
  return html`<div class="actions part">
    ${fold('Change…', action({ address: `${address}/change`, label: 'Change', csrf, tone: 'main' }, nameForm))}
    ${
      !isDisabled &&
      fold(
        'Make a link…',
        action(
          { address: `${address}/link`, label: 'Make a link', csrf, tone: 'main' },
          html`<p>They sign in with it once and set a password. A link that was made before ends.</p>
            ${linkTime()}`,
        ),
      )
    }
    ${sessions.length > 0 && action({ address: `${address}/sign-out`, label: 'Sign out everywhere', csrf })}
    ${
      !isSelf &&
      (isDisabled
        ? action({ address: `${address}/enable`, label: 'Enable', csrf })
        : fold(
            'Disable…',
            action(
              { address: `${address}/disable`, label: `Disable ${person.name}`, csrf, tone: 'danger' },
              html`<p>
                They are signed out everywhere and cannot come back. Tokens of theirs go on: revoke them too.
              </p>`,
            ),
          ))
    }
  </div>`
}

/** The only time that the link is shown. */
export function madeLinkPage(
  { name, id }: Pick<Person, 'name' | 'id'>,
  { link, expiresAt }: { readonly link: string; readonly expiresAt: string },
  now: Date,
): Html {
  return html`${heading('A link to sign in', [
      ['/people', 'People'],
      [`/people/${id}`, name],
    ])}
    <section class="verdict once">
      <p>
        ${state('urgent', 'shown once')} Send it to ${theirs(name)} on a way that nobody else reads: whoever
        has it signs in as them. It works once, and ends ${time(expiresAt, now)}.
      </p>
      ${block(link, 'Link')}
    </section>
    <p><a href="/people/${id}">On to ${theirs(name)}</a></p>`
}
