/**
 * Receives an upload's parts. The tarball goes through a storage engine of ours straight into the blob store's upload
 * folder; small text parts (a recipe as `-F recipe=@portage-hub.yaml`) stay in memory.
 */
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import type { Request, RequestHandler } from 'express'
import multer from 'multer'
import type { StorageEngine } from 'multer'
import { z } from 'zod'
import { MAX_RECIPE_BYTES } from '../builds/recipe.ts'
import { parseDigestField } from '../builds/declared-digests.ts'
import type { DeclaredDigest } from '../builds/declared-digests.ts'
import { receiveBytes, tooLarge } from '../builds/receive-bytes.ts'
import type { ReceivedFile } from '../builds/receive-bytes.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { readPlainFields } from './plain-fields.ts'
import { parseBuildNumber, parseWith } from './request.ts'

type Needs = Pick<Hub, 'blobs' | 'config' | 'log'>

/** Parts of a form, none but the tarball larger than a recipe may be. */
const MAX_PARTS = 24

const line = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]*$/u, 'must be one line without control characters')
    .transform((text) => (text.trim() === '' ? null : text.trim()))
    .nullable()
    .default(null)

export const uploadFieldsSchema = z.strictObject({
  build: z.string().optional(),
  version: line(256),
  recipe: z.string().max(MAX_RECIPE_BYTES).optional(),
  'ebuild.template': z.string().max(MAX_RECIPE_BYTES).optional(),
  sha512: z
    .string()
    .regex(/^[0-9a-fA-F]{128}$/, 'must be 128 hex digits')
    .transform((hex) => hex.toLowerCase())
    .optional(),
  commit: line(128),
  branch: line(255),
  ciUrl: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .optional(),
  promote: z.string().max(64).optional(),
  dryRun: z.enum(['true', 'false']).optional(),
})

/** The fields of an upload besides its bytes. */
export interface UploadFields {
  readonly build: number | null
  readonly version: string | null
  readonly recipeText: string | null
  readonly ebuildTemplate: string | null
  readonly commit: string | null
  readonly branch: string | null
  readonly ciUrl: string | null
  /** `true` (by policy, the default), `false` (archive only) or the name of an environment. */
  readonly promote: string
  readonly dryRun: boolean
  readonly declaredDigests: readonly DeclaredDigest[]
}

/**
 * Checks the fields of a form, or of a query. Empty ones count as absent.
 * @throws {HubError} `request.invalid` naming the field; `build.invalid_number`.
 */
export function parseUploadFields(
  values: Record<string, unknown>,
  digests: readonly DeclaredDigest[],
): UploadFields {
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''))
  const fields = parseWith(uploadFieldsSchema, given, 'the fields of the upload')
  const declared =
    fields.sha512 === undefined ? [] : [{ by: 'sha512', algorithm: 'sha512', hex: fields.sha512 } as const]
  return {
    build: fields.build === undefined ? null : parseBuildNumber(fields.build.trim()),
    version: fields.version,
    recipeText: fields.recipe ?? null,
    ebuildTemplate: fields['ebuild.template'] ?? null,
    commit: fields.commit,
    branch: fields.branch,
    ciUrl: fields.ciUrl ?? null,
    promote: fields.promote ?? 'true',
    dryRun: fields.dryRun === 'true',
    declaredDigests: [...digests, ...declared],
  }
}

/** Digests that the header of the request declares of its body. */
export function digestsOfHeader(request: Request): readonly DeclaredDigest[] {
  return ['Content-Digest', 'Repr-Digest'].flatMap((name) => {
    const value = request.get(name)
    return value === undefined ? [] : parseDigestField(name, value)
  })
}

/** Receives the body of `PUT …/tarball`. @throws {HubError} `upload.too_large`, before a byte is read if it can. */
export async function receiveRawBody(hub: Needs, request: Request): Promise<ReceivedFile> {
  const encoding = request.get('Content-Encoding') ?? 'identity'
  if (encoding !== 'identity') {
    throw new HubError('archive.unsupported_format', 'send the tarball as it is, without Content-Encoding')
  }
  refuseByLength(hub, request, 0)
  return await receiveBytes(hub, request)
}

/** What is too large by its own word is refused before a byte of it is read. */
function refuseByLength(hub: Needs, request: Request, besidesBytes: number): void {
  const declared = Number(request.get('Content-Length') ?? 0)
  if (declared > hub.config.maxUploadBytes + besidesBytes) throw tooLarge(hub.config.maxUploadBytes)
}

interface StoredTarball {
  readonly received: ReceivedFile
}

/**
 * Reads the form of an upload: `request.body` gets its fields, `tarballOf` its tarball. Whether or not a handler takes
 * the tarball, it is discarded with the request unless it was archived.
 */
