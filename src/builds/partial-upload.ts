/**
 * Resumable uploads: begun with their size, filled piece by piece (`append-chunk.ts`), then archived as a build in
 * place of a file that comes with its request. The vocabulary is that of tus 1.0.0
 * (https://tus.io/protocols/resumable-upload), whose core and extensions creation, creation-with-upload, termination,
 * expiration and checksum `http/resumable-routes.ts` speaks. It is our own: the core is small, its files must have the
 * durability and the rights of every other upload, and @tus/server brings the clients of a foreign database with it.
 */
import { may } from '../access/rights.ts'
import type { Principal } from '../access/rights.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import type { PartialUploadRow } from '../records/partial-uploads.ts'
import { digestFile } from './digest-file.ts'
import type { Digests } from './digest-blocks.ts'
import { tooLarge } from './receive-bytes.ts'
import type { ReceivedFile } from './receive-bytes.ts'

type Needs = Pick<Hub, 'records' | 'partialUploads' | 'clock' | 'config' | 'turns'>

/** Of one token, at the same time: more than a CI sends at once, and an end to what a broken one leaves behind. */
export const MOST_UNFINISHED = 64

export interface NewUpload {
  readonly sizeBytes: number
  /** `Upload-Metadata`, as it was sent. */
  readonly metadata: string | null
  readonly dryRun: boolean
}

/**
 * Begins an upload: when it returns, an empty file and a row are there for good. A dry run gives the row alone.
 * @throws {HubError} `upload.too_large`; `upload.too_many`, naming those that are unfinished.
 */
export async function beginUpload(
  hub: Needs,
  { id: principal }: Pick<Principal, 'id'>,
  { sizeBytes, metadata, dryRun }: NewUpload,
): Promise<PartialUploadRow> {
  if (sizeBytes > hub.config.maxUploadBytes) throw tooLarge(hub.config.maxUploadBytes)
  const now = hub.clock.now()
  const upload: PartialUploadRow = {
    ...{ id: newId('upl', now), principal, sizeBytes, offsetBytes: 0, metadata, app: null, build: null },
    ...{ createdAt: timestamp(now), expiresAt: expiryOf(hub) },
  }
  return await hub.turns.run(`begin:${principal}`, async () => {
    await refuseTooMany(hub, principal)
    if (!dryRun) await keep(hub, upload)
    return upload
  })
}

/** The file comes before the row that names it; held, so that no collector takes it for one that nobody names. */
async function keep(hub: Needs, upload: PartialUploadRow): Promise<void> {
  using _hold = await hub.partialUploads.holds.take(upload.id, () => undefined)
  await hub.partialUploads.create(upload.id)
  try {
    await hub.records.partialUploads.add(upload)
  } catch (error) {
    await hub.partialUploads.remove(upload.id)
    throw error
  }
}

async function refuseTooMany(hub: Needs, principal: string): Promise<void> {
  const now = timestamp(hub.clock.now())
  const begun = await hub.records.partialUploads.openOf(principal)
  const open = begun.filter(({ expiresAt }) => expiresAt > now)
  if (open.length < MOST_UNFINISHED) return
  throw new HubError(
    'upload.too_many',
    `you have ${String(open.length)} unfinished uploads; end or use some (DELETE /api/v1/uploads/<id>), or wait until they expire`,
    { uploads: open.map(({ id }) => id) },
  )
}

/** When an upload that gets bytes now expires. */
export function expiryOf({ clock, config }: Pick<Hub, 'clock' | 'config'>): string {
  return timestamp(new Date(clock.now().getTime() + config.uploadExpiresSec * 1000))
}

/**
 * The upload as it stands, if it is for this principal's eyes: who began it, and administrators.
 * @throws {HubError} `upload.unknown`, also for those of others and expired ones.
 */
export async function findUpload(hub: Needs, principal: Principal, id: string): Promise<PartialUploadRow> {
  const upload = await hub.records.partialUploads.find(id)
  const isTheirs = upload?.principal === principal.id || may(principal, { to: 'administer' })
  if (upload && isTheirs && upload.expiresAt > timestamp(hub.clock.now())) return upload
  throw unknownUpload(id)
}

