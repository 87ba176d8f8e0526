/** The fields of an upload without a file: its bytes came before (`/uploads`), so a form, JSON or a query text will do. */
import express from 'express'
import type { Request, RequestHandler, Response } from 'express'
import { HubError } from '../errors.ts'

/** A recipe or an ebuild, however it is escaped, and the fields. */
const MOST_BYTES = 2 ** 20

const TYPES: Readonly<Record<string, RequestHandler>> = {
  'application/json': express.json({ limit: MOST_BYTES }),
  'application/x-www-form-urlencoded': express.urlencoded({ limit: MOST_BYTES, extended: false }),
}

/**
 * Reads the fields of a body that is JSON or urlencoded into `request.body`, as texts. False when it is neither.
 * @throws {HubError} `request.invalid`, `request.too_large`.
 */
export async function readPlainFields(request: Request, response: Response): Promise<boolean> {
  const parse = TYPES[request.is(Object.keys(TYPES)) || 'other']
  if (!parse) return false
  await new Promise<void>((resolve, reject) => {
    void parse(request, response, (error?: unknown) => {
      if (error === undefined) resolve()
      else reject(error instanceof Error ? error : new Error('the body cannot be read'))
    })
  })
  const body = request.body as unknown
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new HubError('request.invalid', 'the body must be an object of fields')
  request.body = Object.fromEntries(Object.entries(body).flatMap(([name, value]) => asText(name, value)))
  return true
}

/** As a form would have it: numbers and truth values in their own words, nothing for null. */
function asText(name: string, value: unknown): [string, unknown][] {
  if (value === null) return []
  if (typeof value === 'number' || typeof value === 'boolean') return [[name, String(value)]]
  return [[name, value]]
}

/**
 * Takes the field `upload` out of the fields: the id of a finished upload, or its address as its sender knows it. Null
 * when there is none.
 * @throws {HubError} `request.invalid`.
 */
export function takeUploadField(request: Request): string | null {
  const { upload = '', ...fields } = (request.body ?? {}) as Record<string, unknown>
  if (upload === '') return null
  request.body = fields
  const id = typeof upload === 'string' ? /^(?:[^\s]*\/)?([a-z0-9_]{1,64})$/.exec(upload.trim())?.[1] : null
  if (id) return id
  throw new HubError('request.invalid', 'upload is the id of an upload, as POST /api/v1/uploads answered it')
}
