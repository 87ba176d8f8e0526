import { z } from 'zod'
import { ROLES } from '../../access/rights.ts'
import { PROMOTION_MOVES } from '../../environments/promotion.ts'
import type { PromotionState } from '../../environments/promotion.ts'
import { approvalSchema, endSchema, promotionSchema } from '../promotion-routes.ts'
import { dryRunOf, json, orDryRun, plus } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import * as values from './values.ts'
import { rule } from './verdict.ts'

const STATES = [
  '`requested`, `publishing`: under way, and taken up again after a crash',
  '`checking`: waits for checks',
  '`awaiting_approval`: waits for people',
  '`scheduled`: waits for its time',
  '`released`: done',
  '`refused`: a rule or a person said no',
  '`cancelled`: somebody took it back',
  '`superseded`: another one took its place',
  '`failed`: the hub could not publish it; ask again',
].join('; ')

export const promotion = z
  .strictObject({
    id: values.named('Its id.', 'pro_01m83m3xnfxbbczdmzr8b0'),
    app: values.appName,
    build: values.buildNumber,
    environment: values.environmentName,
    state: z.enum(Object.keys(PROMOTION_MOVES) as [PromotionState, ...PromotionState[]]).describe(STATES),
    liftWithdrawal: z.boolean().describe('It publishes again what was withdrawn from there.'),
    requestedBy: values.who.describe('Who asked for it; `policy` for what an upload published by itself.'),
    requestedAt: values.time,
    finishedAt: values.time.nullable(),
    releaseId: z.string().nullable(),
    revision: z.int().nullable(),
    detail: z.string().nullable().describe('Why it ended, or what it waits for.'),
    policyVersion: z.int().nullable().describe('The version of the policy that judged it last.'),
    overrideReason: z.string().nullable().describe('Why somebody skipped the waiting; null: nobody did.'),
    overrideBy: z.string().nullable(),
    supersededBy: z.string().nullable().describe('The promotion that took its place.'),
    set: z
      .array(z.strictObject({ id: z.string(), app: values.appName, build: values.buildNumber }))
      .nullable()
      .describe('The promotions that go together with it, itself among them; null: it goes alone.'),
  })
  .meta({ id: 'Promotion' })
export type Promotion = Answering<typeof promotion>

const approval = z
  .strictObject({
    by: values.who,
    role: z.enum(ROLES),
    policyVersion: z.int().describe('It counts under this version of the policy and no other.'),
    comment: z.string().nullable(),
    at: values.time,
  })
  .meta({ id: 'Approval' })
export type Approval = Answering<typeof approval>

const rules = z.array(rule).nullable().describe('The verdict that it waits for; null: it does not wait.')

const DECIDED = { approvals: z.array(approval).describe('Oldest first.'), rules }

const ASKED = { published: values.published, rules }
const asked = plus(promotion, ASKED)

/** The promotions of a set have no ids before there are any. */
const DRY_SET = {
  set: z.array(z.strictObject({ id: z.null(), app: values.appName, build: values.buildNumber })).nullable(),
}

const REASON = { reason: 'orders are charged twice' }

export const promotions: Noun = {
  name: 'Promotions',
  description: 'Each request to publish a build in an environment, by a person or by a policy.',
  operations: {
    'promotions.create': {
      call: 'POST /promotions',
      summary: 'Ask for a build, or builds of several apps together, to be published in an environment',
      description:
        'It is published at once where every rule is met. Where what is unmet may still come (checks, approvals, time) it waits and goes on by itself; where it may not, it is refused. Asked again while it waits, it is the same promotion.',
      who: 'promotes',
      body: { schema: promotionSchema, example: { app: 'shop', build: 45, environment: 'production' } },
      change: true,
      answers: {
        201: json('It is published.', asked, { Location: z.string() }),
        202: json('It waits for what `rules` say.', asked, { Location: z.string() }),
        200: json(
          'It stands there already, by this earlier promotion; or it was a dry run, whose `id` is null.',
          z.union([asked, dryRunOf(promotion, { ...ASKED, ...DRY_SET })]),
        ),
      },
      refusals: [
        'build.unknown',
        'environment.unknown',
        'promotion.not_eligible',
        'promotion.override_forbidden',
      ],
    },
    'promotions.list': {
      call: 'GET /promotions',
      summary: 'List promotions',
      description: 'Of the apps that the asker sees, where they see them; newest first.',
      who: 'any token',
      query: {
        app: z.string().optional(),
        environment: z.string().optional(),
        state: z.enum(['open', 'ended', 'all']).optional().describe('`all` unless it is said.'),
      },
      page: { of: promotion },
    },
    'promotions.get': {
      call: 'GET /promotions/{promotion}',
      summary: 'Get a promotion',
      description: 'With its approvals and, while it is open, the verdict.',
      who: 'sees',
      answers: { 200: json('The promotion.', plus(promotion, DECIDED)) },
      refusals: ['promotion.unknown'],
    },
    'promotions.approve': {
      call: 'POST /promotions/{promotion}/approve',
      summary: 'Approve a promotion',
      description:
        'Nobody approves what they asked for. An approval counts under the policy that holds when it is given. Once more is the same approval.',
      who: 'approves',
      body: { schema: approvalSchema, example: { comment: 'looked at it' }, optional: true },
      change: true,
      answers: {
        200: json(
          'The promotion, which this may have released.',
          orDryRun(promotion, { ...DECIDED, approval }),
        ),
      },
      refusals: [
        'promotion.unknown',
        'promotion.ended',
        'promotion.own_request',
        'promotion.approval_forbidden',
      ],
    },
    'promotions.reject': {
      call: 'POST /promotions/{promotion}/reject',
      summary: 'Reject a promotion',
      who: 'approves',
      body: { schema: endSchema, example: REASON },
      change: true,
      answers: { 200: json('The promotion, refused.', orDryRun(promotion, DECIDED)) },
      refusals: ['promotion.unknown', 'promotion.ended'],
    },
    'promotions.cancel': {
      call: 'POST /promotions/{promotion}/cancel',
      summary: 'Cancel a promotion',
      who: 'promotes',
      body: { schema: endSchema, example: REASON },
      change: true,
      answers: { 200: json('The promotion, cancelled.', orDryRun(promotion, DECIDED)) },
      refusals: ['promotion.unknown', 'promotion.ended'],
    },
  },
}
