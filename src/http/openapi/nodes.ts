import { z } from 'zod'
import { reportSchema } from '../../nodes/report.ts'
import { enrolmentSchema } from '../node-routes.ts'
import { dryRunMark, json, orDryRun, plus } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import * as values from './values.ts'

export const node = z
  .strictObject({
    id: values.nodeName,
    name: values.nodeName,
    environment: values.environmentName,
    state: z.enum(['enrolled', 'left']),
    machineId: z.string().nullable(),
    enrolledBy: values.who,
    enrolledAt: values.time,
    leftAt: values.time.nullable(),
    reportedAt: values.time.nullable().describe('By the hub’s clock; null before the first report.'),
    syncedCommit: values.oid
      .nullable()
      .describe('The commit of the overlay that it synced last, as it says.'),
  })
  .meta({ id: 'Node' })
export type Node = Answering<typeof node>

const packageStatus = z
  .strictObject({
    app: values.appName.nullable().describe('null: a package that is kept by hand.'),
    reported: z.strictObject({
      cpv: values.cpv,
      build: values.buildNumber.nullable(),
      repository: z.string(),
      binpkgBuildId: z.int().nullable(),
      restorePoint: z.string().nullable(),
      since: values.time,
    }),
    wanted: z
      .strictObject({ cpv: values.cpv, build: values.buildNumber })
      .nullable()
      .describe(
        'The newest release of the app there that is neither withdrawn nor masked; null: there is none.',
      ),
    drifted: z.boolean(),
    reasons: z.array(
      z.strictObject({
        code: z.enum(['behind', 'ahead', 'withdrawn', 'held', 'not_released', 'other_repository']),
        detail: z.string(),
      }),
    ),
    changedFiles: z
      .strictObject({
        count: z.int(),
        names: z.array(z.string()).describe('The first 20.'),
        restorePoint: z.string(),
        at: values.nodeTime,
      })
      .nullable()
      .describe(
        'Files that are not as they were installed, as the newest restore point found them; null: none tells.',
      ),
  })
  .meta({ id: 'PackageStatus' })

export const nodeStatus = plus(node, {
  notSeenSince: values.time
    .nullable()
    .describe('When it was heard of last, if that is long ago; null while it reports.'),
  drifted: z.boolean().describe('Whether any package is not what is wanted.'),
  packages: z.array(packageStatus),
}).meta({ id: 'NodeStatus' })
export type NodeStatusAnswer = Answering<typeof nodeStatus>

const { at: _at, ...reported } = reportSchema.pick({
  at: true,
  portage: true,
  hubNode: true,
  sync: true,
  configPending: true,
  disk: true,
  rehearsed: true,
}).shape

const whole = plus(nodeStatus, {
  neverRehearsed: z
    .array(z.string())
    .describe('Complete restore points with a dump that was never tried out; at most 100.'),
  report: z
    .strictObject({ at: values.nodeTime, ...reported })
    .nullable()
    .describe('Its newest; null: none came yet.'),
})
export type WholeNode = Answering<typeof whole>

const REPORT = {
  at: '2026-11-23T07:16:00Z',
  portage: '3.0.82',
  hubNode: '0.1.0',
  sync: { at: null, revision: null, commit: null },
  packages: [],
}

export const nodes: Noun = {
  name: 'Nodes',
  description:
    'The machines that install from the hub: enrolment, what they run, and where that is not what is wanted.',
  operations: {
    'nodes.enrol': {
      call: 'POST /nodes',
      summary: 'Make a machine a node',
      description:
        'An enrol token is used up by it. If the answer is lost, the same request with the same token and `retrySecret` gets another token for the node.',
      who: 'enrols',
      body: { schema: enrolmentSchema, example: { name: 'web2', environment: 'staging' } },
      change: true,
      answers: {
        201: json(
          'The node, and its token, shown this once.',
          z.strictObject({
            node,
            token: z.string().nullable().describe('null: an Idempotency-Key was repeated.'),
          }),
          { Location: z.string() },
        ),
        200: json('Of a dry run.', z.strictObject({ node, dryRun: dryRunMark })),
      },
      refusals: ['node.exists', 'node.invalid_name', 'environment.unknown'],
    },
    'nodes.list': {
      call: 'GET /nodes',
      summary: 'List nodes',
      description: 'By name, each with its status.',
      who: 'lists nodes',
      query: {
        environment: z.string().optional(),
        state: z.enum(['enrolled', 'left']).optional(),
        q: z.string().optional().describe('Part of the name.'),
        drifted: z.enum(['true', 'false']).optional().describe('Those that drifted, or those that did not.'),
      },
      page: { of: nodeStatus },
      refusals: ['environment.unknown'],
    },
    'nodes.get': {
      call: 'GET /nodes/{node}',
      summary: 'Get a node',
      who: 'sees nodes',
      answers: { 200: json('The node.', whole) },
      refusals: ['node.unknown'],
    },
    'nodes.leave': {
      call: 'DELETE /nodes/{node}',
      summary: 'Take a node out',
      description: 'Ends its token at once; its records stay. Again, it changes nothing.',
      who: 'is the node',
      change: true,
      answers: { 200: json('The node.', orDryRun(node)) },
      refusals: ['node.unknown'],
    },
    'nodes.report': {
      call: 'POST /nodes/{node}/report',
      summary: 'Report what a node runs',
      description: 'Takes the place of the report before. Keys that the hub does not know are passed over.',
      who: 'is the node',
      body: { schema: reportSchema, example: REPORT },
      change: true,
      answers: { 200: json('It is taken.', orDryRun(z.strictObject({ accepted: z.literal(true) }))) },
      refusals: ['node.unknown', 'node.left', 'node.cloned'],
    },
  },
}
