/**
 * Appends what one request brings to a resumable upload. What is told as its offset is on disk for good: the offset
 * is recorded after an fsync, every 16 MiB and at the request's end, also when it ends too early. Source: tus 1.0.0,
 * "PATCH" and "Checksum".
 */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { HubError } from '../errors.ts'
import type { Hold } from '../holds.ts'
import type { Hub } from '../hub.ts'
import type { PartialUploadRow } from '../records/partial-uploads.ts'
import { expiryOf, lostUpload, unknownUpload } from './partial-upload.ts'

type Needs = Pick<Hub, 'records' | 'partialUploads' | 'clock' | 'config'>

/** What a power cut may take of bytes that were received while the request still ran. */
const CHECKPOINT_BYTES = 16 << 20

export interface Chunk {
  /** Where it begins; it must be where the upload stands. */
  readonly offsetBytes: number
  /** What the request says it brings; null when it does not say. */
  readonly lengthBytes: number | null
  /** A chunk with a checksum counts whole or not at all. */
  readonly checksum: Checksum | null
  readonly source: Readable
  /** Breaks `source` off: its client is back on another connection. */
  readonly stop: () => void
}

export interface Checksum {
  readonly algorithm: string
  /** Lower-case hex. */
  readonly hex: string
}

/**
 * Appends the chunk and gives the upload as it stands then.
 * @throws {HubError} `upload.busy`, `upload.offset_mismatch`, `upload.too_long`, `upload.checksum_mismatch`,
 * `upload.unknown`, `storage.full`; what `source` throws when it breaks off, after what came was made to count.
 */
export async function appendChunk(hub: Needs, id: string, chunk: Chunk): Promise<PartialUploadRow> {
  using hold = await hub.partialUploads.holds.take(id, chunk.stop)
  if (hold === null) throw busy(id)
  const upload = await hub.records.partialUploads.find(id)
  if (!upload) throw unknownUpload(id)
  refuseMisplaced(upload, chunk)
  if (upload.offsetBytes === upload.sizeBytes) return await appendNothing(upload, chunk)
  const handle = await hub.partialUploads.openAt(id, upload.offsetBytes)
  if (handle === null) throw lostUpload(id)
  try {
    const appending = new Appending(hub, upload, handle, chunk.checksum === null)
    await receive(appending, chunk, hold)
    return { ...upload, ...appending.durable }
  } finally {
    await handle.close()
  }
}

/** To a whole upload: its file may be archived under another name already, so it is not even opened. */
async function appendNothing(upload: PartialUploadRow, { source }: Chunk): Promise<PartialUploadRow> {
  for await (const bytes of piecesOf(source)) if (bytes.byteLength > 0) throw tooLong(upload)
  return upload
}

async function receive(appending: Appending, chunk: Chunk, hold: Hold): Promise<void> {
  const { checksum } = chunk
  const digest = checksum && createHash(checksum.algorithm)
  try {
    for await (const bytes of piecesOf(chunk.source)) {
      await appending.write(bytes)
      digest?.update(bytes)
      hold.progressed()
    }
  } catch (error) {
    hold.finishing()
    await appending.giveUp()
    throw isFull(error) ? storageFull(error) : error
  }
  hold.finishing()
  if (checksum && digest?.digest('hex') !== checksum.hex) {
    await appending.giveUp()
    throw checksumMismatch(checksum.algorithm)
  }
  await appending.settle()
}

/** A stream that is destroyed when the loop is left early would report that, and not why it was left. */
function piecesOf(source: Readable): AsyncIterable<Buffer> {
  return source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
}

/** One request's bytes on their way to the end of the file. */
class Appending {
  readonly #hub: Needs
  readonly #upload: PartialUploadRow
  readonly #handle: FileHandle
  /** False: nothing counts before all of it does. */
  readonly #isPiecewise: boolean
  #writtenBytes: number
  #syncing: Promise<void> | null = null
  #failure: Error | null = null
  durable: Pick<PartialUploadRow, 'offsetBytes' | 'expiresAt'>

