/**
 * Every operation that the API's document has, with a token of every role, with none, with a wrong one, and with tokens
 * that are bound elsewhere. Who may is said by the document (`x-roles`, `x-bounds`, from `http/openapi/who.ts`).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROLES } from '../../src/access/rights.ts'
import type { Role } from '../../src/access/rights.ts'
import { describeApi } from '../../src/http/openapi/document.ts'
import { announcementOf, enrolNode } from '../support/restore-points.ts'
import { formBody, FORM_TYPE, send } from '../support/raw-http.ts'
import type { RawReply } from '../support/raw-http.ts'
import { chunkHead, TUS } from '../support/tus.ts'
import { BUILD, BYTES, createWholeHub } from './whole-hub.ts'
import type { WholeHub } from './whole-hub.ts'

interface Described {
  readonly operationId: string
  readonly method: string
  readonly path: string
  readonly takesDryRun: boolean
  readonly example: unknown
  /** null: no token is needed. */
  readonly roles: readonly Role[] | null
  /** By what the roles are bound: who has a token for another one may not. */
  readonly bounds: Readonly<Partial<Record<'app' | 'environment' | 'node', readonly Role[]>>>
}

/** How an operation is called where the document's example and the things of `createWholeHub` do not do. */
interface Sample {
  readonly body?: Buffer | object
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: string
  readonly parameters?: Readonly<Record<string, string>>
  /** The body of roles that may send another one only. */
  readonly bodies?: Readonly<Partial<Record<string, object>>>
  /** What whoever may is told; none: the call goes well. */
  readonly refusal?: string
}

const BY_HAND = { stage: 'manual', name: 'looked at', status: 'passed' }
const OCTETS = { 'Content-Type': 'application/octet-stream' }

/** Changes are dry runs where they can be; those that cannot change nothing that is not so already. */
const SAMPLES: Readonly<Record<string, Sample>> = {
  'builds.upload': { body: formBody({ tarball: BYTES }), headers: { 'Content-Type': FORM_TYPE } },
  'builds.put': { body: BYTES, headers: OCTETS, parameters: { build: '46' } },
  'builds.readFile': { parameters: { path: 'shop/run' } },
  'builds.downloadFile': { parameters: { path: 'shop/run' } },
  'diffs.readFile': { parameters: { path: 'run' } },
  'builds.unyank': { refusal: 'yank.unknown' },
  'builds.unpin': { refusal: 'pin.unknown' },
  'checks.record': { bodies: { 'release-manager': BY_HAND, approver: BY_HAND } },
  'promotions.create': {
    body: { app: 'shop', build: BUILD, environment: 'staging' },
    refusal: 'promotion.not_eligible',
  },
  'uploads.begin': { headers: { ...TUS, 'Upload-Length': '5' } },
  'uploads.offset': { headers: TUS },
  'uploads.append': { headers: { ...TUS, ...chunkHead(BYTES.byteLength) } },
  'uploads.end': { headers: TUS },
  'revisions.file': { parameters: { path: 'profiles/repo_name' } },
  'overlayFiles.put': { body: BYTES, headers: OCTETS, parameters: { path: 'profiles/x' } },
  'promotions.approve': { refusal: 'promotion.ended' },
  'promotions.reject': { refusal: 'promotion.ended' },
  'promotions.cancel': { refusal: 'promotion.ended' },
  'keys.revoke': { refusal: 'key.in_use' },
  'restorePoints.announce': { body: announcementOf([], { id: 'rp_20260103T000000Z_aaaaaa' }) },
  'restorePoints.sendFile': { body: BYTES, headers: OCTETS },
  'restorePoints.sendMetadata': {
    ...{ body: BYTES, headers: OCTETS, parameters: { name: 'shop.gpkg.tar' } },
    refusal: 'restore_point.unknown_file',
  },
  'restorePoints.remove': { query: 'newest=true' },
  'events.follow': { query: 'follow=false' },
}

const OPERATIONS = operationsOf(describeApi() as unknown as Document)

let whole: WholeHub
/** Tokens of the roles that can be bound, for another app, another environment, and another node in another environment. */
const elsewhere = new Map<string, string>()

beforeAll(async () => {
  whole = await createWholeHub()
  const { hub } = whole
  for (const role of ['release-manager', 'approver', 'reader'] as const) {
    elsewhere.set(`${role} app`, await hub.token(role, { apps: ['other'] }))
    elsewhere.set(`${role} environment`, await hub.token(role, { environments: ['production'] }))
  }
  elsewhere.set('developer app', await hub.token('developer', { apps: ['other'] }))
  elsewhere.set('enrol environment', await hub.token('enrol', { environments: ['production'] }))
  elsewhere.set('node node', await enrolNode(hub, 'web9', 'production'))
})
afterAll(async () => {
  await whole.hub[Symbol.asyncDispose]()
})

