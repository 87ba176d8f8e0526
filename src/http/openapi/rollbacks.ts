import { z } from 'zod'
import { environmentRollbackSchema, resultSchema, rollbackSchema } from '../rollback-routes.ts'
import { hold } from './holds.ts'
import { dryRunMark, dryRunOf, json, orDryRun, plus } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import * as values from './values.ts'

const state = z.enum(['requested', 'done', 'failed', 'cancelled'])

export const rollback = z
  .strictObject({
    id: values.named('Its id.', 'rbk_01m83m0379dty7wehpe6zh'),
    node: values.nodeName,
    app: values.appName,
    state,
    requestedBy: values.who,
    requestedAt: values.time,
    finishedAt: values.time.nullable(),
    detail: z.string().nullable(),
    environmentRollback: z
      .string()
      .nullable()
      .describe('The rollback of a whole environment that it is part of.'),
    restorePoint: z.string(),
    withDump: z.boolean(),
    force: z.boolean(),
  })
  .meta({ id: 'Rollback' })
export type Rollback = Answering<typeof rollback>

const outlook = {
  from: values.cpv.nullable().describe('What the node reported last.'),
  takenAt: values.nodeTime.nullable(),
  dumps: z.array(z.string()),
  schemaRefusal: z
    .string()
    .nullable()
    .describe('Why the database would not fit; null: nothing speaks against it.'),
}

const PREVIEW = { preview: z.strictObject({ ...outlook, to: values.cpv, takenAt: values.nodeTime }) }
const PUBLISHED = { published: values.published }

export const environmentRollback = z
  .strictObject({
    id: values.named('Its id.', 'rbe_01m83m0379dty7wehpe6zh'),
    environment: values.environmentName,
    app: values.appName,
    build: values.buildNumber.describe('The build to go back to.'),
    reason: z.string(),
    withDump: z.boolean(),
    force: z.boolean(),
    requestedBy: values.who,
    requestedAt: values.time,
    nodes: z.array(
      z.strictObject({
        ...outlook,
        node: values.nodeName,
        state: z
          .enum([...state.options, 'goes_back', 'no_point', 'is_there', 'is_older', 'not_installed'])
          .describe('How far its own rollback is; or why it has none.'),
        rollback: z.string().nullable(),
        finishedAt: values.time.nullable(),
        detail: z.string().nullable(),
        restorePoint: z.string().nullable(),
      }),
    ),
    holds: z.array(hold),
  })
  .meta({ id: 'EnvironmentRollback' })
export type EnvironmentRollbackAnswer = Answering<typeof environmentRollback>

const FILTER = { state: state.optional() }

export const rollbacks: Noun = {
  name: 'Rollbacks',
  description: 'Going back to a restore point: asked for here, taken by the node at its next contact.',
  operations: {
    'rollbacks.create': {
      call: 'POST /rollbacks',
      summary: 'Ask a node, or all nodes of an environment, to go back',
      description:
        'With `node`, that node goes back to a restore point. With `environment` in its place, every node there goes back to its newest point of `build`, and what is released above it is held with a mask, all in one. A node that cannot go back refuses all.',
      who: 'administers',
      body: {
        schema: z.union([rollbackSchema, environmentRollbackSchema]),
        example: { node: 'web1', app: 'shop', force: true },
      },
      change: true,
      answers: {
        201: json(
          'It is asked for.',
          z.union([plus(rollback, PREVIEW), plus(environmentRollback, PUBLISHED)]),
          { Location: z.string() },
        ),
        200: json(
          'Of a dry run.',
          z.union([
            plus(rollback, { ...PREVIEW, dryRun: dryRunMark }),
            dryRunOf(environmentRollback, PUBLISHED),
          ]),
        ),
      },
      refusals: [
        'rollback.impossible',
        'rollback.open',
        'restore_point.unknown',
        'node.unknown',
        'node.left',
        'environment.unknown',
        'build.unknown',
      ],
    },
    'rollbacks.list': {
      call: 'GET /rollbacks',
      summary: 'List rollbacks of nodes',
      description: 'Newest first.',
      who: 'administers',
      query: { ...FILTER, node: z.string().optional() },
      page: { of: rollback },
    },
    'rollbacks.get': {
      call: 'GET /rollbacks/{rollback}',
      summary: 'Get a rollback of a node or of an environment',
      who: 'administers',
      answers: { 200: json('How far it is.', z.union([rollback, environmentRollback])) },
      refusals: ['rollback.unknown'],
    },
    'rollbacks.cancel': {
      call: 'DELETE /rollbacks/{rollback}',
      summary: 'Take back a rollback that has not ended',
      who: 'administers',
      change: true,
      answers: { 200: json('The rollback, cancelled.', orDryRun(rollback)) },
      refusals: ['rollback.unknown', 'rollback.ended'],
    },
    'rollbacks.listOfNode': {
      call: 'GET /nodes/{node}/rollbacks',
      summary: 'List what is asked of a node',
      who: 'is the node',
      query: FILTER,
      page: { of: rollback },
    },
    'rollbacks.end': {
      call: 'POST /nodes/{node}/rollbacks/{rollback}/result',
      summary: 'Tell how a rollback ended',
      who: 'is the node',
      body: { schema: resultSchema, example: { status: 0 } },
      change: { dryRun: false },
      answers: { 200: json('The rollback.', rollback) },
      refusals: ['rollback.unknown', 'rollback.ended'],
    },
  },
}
