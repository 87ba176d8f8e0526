/** Webhooks: the list, one with its deliveries, and one delivery with what is sent. */
import { CHANGES } from '../../audit/changes.ts'
import type { Delivery, Webhook } from '../../http/openapi/webhooks.ts'
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
  section,
  state,
  table,
  theirs,
  time,
} from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'

/** Its address without the path, which is often the receiver's secret. */
function receiverOf({ url }: Pick<Webhook, 'url'>): string {
  return url.startsWith('mailto:') ? url.slice('mailto:'.length) : new URL(url).origin
}

function addressOf({ id }: Pick<Webhook, 'id'>): string {
  return `/webhooks/${id}`
}

const FORMATS: Readonly<Record<Webhook['format'], string>> = {
  json: 'JSON, signed',
  slack: 'Slack',
  matrix: 'Matrix',
  email: 'e-mail',
}

function stateOf({ enabled }: Webhook): Html {
  return enabled ? state('good', 'sends') : state('held', 'paused')
}

/** What it is sent: `2 kinds, of shop in production`. */
function wishOf({ types, app, environment }: Webhook): Html {
  const kinds = types === null ? 'all but administration' : kindsText(types)
  return html`${kinds}${app !== null && html` of ${theirs(app)}`}${environment !== null && html` in ${theirs(environment)}`}`
}

function kindsText(types: readonly string[]): string {
  return types.length <= 2 ? types.join(', ') : `${String(types.length)} kinds of event`
}

export interface WebhookList {
  readonly webhooks: readonly { readonly webhook: Webhook; readonly newest: Delivery | null }[]
  readonly next: string | null
  readonly environments: readonly string[]
  /** Whether the hub has a mail server to send by. */
  readonly mails: boolean
  readonly csrf: string
  readonly now: Date
}

type Row = WebhookList['webhooks'][number]

export function webhooksPage({ webhooks, next, environments, mails, csrf, now }: WebhookList): Html {
  const columns = [
    {
      title: 'To',
      cell: ({ webhook }: Row) => html`<a href="${addressOf(webhook)}">${theirs(receiverOf(webhook))}</a>`,
    },
    { title: 'As', cell: ({ webhook }: Row) => FORMATS[webhook.format] },
    { title: 'What', cell: ({ webhook }: Row) => wishOf(webhook) },
    { title: 'State', cell: ({ webhook }: Row) => stateOf(webhook) },
    {
      title: 'Newest delivery',
      cell: ({ newest }: Row) =>
        newest === null ? html`<span class="none">none yet</span>` : deliveryState(newest, now),
    },
    {
      title: 'Made',
      cell: ({ webhook }: Row) =>
        html`${time(webhook.createdAt, now)}
          <p class="beside">by ${theirs(webhook.createdBy)}</p>`,
    },
  ]
  const nothing = empty(
    'The hub tells nobody of what happens.',
    'portage-hub webhook create https://ci.acme.example/hooks/hub --type promotion.requested',
  )
  return html`${heading('Webhooks')} ${csrf !== '' && makeForm(environments, mails, csrf)}
  ${table('Webhooks', columns, webhooks, nothing)} ${pager(next, 'More webhooks')}`
}

function makeForm(environments: readonly string[], mails: boolean, csrf: string): Html {
  const formats = Object.entries(FORMATS).filter(([format]) => mails || format !== 'email')
  const inputs = html`${field('Address', {
    name: 'url',
    isRequired: true,
    help: mails
      ? 'https://…, or mailto: and an e-mail address.'
      : 'https://… For e-mail the hub needs a mail server (HUB_SMTP_URL).',
  })}
  ${choice('As', 'format', [['', 'as the address has it'], ...formats], '')}
  ${wishFields({ types: null, app: null, environment: null }, environments)}`
  const form = action({ address: '/webhooks', label: 'Make a webhook', csrf, tone: 'main' }, inputs)
  return html`<div class="actions part">${fold('Make a webhook…', form)}</div>`
}

function wishFields(
  { types, app, environment }: Pick<Webhook, 'types' | 'app' | 'environment'>,
  environments: readonly string[],
): Html {
  const boxes = Object.entries(CHANGES).map(
    ([type, meaning]) =>
      html`<label title="${meaning}"
        ><input
          type="checkbox"
          name="types"
          value="${type}"
          ${types?.some((one) => one === type) && CHECKED}
        />
        ${type}</label
      >`,
  )
  const places = [['', 'all'], ...environments.map((name) => [name, name] as const)] as const
  return html`<fieldset class="kinds">
      <legend>Kinds of event; none ticked: all but those of administration</legend>
      ${boxes}
    </fieldset>
    ${field('App', { name: 'app', value: app ?? '', help: 'None: all.' })}
    ${choice('Environment', 'environment', places, environment ?? '')}`
}

const CHECKED = html`checked`

/** The only time that the secret is shown. */
export function madeWebhookPage(webhook: Webhook, secret: string | null): Html {
  return html`${heading('A new webhook', [['/webhooks', 'Webhooks']])}
    ${
      secret === null
        ? html`<p>What happens from now on is mailed to ${theirs(receiverOf(webhook))}.</p>`
        : html`<section class="verdict once">
            <p>
              ${state('urgent', 'shown once')} The receiver checks by it that a delivery is the hub’s
              (Standard Webhooks); nobody can show it again.
            </p>
            ${block(secret, 'Secret')}
          </section>`
    }
    <p><a href="${addressOf(webhook)}">On to the webhook</a></p>`
}