  constructor(hub: Needs, upload: PartialUploadRow, handle: FileHandle, isPiecewise: boolean) {
    this.#hub = hub
    this.#upload = upload
    this.#handle = handle
    this.#isPiecewise = isPiecewise
    this.#writtenBytes = upload.offsetBytes
    this.durable = { offsetBytes: upload.offsetBytes, expiresAt: upload.expiresAt }
  }

  /** @throws {HubError} `upload.too_long`, with nothing of `bytes` written. */
  async write(bytes: Buffer): Promise<void> {
    if (this.#failure) throw this.#failure
    if (this.#writtenBytes + bytes.byteLength > this.#upload.sizeBytes) throw tooLong(this.#upload)
    // A write may take less than it is given: what it took counts even if the disk is full then.
    for (let at = 0; at < bytes.byteLength;) {
      const rest = bytes.byteLength - at
      const { bytesWritten } = await this.#handle.write(bytes, at, rest, this.#writtenBytes)
      at += bytesWritten
      this.#writtenBytes += bytesWritten
    }
    const isDue = this.#writtenBytes - this.durable.offsetBytes >= CHECKPOINT_BYTES
    if (this.#isPiecewise && isDue && this.#syncing === null) this.#syncing = this.#checkpoint()
  }

  /** All that was written counts from now on. */
  async settle(): Promise<void> {
    await this.#syncing
    if (this.#failure) throw this.#failure
    await this.#makeDurable()
  }

  /**
   * What was written counts as far as that may be; of a chunk with a checksum, nothing does. It throws nothing: why the
   * request is given up is told, and the offset recorded last holds.
   */
  async giveUp(): Promise<void> {
    try {
      if (this.#isPiecewise) await this.settle()
      else await this.#handle.truncate(this.#upload.offsetBytes)
    } catch {
      // The next request cuts off what is behind the recorded offset.
    }
  }

  /** Beside the writing, so that the sender does not wait for the disk. */
  async #checkpoint(): Promise<void> {
    try {
      await this.#makeDurable()
    } catch (error) {
      this.#failure = error as Error
    }
    this.#syncing = null
  }

  async #makeDurable(): Promise<void> {
    const { id } = this.#upload
    const offsetBytes = this.#writtenBytes
    if (offsetBytes === this.durable.offsetBytes) return
    const expiresAt = expiryOf(this.#hub)
    await this.#handle.datasync()
    if (!(await this.#hub.records.partialUploads.advance(id, offsetBytes, expiresAt))) throw unknownUpload(id)
    this.durable = { offsetBytes, expiresAt }
  }
}

function refuseMisplaced(upload: PartialUploadRow, { offsetBytes, lengthBytes }: Chunk): void {
  if (offsetBytes !== upload.offsetBytes) {
    throw new HubError(
      'upload.offset_mismatch',
      `the chunk begins at ${String(offsetBytes)} and upload ${upload.id} stands at ${String(upload.offsetBytes)}; go on from there`,
      { offset: upload.offsetBytes },
    )
  }
  if (lengthBytes !== null && offsetBytes + lengthBytes > upload.sizeBytes) throw tooLong(upload)
}

function busy(id: string): HubError {
  return new HubError(
    'upload.busy',
    `another request writes to upload ${id} just now; wait for it, ask for the offset, and go on from there`,
  )
}

function tooLong({ id, sizeBytes }: PartialUploadRow): HubError {
  return new HubError(
    'upload.too_long',
    `upload ${id} was begun with ${String(sizeBytes)} bytes (Upload-Length); what goes beyond is not taken`,
    { sizeBytes },
  )
}

function checksumMismatch(algorithm: string): HubError {
  return new HubError(
    'upload.checksum_mismatch',
    `the bytes received do not have the ${algorithm} of Upload-Checksum; nothing of them was kept, send them again`,
  )
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function storageFull(cause: unknown): HubError {
  const detail =
    "the hub's disk is full; what was written before is kept, go on from the offset when its administrator has made room"
  return new HubError('storage.full', detail, {}, { cause })
}
