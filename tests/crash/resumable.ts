/** A client whose uploads outlive the hub: by tus 1.0.0, in pieces, going on from where the hub says it stands. */
import type { RawReply } from '../support/raw-http.ts'
import type { PiecemealUpload } from './ledger.ts'
import { ask, askJson, found } from './requests.ts'
import type { World } from './requests.ts'
import { newTarball, sha512 } from './uploaders.ts'

const TUS = { 'Tus-Resumable': '1.0.0' }

/** The next step of the upload that is under way: to begin it, to bring a piece, or to make it a build. */
export async function uploadInPieces(world: World): Promise<void> {
  const { ledger } = world
  const upload = ledger.pieces.find(({ isArchived }) => !isArchived) ?? newUpload(world)
  if (upload.id === null) await begin(world, upload)
  else if (upload.offset < upload.bytes.length) await bringPiece(world, upload, upload.id)
  else await archive(world, upload, upload.id)
}

/** One in three leaves its number to the hub. */
function newUpload({ ledger, random }: World): PiecemealUpload {
  const bytes = newTarball(random)
  const number = 1 + ledger.pieces.length
  const upload = {
    bytes,
    ...(number % 3 === 0 ? { app: 'pieces-unnumbered', build: null } : { app: 'pieces', build: number }),
    id: null,
    offset: 0,
    isArchived: false,
  }
  ledger.pieces.push(upload)
  return upload
}

async function begin(world: World, upload: PiecemealUpload): Promise<void> {
  const headers = { ...TUS, 'Upload-Length': String(upload.bytes.length), 'Content-Length': '0' }
  const request = { method: 'POST', path: '/api/v1/uploads', headers }
  const reply = await ask(world, request)
  if (reply.status === 201) upload.id = reply.json['id'] as string
  else found(world, request, reply)
}

async function bringPiece(world: World, upload: PiecemealUpload, id: string): Promise<void> {
  const path = `/api/v1/uploads/${id}`
  const state = await ask(world, { path })
  const offset = state.status === 200 ? (state.json['offset'] as number) : -1
  // What was told to be there is there; more may be, of a piece whose answer was not heard.
  if (offset < upload.offset) found(world, { path: `${path} at ${String(upload.offset)}` }, state)
  const piece = upload.bytes.subarray(offset, offset + 1 + world.random.int(upload.bytes.length))
  const headers = {
    ...TUS,
    'Upload-Offset': String(offset),
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': String(piece.length),
  }
  if (offset === upload.bytes.length) {
    upload.offset = offset
    return
  }
  const request = { method: 'PATCH', path, headers, body: piece }
  const reply = await ask(world, request)
  if (reply.status === 204) upload.offset = offset + piece.length
  else found(world, request, reply)
}

async function archive(world: World, upload: PiecemealUpload, id: string): Promise<void> {
  const { app, build, bytes } = upload
  const { ledger } = world
  const digest = sha512(bytes)
  if (build !== null) ledger.build(app, build).sent.set(digest, bytes)
  else if (!ledger.keyed.has(id))
    ledger.keyed.set(id, { key: id, app, bytes, sha512: digest, acknowledged: null })
  const path = `/api/v1/apps/${app}/builds`
  const reply = await askJson(world, 'POST', path, { upload: id, ...(build === null ? {} : { build }) })
  if (reply.status === 200 || reply.status === 201) acknowledge(world, upload, reply)
  else found(world, { method: 'POST', path }, reply)
}

function acknowledge({ ledger }: World, upload: PiecemealUpload, reply: RawReply): void {
  upload.isArchived = true
  const build = reply.json['build'] as number
  const keyed = ledger.keyed.get(upload.id ?? '')
  if (keyed) keyed.acknowledged = build
  else ledger.build(upload.app, build).acknowledged = sha512(upload.bytes)
  ledger.heard()
}
