/** An operation of the API as its description says it; `document.ts` makes the OpenAPI document of all of them. */
import { z } from 'zod'
import type { ERRORS } from '../../errors.ts'
import type { Who } from './who.ts'

export interface Operation {
  /** Method and path below `/api/v1`, its parameters as in OpenAPI: `GET /apps/{app}`. */
  readonly call: `${'GET' | 'HEAD' | 'OPTIONS' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'} /${string}`
  /** What it does, as an order: `Hold an app or a build`. */
  readonly summary: string
  /** What the summary leaves open, for people; Markdown. */
  readonly description?: string
  readonly who: Who
  /** Beside `limit` and `cursor` of a page and `dryRun` of a change. */
  readonly query?: Readonly<Record<string, z.ZodType>>
  readonly headers?: Readonly<Record<string, z.ZodType>>
  readonly body?: Body
  /** By status, those that are no refusals. Of a page none is needed. */
  readonly answers?: Readonly<Partial<Record<200 | 201 | 202 | 204 | 206 | 304, Answer>>>
  /** It answers pages of this; `limit` is how many ordinarily and at most, if not 50 and 500. */
  readonly page?: { readonly of: z.ZodType; readonly limit?: readonly [number, number] }
  /** It changes something: `dryRun` and `Idempotency-Key` are taken, unless it says which of them not. */
  readonly change?: true | { readonly dryRun?: false; readonly key?: false }
  /** Codes of its own, beside those that any operation of its kind may refuse with. */
  readonly refusals?: readonly (keyof typeof ERRORS)[]
}

/** JSON with an example that a dry run takes; or bodies by media type. */
export type Body =
  | { readonly schema: z.ZodType; readonly example: unknown; readonly optional?: true }
  | {
      readonly content: Readonly<Record<string, { schema: z.ZodType; example?: unknown }>>
      readonly optional?: true
    }

export interface Answer {
  readonly description: string
  /** Of JSON; absent where the body is bytes or nothing. */
  readonly schema?: z.ZodType
  /** Media type of a body that is no JSON. */
  readonly type?: string
  readonly headers?: Readonly<Record<string, z.ZodType>>
}

export interface Noun {
  /** As its tag: `Holds`. */
  readonly name: string
  readonly description: string
  /** By operationId, `<noun>.<verb>`. */
  readonly operations: Readonly<Record<string, Operation>>
}

/** The type of what answers by a schema: nobody changes it on its way. */
export type Answering<T extends z.ZodType> = DeepReadonly<z.infer<T>>

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T

/** An answer of JSON. */
export function json(description: string, schema: z.ZodType, headers?: Answer['headers']): Answer {
  return { description, schema, ...(headers && { headers }) }
}

/** An answer of bytes or text. */
export function content(description: string, type: string, headers?: Answer['headers']): Answer {
  return { description, type, ...(headers && { headers }) }
}

/** An answer with more: in the document it is named, and what is added stands beside it. */
export function plus<T extends z.ZodType, S extends z.ZodRawShape>(schema: T, more: S) {
  return schema.and(z.strictObject(more))
}

/** What a change answers and its dry run answers too, with `dryRun`; and more, if there is. */
export function orDryRun(schema: z.ZodType, more?: z.ZodRawShape) {
  return plus(schema, { ...more, dryRun: dryRunMark.optional() })
}

/** What the dry run of a change answers where the change makes something: there is no id yet. */
export function dryRunOf(schema: z.ZodObject, more?: z.ZodRawShape) {
  return schema.extend({ id: z.null(), ...more, dryRun: dryRunMark })
}

export const dryRunMark = z.literal(true).describe('Nothing was kept: this is what it would do.')
