/** Refusals in the document: problem+json (RFC 9457), by status, with the codes that an operation may give. */
import { z } from 'zod'
import { ERRORS } from '../../errors.ts'
import type { Operation } from './operation.ts'
import { rule } from './verdict.ts'

type Code = keyof typeof ERRORS

/** What an archive may be refused for entry by entry, be it a tarball or the image of a package. */
export const OF_ENTRIES = [
  'archive.unsafe_path',
  'archive.unsafe_name',
  'archive.unsafe_link',
  'archive.unsafe_type',
  'archive.unsafe_mode',
  'archive.duplicate_entry',
  'archive.too_many_entries',
  'archive.too_large_unpacked',
  'archive.ratio_too_high',
] as const

export const problem = z
  .looseObject({
    type: z.string().meta({ examples: ['about:blank'] }),
    status: z.int(),
    code: z.string().describe('Stable: go by it, not by the text.'),
    title: z.string(),
    detail: z.string().describe('What was refused, and what to do.'),
    requestId: z.string().describe('The hub’s log has it too.'),
    issues: z
      .array(z.strictObject({ path: z.string(), message: z.string() }))
      .optional()
      .describe('Every fault of a body, with `request.invalid` and `recipe.invalid`.'),
    rules: z.array(rule).optional().describe('The verdict, with `promotion.not_eligible`.'),
    reasons: z.array(z.string()).optional().describe('All that speaks against it, with `policy.unmeetable`.'),
    limitBytes: z.int().optional().describe('How much would do, where something was too large.'),
    offset: z.int().optional().describe('Where the upload stands, with `upload.*`.'),
  })
  .meta({ id: 'Problem', description: 'Why a request was refused (RFC 9457). Some codes add fields.' })

/** The codes that an operation may refuse with: those of its kind and its own. */
export function codesOf({ who, body, change, refusals = [] }: Operation): readonly Code[] {
  const isOpen = who === 'anyone'
  const isJson = body !== undefined && 'schema' in body
  return [
    ...ifSo('request.invalid'),
    ...(isOpen ? ifSo('auth.invalid') : ifSo('auth.required', 'auth.invalid', 'auth.forbidden')),
    ...(change !== undefined && takesKey({ change }) ? ifSo('request.idempotency_mismatch') : []),
    ...(isJson ? ifSo('request.too_large') : []),
    // Of a session: a change comes from a page of the hub.
    ...(change === undefined ? [] : ifSo('auth.csrf', 'storage.full')),
    ...refusals,
  ].filter((code, index, all) => all.indexOf(code) === index)
}

export function takesKey({ change }: Pick<Operation, 'change'>): boolean {
  return change !== undefined && (change === true || change.key !== false)
}

const ifSo = (...codes: Code[]): readonly Code[] => codes

/** The responses of an operation's refusals, by status, each naming its codes. */
export function refusalsOf(operation: Operation) {
  const codes = codesOf(operation)
  const statuses = [...new Set(codes.map((code) => ERRORS[code].status))].sort((a, b) => a - b)
  return Object.fromEntries(
    statuses.map((status) => [
      String(status),
      responseOf(codes.filter((code) => ERRORS[code].status === status)),
    ]),
  )
}

/** The refusals that nearly every operation has stand in the document once. */
const SHARED = {
  BadRequest: refusal(['request.invalid'], 'BadRequest'),
  Unauthorized: refusal(['auth.required', 'auth.invalid'], 'Unauthorized'),
  Forbidden: refusal(['auth.forbidden'], 'Forbidden'),
  ForbiddenChange: refusal(['auth.forbidden', 'auth.csrf'], 'ForbiddenChange'),
  IdempotencyMismatch: refusal(['request.idempotency_mismatch'], 'IdempotencyMismatch'),
  TooLarge: refusal(['request.too_large'], 'TooLarge'),
  Full: refusal(['storage.full'], 'Full'),
}

function responseOf(codes: readonly Code[]) {
  const described = refusal(codes)
  return Object.values(SHARED).find(({ description }) => description === described.description) ?? described
}

function refusal(codes: readonly Code[], id?: string) {
  const narrowed = { type: 'object' as const, properties: { code: { enum: [...codes] } }, required: ['code'] }
  return {
    ...(id !== undefined && { id }),
    description: codes.map((code) => `- \`${code}\`: ${ERRORS[code].title}`).join('\n'),
    content: {
      'application/problem+json': { schema: { allOf: [{ $ref: '#/components/schemas/Problem' }, narrowed] } },
    },
  }
}
