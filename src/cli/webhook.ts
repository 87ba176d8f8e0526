/** Webhooks: made, listed, enabled, disabled and removed, and what became of their deliveries. */
import { Option } from 'commander'
import type { Command } from 'commander'
import type { DeliveryAnswer, WebhookAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { wrongUsage } from './failure.ts'
import { facts, timeText } from './format.ts'
import { showPage, withLimit } from './lists.ts'
import type { ListOptions } from './lists.ts'
import { DRY_RUN, remote } from './session.ts'

interface CreateOptions {
  readonly email?: string
  readonly format?: string
  readonly type?: readonly string[]
  readonly app?: string
  readonly environment?: string
  readonly quiet?: boolean
  readonly dryRun?: boolean
}

interface DryRun {
  readonly dryRun?: boolean
}

type CreateAnswer = Omit<WebhookAnswer, 'id'> & {
  readonly id: string | null
  readonly secret?: string | null
}

export function addWebhook(program: Command): void {
  const webhook = program.command('webhook').description('send events to a CI or a chat')
  addCreate(webhook)
  addList(webhook)
  for (const enabled of [true, false]) addSwitch(webhook, enabled)
  addDelete(webhook)
  addDeliveries(webhook)
  addReplay(webhook)
}

function addCreate(webhook: Command): void {
  const command = webhook
    .command('create')
    .description('make a webhook; its secret is shown this once')
    .argument('[url]', 'where events are sent to')
    .option('--email <address>', 'send them by e-mail instead')
    .addOption(new Option('--format <format>', 'of the bodies').choices(['json', 'slack', 'matrix']))
    .option('--type <type...>', 'these events only, such as promotion.requested')
    .option('--app <app>', 'of this app only')
    .option('--environment <environment>', 'in this environment only')
    .option('-q, --quiet', 'print the secret and nothing else')
    .option(...DRY_RUN)
  const example = 'portage-hub webhook create https://ci.acme.example/hooks/hub --type promotion.requested'
  remote<CreateOptions>(command, example, async ({ client, show }, options, url = '') => {
    const { email, format, type: types, app, environment, quiet, dryRun } = options
    if ((url === '') === (email === undefined)) throw wrongUsage('give either an address or --email')
    const wanted = { url: email === undefined ? url : `mailto:${email}`, format, types, app, environment }
    const { body } = await client.change<CreateAnswer>('POST', apiPath('webhooks'), { dryRun }, wanted)
    if (dryRun === true) show(body, `Events would be sent to ${body.url}.`)
    else show(body, quiet === true ? (body.secret ?? '') : createdText(body))
  })
}

function createdText(made: CreateAnswer): string {
  return [
    ...secretLines(made),
    facts([
      ['id', made.id],
      ['url', made.url],
      ['events', whatText(made)],
    ]),
  ].join('\n')
}

function secretLines({ secret = null }: CreateAnswer): readonly string[] {
  if (secret === null) return []
  const told =
    'The secret above is shown this once; give it to the receiver, which checks signatures with it.'
  return [secret, '', told]
}

function addList(webhook: Command): void {
  const command = webhook.command('list').alias('ls').description('list the webhooks, without their secrets')
  remote<ListOptions>(withLimit(command), 'portage-hub webhook list', async (session, { limit }) => {
    const page = await session.client.list<WebhookAnswer>(apiPath('webhooks'), {}, limit)
    showPage(
      session,
      page,
      [
        { title: 'ID', value: ({ id }) => id },
        { title: 'STATE', value: ({ enabled }) => (enabled ? 'enabled' : 'disabled') },
        { title: 'FORMAT', value: ({ format }) => format },
        { title: 'URL', value: ({ url }) => url },
        { title: 'EVENTS', value: whatText, cut: true },
      ],
      'No webhooks.',
    )
  })
}

function addSwitch(webhook: Command, enabled: boolean): void {
  const name = enabled ? 'enable' : 'disable'
  const command = webhook
    .command(name)
    .description(enabled ? 'send events again, from now on' : 'send nothing until it is enabled again')
    .argument('<id>', 'as "webhook list" shows it')
    .option(...DRY_RUN)
  const example = `portage-hub webhook ${name} whk_01kdyak348ds83dqjsap7r`
  remote<DryRun>(command, example, async ({ client, show }, { dryRun }, id = '') => {
    const path = apiPath('webhooks', id)
    const { body } = await client.change<WebhookAnswer>('PATCH', path, { dryRun }, { enabled })
    show(body, `${id} ${dryRun === true ? 'would be' : 'is'} ${name}d.`)
  })
}

function addDelete(webhook: Command): void {
  const command = webhook
    .command('delete')
    .description('remove a webhook and what is kept of its deliveries')
    .argument('<id>', 'as "webhook list" shows it')
    .option(...DRY_RUN)
  const example = 'portage-hub webhook delete whk_01kdyak348ds83dqjsap7r'
  remote<DryRun>(command, example, async ({ client, show }, { dryRun }, id = '') => {
    const { body } = await client.change<WebhookAnswer>('DELETE', apiPath('webhooks', id), { dryRun })
    show(body, `${id} (${body.url}) ${dryRun === true ? 'would be' : 'is'} removed.`)
  })
}

function addDeliveries(webhook: Command): void {
  const command = webhook
    .command('deliveries')
    .description('list what was sent to a webhook, newest first, and how that ended')
    .argument('<id>', 'as "webhook list" shows it')
    .addOption(new Option('--state <state>', 'only these').choices(['waiting', 'delivered', 'dead']))
  const example = 'portage-hub webhook deliveries whk_01kdyak348ds83dqjsap7r --state dead'
  remote<ListOptions & { readonly state?: string }>(
    withLimit(command),
    example,
    async (session, { limit, state }, id = '') => {
      const path = apiPath('webhooks', id, 'deliveries')
      const page = await session.client.list<DeliveryAnswer>(path, { state }, limit)
      showPage(
        session,
        page,
        [
          { title: 'ID', value: ({ id: delivery }) => delivery },
          { title: 'EVENT', value: ({ event }) => `${String(event.seq)} ${event.type}` },
          { title: 'STATE', value: (delivery) => delivery.state },
          { title: 'ATTEMPTS', value: ({ attempts }) => attempts },
          { title: 'LAST (UTC)', value: ({ lastAt }) => (lastAt === null ? '' : timeText(lastAt)) },
          { title: 'NEXT (UTC)', value: ({ nextAt }) => (nextAt === null ? '' : timeText(nextAt)) },
          { title: 'WHY', value: ({ lastError }) => lastError ?? '', cut: true },
        ],
        'No deliveries.',
      )
    },
  )
}

function addReplay(webhook: Command): void {
  const command = webhook
    .command('replay')
    .description('deliver an event to a webhook again, now')
    .argument('<id>', 'as "webhook list" shows it')
    .argument('<delivery>', 'as "webhook deliveries" shows it')
    .option(...DRY_RUN)
  const example = 'portage-hub webhook replay whk_01kdyak348ds83dqjsap7r whd_01kdyak3m5w0a7f4e9c2dq'
  remote<DryRun>(command, example, async ({ client, show }, { dryRun }, id = '', delivery = '') => {
    const path = apiPath('webhooks', id, 'deliveries', delivery, 'replay')
    const { body } = await client.change<DeliveryAnswer>('POST', path, { dryRun })
    const { seq, type } = body.event
    show(body, `Event ${String(seq)} (${type}) ${dryRun === true ? 'would be' : 'is'} sent again.`)
  })
}

/** `promotion.requested of shop in production`. */
function whatText({ types, app, environment }: Pick<WebhookAnswer, 'types' | 'app' | 'environment'>): string {
  const of = app === null ? '' : ` of ${app}`
  const where = environment === null ? '' : ` in ${environment}`
  return `${types?.join(' ') ?? 'all but administration'}${of}${where}`
}