export function receiveForm(hub: Needs): RequestHandler {
  const form = multer({
    storage: formStorage(hub),
    limits: {
      fileSize: hub.config.maxUploadBytes,
      fieldSize: MAX_RECIPE_BYTES,
      fields: 20,
      files: 3,
      parts: MAX_PARTS,
      fieldNameSize: 100,
    },
    defParamCharset: 'utf8',
  }).fields([
    { name: 'tarball', maxCount: 1 },
    { name: 'recipe', maxCount: 1 },
    { name: 'ebuild.template', maxCount: 1 },
  ])
  return async (request, response, next) => {
    refuseByLength(hub, request, MAX_PARTS * MAX_RECIPE_BYTES)
    const digest = bodyDigest(request)
    response.once('close', () => void discardTarball(hub, request))
    // What throws inside the callback of a stream would end the process: everything else comes after it.
    if (!(await readPlainFields(request, response))) await promisify(form)(request, response)
    try {
      for (const name of ['recipe', 'ebuild.template']) takeTextPart(request, name)
      digest.check()
    } catch (error) {
      await discardTarball(hub, request)
      throw error
    }
    next()
  }
}

/** The tarball of a form, null when it has none. */
export function tarballOf(request: Request): ReceivedFile | null {
  const file = partOf(request, 'tarball')
  return file ? (file as unknown as StoredTarball).received : null
}

function formStorage(hub: Needs): StorageEngine {
  return {
    _handleFile(_request, file, done) {
      const receiving = file.fieldname === 'tarball' ? receiveTarball(hub, file) : receiveText(file)
      receiving.then(
        (info) => {
          done(null, info)
        },
        (error: unknown) => {
          done(error)
        },
      )
    },
    _removeFile(_request, file, done) {
      const { received } = file as unknown as Partial<StoredTarball>
      Promise.resolve(received?.[Symbol.asyncDispose]()).then(
        () => {
          done(null)
        },
        (error: unknown) => {
          done(error as Error)
        },
      )
    },
  }
}

async function receiveTarball(hub: Needs, file: Express.Multer.File): Promise<Partial<Express.Multer.File>> {
  const received = await receiveBytes(hub, file.stream)
  const stored: StoredTarball = { received }
  return stored as Partial<Express.Multer.File>
}

async function receiveText(file: Express.Multer.File): Promise<Partial<Express.Multer.File>> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of file.stream as AsyncIterable<Buffer>) {
    sizeBytes += chunk.byteLength
    if (sizeBytes <= MAX_RECIPE_BYTES) chunks.push(chunk)
  }
  if (sizeBytes > MAX_RECIPE_BYTES) {
    throw new HubError('request.too_large', `${file.fieldname} may have ${String(MAX_RECIPE_BYTES)} bytes`)
  }
  return { buffer: Buffer.concat(chunks) }
}

/** A recipe that came as a file part becomes the field of that name. */
function takeTextPart(request: Request, name: string): void {
  const part = partOf(request, name)
  if (!part) return
  const body = request.body as Record<string, unknown>
  if (body[name] !== undefined) throw new HubError('request.invalid', `${name} was sent twice`)
  try {
    body[name] = new TextDecoder('utf-8', { fatal: true }).decode(part.buffer)
  } catch {
    throw new HubError('request.invalid', `${name} is not UTF-8 text`)
  }
}

async function discardTarball(hub: Needs, request: Request): Promise<void> {
  try {
    // A part whose bytes have not all come has none to discard: whoever receives them does.
    const file = partOf(request, 'tarball') as unknown as Partial<StoredTarball> | undefined
    await file?.received?.[Symbol.asyncDispose]()
  } catch (error) {
    hub.log.error({ err: error }, 'a received tarball could not be discarded')
  }
}

function partOf(request: Request, name: string): Express.Multer.File | undefined {
  return (request.files as Record<string, Express.Multer.File[]> | undefined)?.[name]?.[0]
}

/** For a form, RFC 9530's digests are those of the whole body, which is digested as it passes. */
function bodyDigest(request: Request): { check(): void } {
  const declared = digestsOfHeader(request).map((digest) => ({
    ...digest,
    hash: createHash(digest.algorithm),
  }))
  const digest = (chunk: Buffer): void => {
    for (const { hash } of declared) hash.update(chunk)
  }
  if (declared.length > 0) request.on('data', digest)
  return {
    check() {
      // A form may end before its body does; a digest that is finished takes no more.
      request.off('data', digest)
      for (const { by, algorithm, hex, hash } of declared) {
        if (hash.digest('hex') === hex) continue
        throw new HubError(
          'upload.digest_mismatch',
          `${by}: the body of the request does not have the declared ${algorithm}`,
        )
      }
    },
  }
}
