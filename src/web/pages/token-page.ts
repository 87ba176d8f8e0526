/** Tokens: the list, making and revoking them, and the secret that is shown once. */
import type { Token } from '../../http/openapi/tokens.ts'
import {
  action,
  block,
  choice,
  empty,
  facts,
  field,
  filters,
  fold,
  heading,
  pager,
  state,
  table,
  theirs,
  time,
} from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { wordsOfGrant } from './words.ts'

export interface TokenList {
  readonly tokens: readonly Token[]
  /** By the id of who is behind a token, their name. */
  readonly owners: ReadonlyMap<string, string>
  readonly next: string | null
  readonly filter: { readonly role: string; readonly state: string; readonly person: string }
  readonly roles: readonly string[]
  readonly environments: readonly string[]
  readonly csrf: string
  readonly now: Date
}

export function tokensPage(list: TokenList): Html {
  const { tokens, owners, next, filter, roles, csrf, now } = list
  const fields = html`${choice(
    'Role',
    'role',
    [['', 'all but nodes'], ...roles.map((role) => [role, role] as const)],
    filter.role,
  )}
  ${choice(
    'State',
    'state',
    [
      ['good', 'good'],
      ['ended', 'revoked or expired'],
      ['all', 'all'],
    ],
    filter.state,
  )}
  ${field('Of', { name: 'person', value: filter.person })}`
  const nothing = empty(
    'No token is as the filters say.',
    "portage-hub token create --role developer --app shop --name 'CI of shop' --expires-in 90d",
  )
  return html`${heading('Tokens')} ${csrf !== '' && makeForm(list)} ${filters('/tokens', fields)}
  ${tokenTable(tokens, { csrf, now, nothing, owners })} ${pager(next)}`
}

export interface TokenTable {
  readonly csrf: string
  readonly now: Date
  readonly nothing: Html
  /** Left out: nobody's name is shown. */
  readonly owners?: ReadonlyMap<string, string>
}

export function tokenTable(tokens: readonly Token[], { csrf, now, nothing, owners }: TokenTable): Html {
  const columns = [
    {
      title: 'Name',
      cell: ({ name, id }: Token) =>
        html`${theirs(name)}
          <p class="beside"><code>${id}</code></p>`,
    },
    {
      title: 'May',
      cell: (token: Token) =>
        html`${theirs(wordsOfGrant(token))}
        ${token.node !== null && html`<p class="beside">node ${theirs(token.node)}</p>`}
        ${token.role === 'developer' && !token.commands && html`<p class="beside">without commands</p>`}`,
    },
    ...(owners ? [{ title: 'Of', cell: ({ owner }: Token) => ownerCell(owner, owners) }] : []),
    {
      title: 'Made',
      cell: ({ createdAt, createdBy }: Token) =>
        html`${time(createdAt, now)}
          <p class="beside">by ${theirs(createdBy)}</p>`,
    },
    { title: 'State', cell: (token: Token) => stateOf(token, now) },
    ...(csrf === '' ? [] : [{ title: 'Do', cell: (token: Token) => revokeFold(token, csrf, now) }]),
  ]
  return table('Tokens', columns, tokens, nothing)
}

function ownerCell(owner: string, owners: ReadonlyMap<string, string>): Html {
  const name = owners.get(owner)
  if (name === undefined) return html`<span class="none">itself</span>`
  return html`<a href="/people/${owner}">${theirs(name)}</a>`
}

function isGood({ revokedAt, expiresAt }: Token, now: Date): boolean {
  return revokedAt === null && (expiresAt === null || Date.parse(expiresAt) > now.getTime())
}

function stateOf(token: Token, now: Date): Html {
  const { revokedAt, expiresAt } = token
  if (revokedAt !== null)
    return html`${state('quiet', 'revoked')}
      <p class="beside">${time(revokedAt, now)}</p>`
  if (expiresAt === null)
    return html`${state('good', 'good')}
      <p class="beside">does not end</p>`
  const ends = html`<p class="beside">${isGood(token, now) && 'ends '}${time(expiresAt, now)}</p>`
  return html`${isGood(token, now) ? state('good', 'good') : state('quiet', 'expired')} ${ends}`
}

function revokeFold(token: Token, csrf: string, now: Date): Html | null {
  if (!isGood(token, now)) return null
  const form = action(
    { address: `/tokens/${token.id}/revoke`, label: 'Revoke', csrf, tone: 'danger' },
    html`<p>Whatever uses ${theirs(token.name)} is refused from now on.</p>`,
  )
  return fold('Revoke…', form, `Revoke ${token.name}`)
}

const LIFETIMES = [
  ['1h', 'an hour'],
  ['12h', 'twelve hours'],
  ['30d', '30 days'],
  ['90d', '90 days'],
  ['365d', 'a year'],
  ['', 'ever'],
] as const

function makeForm({ roles, environments, csrf }: TokenList): Html {
  const given = roles.filter((role) => role !== 'node').map((role) => [role, role] as const)
  const inputs = html`${field('Name', {
      name: 'name',
      isRequired: true,
      help: 'What records and commits say of who uses it.',
    })}
    ${choice('Role', 'role', given, 'developer')}
    ${field('Apps', { name: 'apps', help: 'Names with blanks between them; none: all apps.' })}
    ${field('Environments', {
      name: 'environments',
      help: `Of ${environments.join(', ')}; none: all. For enrol name the one.`,
    })}
    ${field('Node', { name: 'node', help: 'For enrol: this node and no other.' })}
    ${field('Whose', { name: 'person', help: 'The name of somebody with an account; none: yours.' })}
    ${choice('Good for', 'expiresIn', LIFETIMES, '90d')}
    <label class="tick"
      ><input type="checkbox" name="noCommands" value="true" /> Uploads with it bring no commands and no
      ebuild of their own
    </label>`
  const form = action({ address: '/tokens', label: 'Make a token', csrf, tone: 'main' }, inputs)
  return html`<div class="actions part">${fold('Make a token…', form)}</div>`
}

/** The only time that the secret is shown. */
export function madeTokenPage(token: Token, secret: string, hubUrl: string, now: Date): Html {
  const [environment = ''] = token.environments ?? []
  return html`${heading(html`The token ${theirs(token.name)}`, [['/tokens', 'Tokens']])}
    <section class="verdict once">
      <p>
        ${state('urgent', 'shown once')} Keep it where secrets are kept: the hub has only a digest of it, and
        nobody can show it again.
      </p>
      ${block(secret, 'Token')}
    </section>
    ${facts([
      ['May', theirs(wordsOfGrant(token))],
      ['Ends', token.expiresAt === null ? 'never' : time(token.expiresAt, now)],
      ['Id', html`<code>${token.id}</code>`],
    ])}
    ${
      token.role === 'enrol'
        ? block(
            `curl -fsS ${hubUrl}/enroll.sh | HUB_ENROL_TOKEN=<the token> sh -s -- --environment ${environment} --name ${token.node ?? '<node>'}`,
            'On the new node',
          )
        : block(`HUB_URL=${hubUrl} HUB_TOKEN=<the token> portage-hub whoami`, 'To try it')
    }
    <p><a href="/tokens">On to all tokens</a></p>`
}
