import { z } from 'zod'
import { WEBHOOK_FORMATS } from '../../events/webhook-body.ts'
import { webhookChangeSchema, webhookSchema } from '../webhook-routes.ts'
import { changeType } from './audit.ts'
import { dryRunOf, json, orDryRun, plus } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import * as values from './values.ts'

export const webhook = z
  .strictObject({
    id: values.named('Its id.', 'whk_01kdyak348ds83dqjsap7r'),
    url: z.string(),
    format: z.enum(WEBHOOK_FORMATS),
    app: values.appName.nullable(),
    environment: values.environmentName.nullable(),
    createdBy: values.who,
    createdAt: values.time,
    types: z.array(changeType).nullable().describe('null: all but those of administration.'),
    enabled: z.boolean(),
  })
  .meta({ id: 'Webhook' })
export type Webhook = Answering<typeof webhook>

export const delivery = z
  .strictObject({
    id: values.named('Its id, the same in all attempts.', 'whd_01kdyak3m5w0a7f4e9c2dq'),
    webhook: z.string(),
    state: z.enum(['waiting', 'delivered', 'dead']).describe('`dead`: given up; it may be replayed.'),
    attempts: z.int().min(0),
    createdAt: values.time,
    nextAt: values.time.nullable(),
    lastAt: values.time.nullable(),
    lastStatus: z.int().nullable().describe('HTTP’s or SMTP’s; null: nothing was answered.'),
    lastError: z.string().nullable(),
    event: z.strictObject({ seq: z.int(), type: changeType }),
  })
  .meta({ id: 'Delivery' })
export type Delivery = Answering<typeof delivery>

const UNKNOWN = ['webhook.unknown'] as const

export const webhooks: Noun = {
  name: 'Webhooks',
  description: 'Where the hub sends its events to, signed, at least once.',
  operations: {
    'webhooks.create': {
      call: 'POST /webhooks',
      summary: 'Make a webhook',
      description: 'It is sent what happens from now on.',
      who: 'administers',
      body: {
        schema: webhookSchema,
        example: { url: 'https://ci.acme.example/hooks/hub', types: ['promotion.requested'] },
      },
      change: true,
      answers: {
        201: json(
          'The webhook.',
          plus(webhook, {
            secret: z
              .string()
              .nullable()
              .describe('What deliveries are signed with; shown this once. null for e-mail.'),
          }),
          { Location: z.string() },
        ),
        200: json('Of a dry run.', dryRunOf(webhook)),
      },
      refusals: ['webhook.forbidden_address', 'webhook.no_mail', 'environment.unknown', 'app.invalid_name'],
    },
    'webhooks.list': {
      call: 'GET /webhooks',
      summary: 'List webhooks',
      who: 'administers',
      page: { of: webhook },
    },
    'webhooks.get': {
      call: 'GET /webhooks/{webhook}',
      summary: 'Get a webhook',
      who: 'administers',
      answers: { 200: json('The webhook.', webhook) },
      refusals: UNKNOWN,
    },
    'webhooks.change': {
      call: 'PATCH /webhooks/{webhook}',
      summary: 'Change, enable or disable a webhook',
      description:
        'Changes what the body names. What happens while it is disabled is not sent later; where it leads never changes.',
      who: 'administers',
      body: { schema: webhookChangeSchema, example: { enabled: false } },
      change: true,
      answers: { 200: json('The webhook as it is now.', orDryRun(webhook)) },
      refusals: [...UNKNOWN, 'environment.unknown', 'app.invalid_name'],
    },
    'webhooks.remove': {
      call: 'DELETE /webhooks/{webhook}',
      summary: 'Remove a webhook with its deliveries',
      who: 'administers',
      change: true,
      answers: { 200: json('What was removed.', orDryRun(webhook)) },
      refusals: UNKNOWN,
    },
    'deliveries.list': {
      call: 'GET /webhooks/{webhook}/deliveries',
      summary: 'List the deliveries of a webhook',
      description: 'Newest first; kept for 30 days after they ended.',
      who: 'administers',
      query: { state: z.enum(['waiting', 'delivered', 'dead']).optional() },
      page: { of: delivery },
      refusals: UNKNOWN,
    },
    'deliveries.replay': {
      call: 'POST /webhooks/{webhook}/deliveries/{delivery}/replay',
      summary: 'Deliver it again, now',
      description: 'Whatever became of it, with all attempts ahead.',
      who: 'administers',
      change: true,
      answers: { 200: json('The delivery.', orDryRun(delivery)) },
      refusals: [...UNKNOWN, 'webhook.unknown_delivery'],
    },
  },
}
