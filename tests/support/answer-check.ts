/**
 * Every answer of the API that a test gets is compared with the document of the API: its status, its JSON to the last key,
 * and the code of a refusal. So the document cannot say what is not so.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { z } from 'zod'
import { NOUNS } from '../../src/http/openapi/nouns.ts'
import type { Operation } from '../../src/http/openapi/operation.ts'
import { codesOf, problem } from '../../src/http/openapi/problem.ts'

interface Described {
  readonly id: string
  readonly method: string
  readonly pattern: RegExp
  readonly operation: Operation
}

/** Where two fit, the one with fewer parameters is meant. */
const DESCRIBED: readonly Described[] = NOUNS.flatMap(({ operations }) => Object.entries(operations))
  .map(([id, operation]) => {
    const [method = '', path = ''] = operation.call.split(' ')
    const pattern = path.replace(/\{(?:path|name)\}/g, '.+').replace(/\{\w+\}/g, '[^/]+')
    return {
      id,
      method,
      pattern: new RegExp(`^/api/v1${pattern.replaceAll('.atom', '\\.atom')}/?$`),
      operation,
    }
  })
  .sort((a, b) => a.operation.call.split('{').length - b.operation.call.split('{').length)

/** Compares whatever `server` answers; gives what was not as described, and it is empty where all was. */
export function checkAnswers(server: Server): readonly string[] {
  const faults: string[] = []
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const { url = '' } = request
    if (!url.startsWith('/api/v1/')) return
    const body = bodyOf(response)
    response.once('finish', () => {
      // A client of tus may have said another one (X-HTTP-Method-Override).
      const { method = '' } = request
      const fault = faultOf(method, url.split('?', 1)[0] ?? '', response, body())
      if (fault !== null) faults.push(`${method} ${url}: ${fault}`)
    })
  })
  return faults
}

/** What a response sent, once it is over. */
function bodyOf(response: ServerResponse): () => string {
  const pieces: Buffer[] = []
  const end = response.end.bind(response) as (...given: unknown[]) => ServerResponse
  response.end = ((...given: unknown[]) => {
    const [chunk] = given
    if (typeof chunk === 'string' || Buffer.isBuffer(chunk)) pieces.push(Buffer.from(chunk))
    return end(...given)
  }) as typeof response.end
  return () => Buffer.concat(pieces).toString('utf8')
}

function faultOf(method: string, path: string, response: ServerResponse, text: string): string | null {
  const { statusCode: status } = response
  const type = String(response.getHeader('Content-Type') ?? '')
  const found = DESCRIBED.find((one) => one.method === method && one.pattern.test(path))
  if (type.startsWith('application/problem+json'))
    return text === '' ? null : faultOfProblem(found, status, text)
  if (!found) return method === 'HEAD' ? null : `${String(status)}, and there is no such operation`
  const { operation, id } = found
  if (operation.page && status === 200) return faultsOf(id, pageOf(operation.page.of), text)
  const answer = operation.answers?.[status as 200]
  if (!answer) return `${id} does not say that it answers ${String(status)}`
  return answer.schema && method !== 'HEAD' ? faultsOf(id, answer.schema, text) : null
}

function faultOfProblem(found: Described | undefined, status: number, text: string): string | null {
  const fault = faultsOf('a refusal', problem, text)
  if (fault !== null) return fault
  const { code } = JSON.parse(text) as { code: string }
  const codes: readonly string[] = found ? codesOf(found.operation) : UNDESCRIBED
  if (code === 'fault' || codes.includes(code)) return null
  return `${found?.id ?? 'an unknown route'} does not say that it refuses with ${code} (${String(status)})`
}

/** What an address may refuse with that is none. */
const UNDESCRIBED = [
  'request.unknown_route',
  'request.invalid',
  'auth.required',
  'auth.invalid',
  'auth.forbidden',
]

function pageOf(item: z.ZodType): z.ZodType {
  return z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() })
}

function faultsOf(what: string, schema: z.ZodType, text: string): string | null {
  const { success, error } = schema.safeParse(JSON.parse(text))
  return success
    ? null
    : `${what} answers otherwise than it says: ${z.prettifyError(error)}\n${text.slice(0, 2000)}`
}