export interface WholeWebhook {
  readonly webhook: Webhook
  readonly deliveries: readonly Delivery[]
  readonly next: string | null
  readonly filter: string
  readonly environments: readonly string[]
  readonly csrf: string
  readonly now: Date
}

export function webhookPage(view: WholeWebhook): Html {
  const { webhook, deliveries, next, filter, csrf, now } = view
  const { types, app, environment } = webhook
  const nothing = empty(
    filter === ''
      ? 'Nothing was to be delivered yet: it is sent what happens from now on.'
      : 'No delivery is in this state.',
  )
  const content = html`${filters(addressOf(webhook), choice('State', 'state', DELIVERY_STATES, filter))}
  ${table('Deliveries', deliveryColumns(webhook, csrf, now), deliveries, nothing)} ${pager(next)}`
  return html`${heading(theirs(receiverOf(webhook)), [['/webhooks', 'Webhooks']])}
  ${csrf !== '' && webhookActions(view)}
  ${facts([
    ['State', stateOf(webhook)],
    ['As', FORMATS[webhook.format]],
    ['Kinds', types === null ? 'all but administration' : theirs(types.join(', '))],
    ['App', app === null ? 'all' : theirs(app)],
    ['Environment', environment === null ? 'all' : theirs(environment)],
    ['Made', html`${time(webhook.createdAt, now)} by ${theirs(webhook.createdBy)}`],
    ['Id', html`<code>${webhook.id}</code>`],
    ['Address', fold('Show', html`<code class="whole">${webhook.url}</code>`, 'Show the whole address')],
  ])}
  ${section('Deliveries', content)}`
}

const DELIVERY_STATES = [
  ['', 'all'],
  ['waiting', 'waiting'],
  ['delivered', 'delivered'],
  ['dead', 'given up'],
] as const

function webhookActions({ webhook, environments, csrf }: WholeWebhook): Html {
  const address = addressOf(webhook)
  const { enabled } = webhook
  return html`<div class="actions part">
    ${
      enabled
        ? fold(
            'Pause…',
            action(
              { address: `${address}/pause`, label: 'Pause', csrf },
              html`<p>What happens meanwhile is not sent later; what waits already waits on.</p>`,
            ),
          )
        : action({ address: `${address}/resume`, label: 'Send again, from now on', csrf, tone: 'main' })
    }
    ${fold(
      'Change…',
      action(
        { address: `${address}/change`, label: 'Change', csrf, tone: 'main' },
        wishFields(webhook, environments),
      ),
    )}
    ${fold(
      'Delete…',
      action(
        { address: `${address}/delete`, label: 'Delete', csrf, tone: 'danger' },
        html`<p>It goes with all that is kept of its deliveries, and with its secret.</p>`,
      ),
    )}
  </div>`
}

function deliveryColumns(webhook: Webhook, csrf: string, now: Date) {
  return [
    {
      title: 'Event',
      cell: ({ id, event }: Delivery) =>
        html`<a href="${addressOf(webhook)}/deliveries/${id}">${event.type}</a>
          <p class="beside">number ${event.seq}</p>`,
    },
    { title: 'State', cell: (delivery: Delivery) => deliveryState(delivery, now) },
    { title: 'Attempts', cell: ({ attempts }: Delivery) => attempts, isNumber: true },
    { title: 'Happened', cell: ({ createdAt }: Delivery) => time(createdAt, now) },
    { title: 'Last tried', cell: ({ lastAt }: Delivery) => time(lastAt, now) },
    ...(csrf === ''
      ? []
      : [
          {
            title: 'Do',
            cell: ({ id }: Delivery) =>
              action({ address: `${addressOf(webhook)}/deliveries/${id}/replay`, label: 'Send again', csrf }),
          },
        ]),
  ]
}

/** How it stands, and why it stands so. */
function deliveryState({ state: at, lastStatus, lastError, nextAt }: Delivery, now: Date): Html {
  const status = lastStatus === null ? null : html`<p class="beside">answered ${lastStatus}</p>`
  if (at === 'delivered') return html`${state('good', 'delivered')} ${status}`
  const why = lastError === null ? status : html`<p class="beside">${theirs(lastError)}</p>`
  if (at === 'dead') return html`${state('bad', 'given up')} ${why}`
  return html`${state('waiting', 'waiting')} ${why}
  ${nextAt !== null && html`<p class="beside">next try ${time(nextAt, now)}</p>`}`
}

export interface WholeDelivery {
  readonly webhook: Webhook
  readonly delivery: Delivery
  /** As it would be sent now; null: the event is not there any more. */
  readonly body: string | null
  readonly csrf: string
  readonly now: Date
}

export function deliveryPage({ webhook, delivery, body, csrf, now }: WholeDelivery): Html {
  const { id, event, attempts } = delivery
  const replay = action({
    address: `${addressOf(webhook)}/deliveries/${id}/replay`,
    label: 'Send again',
    csrf,
  })
  return html`${heading(
    html`${event.type} <span class="none">${event.seq}</span>`,
    [
      ['/webhooks', 'Webhooks'],
      [addressOf(webhook), receiverOf(webhook)],
    ],
    csrf !== '' && replay,
  )}
  ${facts([
    ['State', deliveryState(delivery, now)],
    ['Attempts', attempts],
    ['Happened', time(delivery.createdAt, now)],
    ['Last tried', time(delivery.lastAt, now)],
    ['Next try', delivery.nextAt !== null && time(delivery.nextAt, now)],
    ['Id', html`<code>${id}</code>`],
  ])}
  ${body === null ? empty('The event is not in the audit any more.') : block(body, 'What is sent')}`
}
