/**
 * The OpenAPI document of the API (https://spec.openapis.org/oas/v3.1.1.html), made of the schemas that check requests and
 * of those that answers are written by.
 */
import { z } from 'zod'
import { createDocument } from 'zod-openapi'
import type { ZodOpenApiOperationObject, ZodOpenApiResponseObject } from 'zod-openapi'
import { HUB_VERSION } from '../../version.ts'
import { NOUNS } from './nouns.ts'
import type { Answer, Body, Operation } from './operation.ts'
import { CURSOR, DRY_RUN, IDEMPOTENCY_KEY, LIMIT, limitOf, PATH_PARAMETERS } from './parameters.ts'
import { problem, refusalsOf, takesKey } from './problem.ts'
import { WHO } from './who.ts'
import type { Callers } from './who.ts'

export function describeApi() {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {}
  for (const { name, operations } of NOUNS)
    for (const [id, operation] of Object.entries(operations)) {
      const [method = '', path = ''] = operation.call.split(' ')
      paths[path] = { ...paths[path], [method.toLowerCase()]: operationObject(name, id, operation) }
    }
  return createDocument(
    {
      openapi: '3.1.1',
      info: {
        title: 'Portage Hub',
        version: HUB_VERSION,
        summary: 'Builds, environments, promotions and nodes of a hub.',
        description: INTRODUCTION,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/api/v1' }],
      tags: NOUNS.map(({ name, description }) => ({ name, description })),
      security: [{ bearer: [] }, { basic: [] }, { session: [] }],
      paths,
      components: {
        schemas: { Problem: problem },
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'A token: `Authorization: Bearer phub_…`.' },
          basic: {
            type: 'http',
            scheme: 'basic',
            description: 'A token as the password, with any user name: as git, wget and Portage send it.',
          },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: '__Host-portage-hub',
            description:
              'Of a person who has signed in with a browser; without TLS it is `portage-hub`. Changes carry `X-CSRF-Token`.',
          },
        },
      },
    },
    { override: plain },
  )
}

const INTRODUCTION = `Everything that programs ask of a hub.

Unknown keys that are sent are refused; unknown keys may appear in answers of later versions: pass over them. Times are
UTC (RFC 3339), sizes are bytes, digests are lower-case hex. Every answer has \`X-Request-Id\`, which the hub's log has too.

Lists are paged: \`{"items": […], "nextCursor": …}\`, and while there is more, \`Link: <…>; rel="next"\`. Every change takes
\`?dryRun=true\`. Refusals are \`application/problem+json\` with a stable \`code\`.`

function operationObject(tag: string, id: string, operation: Operation): ZodOpenApiOperationObject {
  const { summary, description, who, body } = operation
  const { roles, bounds, says }: Callers = WHO[who]
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: [...(description === undefined ? [] : [description]), `**Who:** ${says}`].join('\n\n'),
    'x-roles': roles,
    ...(bounds && { 'x-bounds': bounds }),
    ...(who === 'anyone' && { security: [] }),
    ...(who === 'is signed in' && { security: [{ session: [] }] }),
    requestParams: parametersOf(operation),
    ...(body && { requestBody: requestBody(body) }),
    responses: { ...answersOf(operation), ...refusalsOf(operation), 500: FAULT },
  }
}

const FAULT = {
  id: 'Fault',
  description: '- `fault`: The hub failed; its log has the request id',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
}

function parametersOf({ call, query, headers, page, change }: Operation) {
  const names = Array.from(call.matchAll(/\{(\w+)\}/g), ([, name = '']) => name)
  const path = Object.fromEntries(names.map((name) => [name, pathParameter(name)]))
  const takesDryRun = change !== undefined && (change === true || change.dryRun !== false)
  return {
    path: z.object(path),
    query: z.object({
      ...query,
      ...(page && { limit: page.limit ? limitOf(...page.limit) : LIMIT, cursor: CURSOR }),
      ...(takesDryRun && { dryRun: DRY_RUN }),
    }),
    header: z.object({
      ...headers,
      ...(takesKey({ ...(change && { change }) }) && { 'Idempotency-Key': IDEMPOTENCY_KEY }),
    }),
  }
}

function pathParameter(name: string): z.ZodType {
  const parameter = PATH_PARAMETERS[name]
  if (parameter) return parameter
  throw new Error(`nobody says what {${name}} is: see parameters.ts`)
}

function requestBody(body: Body) {
  const content =
    'schema' in body ? { 'application/json': { schema: body.schema, example: body.example } } : body.content
  return { required: body.optional !== true, content }
}

function answersOf({ page, answers = {} }: Operation): Record<string, ZodOpenApiResponseObject> {
  const all: Readonly<Record<string, Answer>> = { ...(page && { 200: pageAnswer(page.of) }), ...answers }
  return Object.fromEntries(Object.entries(all).map(([status, answer]) => [status, responseObject(answer)]))
}

function pageAnswer(of: z.ZodType): Answer {
  return {
    description: 'A page.',
    schema: z.strictObject({
      items: z.array(of),
      nextCursor: z
        .string()
        .nullable()
        .describe('What `cursor` is of the next page; null: this is the last.'),
    }),
    headers: { Link: z.string().optional().describe('The address of the next page: `<…>; rel="next"`.') },
  }
}

function responseObject({ description, schema, type, headers }: Answer): ZodOpenApiResponseObject {
  return {
    description,
    ...(headers && { headers: z.object(headers) }),
    ...(schema && { content: { 'application/json': { schema } } }),
    ...(type !== undefined && { content: { [type]: { schema: bytesOf(type) } } }),
  }
}

function bytesOf(type: string) {
  return type.startsWith('text/') || type.endsWith('+xml')
    ? { type: 'string' as const }
    : { type: 'string' as const, format: 'binary' }
}

interface Rendering {
  readonly jsonSchema: { additionalProperties?: unknown; minimum?: number; maximum?: number }
  readonly io: 'input' | 'output'
}

/**
 * The hub's own answers are checked to the key; whoever reads them must take keys of later versions. That a number is one
 * that JavaScript can count by tells nobody anything.
 */
function plain({ jsonSchema, io }: Rendering): void {
  if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
}