/** The same, after a connection that has gone silent was ended and what it brought was counted. */
export async function settledUpload(hub: Needs, principal: Principal, id: string): Promise<PartialUploadRow> {
  await findUpload(hub, principal, id)
  await hub.partialUploads.holds.isAtWork(id)
  return await findUpload(hub, principal, id)
}

/** Ends the upload, whoever still writes to it; nothing is left. @throws {HubError} `upload.unknown`. */
export async function endUpload(hub: Needs, principal: Principal, id: string): Promise<void> {
  await findUpload(hub, principal, id)
  await removeUpload(hub, id)
}

/** Removes an upload's row and then its file; doing it again changes nothing. */
export async function removeUpload(hub: Pick<Hub, 'records' | 'partialUploads'>, id: string): Promise<void> {
  await hub.records.partialUploads.remove(id)
  await hub.partialUploads.holds.end(id)
  await hub.partialUploads.remove(id)
}

export interface TakenUpload {
  /** Discarding it keeps the upload. */
  readonly received: ReceivedFile
  readonly upload: PartialUploadRow
}

/**
 * The bytes of a finished upload, to be received like any others. Those of one that was archived already are taken
 * from the archive: its request may be repeated until it expires.
 * @throws {HubError} `upload.unknown`; `upload.incomplete` with the `offset` reached.
 */
export async function takeUpload(
  hub: Needs & Pick<Hub, 'blobs'>,
  principal: Principal,
  id: string,
): Promise<TakenUpload> {
  const upload = await settledUpload(hub, principal, id)
  if (upload.offsetBytes < upload.sizeBytes) throw incomplete(upload)
  const archived = await archivedDigests(hub, upload)
  const path = await (archived === null
    ? hub.partialUploads.lend(id)
    : hub.partialUploads.lendBlob(archived.sha512))
  if (path === null) throw lostUpload(id)
  const discard = async (): Promise<void> => await hub.blobs.discard(path)
  try {
    const digests = archived ?? (await digestFile(path))
    if (digests.sizeBytes !== upload.sizeBytes) throw lostUpload(id)
    return { upload, received: { path, digests, [Symbol.asyncDispose]: discard } }
  } catch (error) {
    await discard()
    throw error
  }
}

/** Of an upload that became a build; null for one that did not. */
async function archivedDigests(
  hub: Pick<Hub, 'records'>,
  { id, app, build }: PartialUploadRow,
): Promise<Digests | null> {
  if (app === null || build === null) return null
  const archived = await hub.records.builds.find(app, build)
  if (!archived) throw lostUpload(id)
  const { sizeBytes, blake2b, sha512, sha256 } = archived
  return { sizeBytes, blake2b, sha512, sha256 }
}

/** The upload became this build: its row stays until it expires, its file goes, by the collector's hand at the latest. */
export async function settleUpload(
  hub: Pick<Hub, 'records' | 'partialUploads' | 'log'>,
  id: string,
  build: { readonly app: string; readonly build: number },
): Promise<void> {
  await hub.records.partialUploads.archivedAs(id, build)
  await hub.partialUploads.remove(id).catch((error: unknown) => {
    hub.log.warn({ err: error, upload: id }, 'the file of an upload that was archived could not be removed')
  })
}

function incomplete({ id, offsetBytes, sizeBytes }: PartialUploadRow): HubError {
  return new HubError(
    'upload.incomplete',
    `upload ${id} has ${String(offsetBytes)} of ${String(sizeBytes)} bytes; send the rest (PATCH /api/v1/uploads/${id})`,
    { offset: offsetBytes, sizeBytes },
  )
}

/** For an upload that is not there, or not for whoever asks. */
export function unknownUpload(id: string): HubError {
  return new HubError(
    'upload.unknown',
    `there is no upload ${JSON.stringify(id.slice(0, 100))} of this token: it was ended, has expired or never was; begin another one`,
  )
}

/** For an upload whose row is there and whose bytes are not. */
export function lostUpload(id: string): HubError {
  return new HubError('upload.unknown', `the bytes of upload ${id} are no longer there; begin another one`)
}
