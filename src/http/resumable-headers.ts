/**
 * The header fields of tus 1.0.0 (https://tus.io/protocols/resumable-upload), from text to checked values and back.
 * Each function throws `request.invalid` that names the field, if it throws nothing else.
 */
import type { Request, Response } from 'express'
import type { Checksum } from '../builds/append-chunk.ts'
import { HubError } from '../errors.ts'
import type { PartialUploadRow } from '../records/partial-uploads.ts'

export const TUS_VERSION = '1.0.0'
export const TUS_EXTENSIONS = ['creation', 'creation-with-upload', 'termination', 'expiration', 'checksum']
/** Bytes of a digest. The protocol demands sha1; of the three it is the one that proves the least. */
export const CHECKSUM_BYTES: Readonly<Record<string, number>> = { sha1: 20, sha256: 32, sha512: 64 }
/** What chunks are sent as. */
export const CHUNK_TYPE = 'application/offset+octet-stream'

const LONGEST_METADATA = 4096

/** @throws {HubError} `upload.unsupported_version`. */
export function refuseOtherVersions(request: Request, response: Response): void {
  const version = request.get('Tus-Resumable')
  if (version === TUS_VERSION) return
  response.set('Tus-Version', TUS_VERSION)
  const sent = version === undefined ? 'no Tus-Resumable' : JSON.stringify(version.slice(0, 100))
  throw new HubError(
    'upload.unsupported_version',
    `the request says ${sent}; send "Tus-Resumable: ${TUS_VERSION}"`,
  )
}

/** `Upload-Length`: the hub wants to know it at the beginning, and takes no uploads that are parts of another. */
export function uploadLength(request: Request): number {
  for (const name of ['Upload-Defer-Length', 'Upload-Concat']) {
    if (request.get(name) !== undefined)
      throw new HubError('request.invalid', `${name} belongs to an extension that the hub does not speak`)
  }
  return wholeNumber(request, 'Upload-Length')
}

export function uploadOffset(request: Request): number {
  return wholeNumber(request, 'Upload-Offset')
}

/** `Upload-Metadata` as it came, after a look at its form: `<key> <base64>,<key>`; null when there is none. */
export function uploadMetadata(request: Request): string | null {
  const text = request.get('Upload-Metadata')
  if (text === undefined || text === '') return null
  const pairs = text.split(',').map((pair) => pair.trim())
  const areWell = pairs.every((pair) => /^[\x21-\x2b\x2d-\x7e]+(?: [A-Za-z0-9+/]*={0,2})?$/.test(pair))
  const keys = new Set(pairs.map((pair) => pair.split(' ', 1)[0]))
  if (areWell && keys.size === pairs.length && text.length <= LONGEST_METADATA) return text
  throw new HubError(
    'request.invalid',
    `Upload-Metadata is a list such as "filename <base64>,note <base64>", each key once, ${String(LONGEST_METADATA)} characters in all`,
  )
}

/** `Upload-Checksum: sha512 <base64>`; null when there is none. */
export function uploadChecksum(request: Request): Checksum | null {
  const text = request.get('Upload-Checksum')
  if (text === undefined) return null
  const [, algorithm = '', base64 = ''] = /^([\w-]+) ([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
  const bytes = Buffer.from(base64, 'base64')
  const isKnown = Object.hasOwn(CHECKSUM_BYTES, algorithm)
  if (isKnown && bytes.byteLength === CHECKSUM_BYTES[algorithm])
    return { algorithm, hex: bytes.toString('hex') }
  throw new HubError(
    'request.invalid',
    `Upload-Checksum is ${Object.keys(CHECKSUM_BYTES).join(', ')}, a space and the digest in base64`,
  )
}

/** What a body brings: its bytes by its own word, null when it does not say, 0 when there is none. */
export function bodyLength(request: Request): number | null {
  if (request.get('Transfer-Encoding') !== undefined) return null
  return Number(request.get('Content-Length') ?? 0)
}

/** @throws {HubError} `upload.unsupported_type`. */
export function refuseOtherTypes(request: Request): void {
  const type = request.get('Content-Type')?.split(';', 1)[0]?.trim().toLowerCase()
  const encoding = request.get('Content-Encoding') ?? 'identity'
  if (type === CHUNK_TYPE && encoding === 'identity') return
  throw new HubError(
    'upload.unsupported_type',
    `send the bytes as they are, with "Content-Type: ${CHUNK_TYPE}" and no Content-Encoding`,
  )
}

/** Tells how the upload stands. */
export function describeUpload(response: Response, upload: PartialUploadRow): void {
  response.set('Upload-Offset', String(upload.offsetBytes))
  response.set('Upload-Expires', new Date(upload.expiresAt).toUTCString())
}

function wholeNumber(request: Request, name: string): number {
  const text = request.get(name) ?? ''
  if (/^[0-9]{1,15}$/.test(text)) return Number(text)
  throw new HubError('request.invalid', `${name} must be a number of bytes, 0 or more`)
}