test('the document says of every operation who may', () => {
  expect(OPERATIONS.length).toBeGreaterThan(90)
  const unsaid = OPERATIONS.filter(({ roles }) => roles !== null && !Array.isArray(roles))
  expect(unsaid.map(({ operationId }) => operationId)).toEqual([])
  const known = OPERATIONS.map(({ operationId }) => operationId)
  expect(Object.keys(SAMPLES).filter((id) => !known.includes(id))).toEqual([])
})

describe.each(OPERATIONS.filter(({ roles }) => roles !== null))('$operationId', (operation) => {
  const { operationId, roles, bounds } = operation
  const allowed = (roles ?? []) as readonly string[]

  test('is for its roles and for no others', async () => {
    const verdicts: Record<string, string> = {}
    for (const role of ROLES)
      verdicts[role] = verdictOn(await call(operation, whole.tokens.get(role), role), operationId)
    const expected = ROLES.map((role) => [role, allowed.includes(role) ? 'may' : 'auth.forbidden'])
    expect(verdicts).toEqual(Object.fromEntries(expected))
  })

  test('asks for a token when there is none, and takes no wrong one', async () => {
    const none = await call(operation, null)
    expect([none.status, codeOf(none)]).toEqual([401, 'auth.required'])
    expect(none.headers['www-authenticate']).toMatch(/^Basic realm=/)
    const wrong = await call(operation, 'phub_wrong')
    expect(wrong.status).toBe(401)
    if (operation.method !== 'HEAD') expect(codeOf(wrong)).toBe('auth.invalid')
  })

  test('is not for who may elsewhere', async () => {
    const verdicts: Record<string, string> = {}
    const expected: Record<string, string> = {}
    for (const [key, token] of elsewhere) {
      const [role = '', bound = ''] = key.split(' ')
      if (!allowed.includes(role)) continue
      const isBound = bounds[bound as 'app']?.some((one) => one === role)
      verdicts[key] = isHidden(await call(operation, token, role)) ? 'may not' : 'may'
      expected[key] = isBound ? 'may not' : 'may'
    }
    expect(verdicts).toEqual(expected)
  })
})

test.each(OPERATIONS.filter(({ roles }) => roles === null))(
  '$operationId needs no token',
  async (operation) => {
    const reply = await call(operation, null)
    if (reply.status >= 300) expect(codeOf(reply)).not.toMatch(/^auth\.(?:required|forbidden)$/)
  },
)

/** Whether the answer gives nothing away: a thing that is not to be seen is not there. */
function isHidden({ status, text }: RawReply): boolean {
  return (
    status === 401 ||
    status === 403 ||
    (status === 404 && (text === '' || /"code":"[a-z_]+\.unknown"/.test(text)))
  )
}

/** `may`, or the code of the refusal. */
function verdictOn(reply: RawReply, operationId: string): string {
  if (reply.status < 300) return SAMPLES[operationId]?.refusal === undefined ? 'may' : 'may, and goes well'
  const code = codeOf(reply)
  return code === SAMPLES[operationId]?.refusal ? 'may' : code
}

/** Of HEAD there is no more than the status. */
function codeOf(reply: RawReply): string {
  if (reply.text !== '') return String(reply.json['code'])
  return { 401: 'auth.required', 403: 'auth.forbidden' }[reply.status] ?? String(reply.status)
}

async function call(operation: Described, token: string | null | undefined, role = ''): Promise<RawReply> {
  const { operationId, method, takesDryRun, example } = operation
  const sample = SAMPLES[operationId] ?? {}
  const ofRole: Readonly<Record<string, string>> = role === 'node' ? { upload: whole.uploadOfNode } : {}
  const named: Readonly<Record<string, string>> = { ...whole.parameters, ...ofRole, ...sample.parameters }
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
    const value = named[name]
    if (value === undefined) throw new Error(`tests/access/whole-hub.ts has no {${name}}`)
    return value
  })
  const query = [
    ...(takesDryRun ? ['dryRun=true'] : []),
    ...(sample.query === undefined ? [] : [sample.query]),
  ]
  const content = sample.bodies?.[role] ?? sample.body ?? (example as object | undefined)
  const body =
    content === undefined || Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content))
  return await send(whole.hub.url, {
    method,
    path: `/api/v1${path}${query.length > 0 ? `?${query.join('&')}` : ''}`,
    token: token ?? null,
    headers: { 'Content-Type': 'application/json', ...sample.headers },
    ...(body === undefined ? {} : { body }),
  })
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentOperation>>>>
}

interface DocumentOperation {
  readonly operationId: string
  readonly parameters?: readonly { readonly $ref?: string }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> }
  readonly 'x-roles': readonly Role[] | null
  readonly 'x-bounds'?: Described['bounds']
}

function operationsOf({ paths }: Document): readonly Described[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      ...{ operationId: operation.operationId, method: method.toUpperCase(), path },
      takesDryRun:
        operation.parameters?.some(({ $ref }) => $ref === '#/components/parameters/dryRun') ?? false,
      example: operation.requestBody?.content['application/json']?.example,
      ...{ roles: operation['x-roles'], bounds: operation['x-bounds'] ?? {} },
    })),
  )
}
