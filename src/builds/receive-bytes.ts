/** The streaming pass: bytes from a client to a file in `var/uploads/`, counted and digested on the way. */
import type { Readable } from 'node:stream'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { Digests } from './digest-blocks.ts'
import { takeChunks } from './take-chunks.ts'
import { DigestedWriter } from './write-digested.ts'

/** A received file, on disk to the last byte. Disposing it removes it, unless it was archived meanwhile. */
export interface ReceivedFile extends AsyncDisposable {
  readonly path: string
  readonly digests: Digests
}

/**
 * Receives `source` in constant memory, its chunks' own memory included: nobody else may use them. Whatever goes wrong,
 * nothing is left.
 * @throws {HubError} `upload.too_large` at the first byte over the limit; `storage.full`; what `source` throws when it breaks off.
 */
export async function receiveBytes(
  hub: Pick<Hub, 'blobs' | 'config'>,
  source: Readable,
): Promise<ReceivedFile> {
  const { path, handle } = await hub.blobs.createUpload()
  const discard = async (): Promise<void> => await hub.blobs.discard(path)
  try {
    using writer = new DigestedWriter(handle)
    const taken = new TakenMemory()
    let sizeBytes = 0
    await takeChunks(source, (chunk) => {
      sizeBytes += chunk.byteLength
      if (sizeBytes > hub.config.maxUploadBytes) throw tooLarge(hub.config.maxUploadBytes)
      const writing = writer.write(chunk)
      if (writing !== undefined) return writing.then(() => taken.take(chunk))
      taken.take(chunk)
      return undefined
    })
    return { path, digests: await writer.finish(), [Symbol.asyncDispose]: discard }
  } catch (error) {
    await discard()
    throw isFull(error) ? storageFull(error) : error
  } finally {
    await handle.close()
  }
}

/**
 * Gives the memory of chunks back as soon as all of it was taken. The collector does not see that such small objects hold
 * 64 KiB each until they have piled up, and then stops everything: a quarter of the work of receiving, and most of its
 * memory. Memory of which a byte went elsewhere (another part of a form, the framing of a chunked body) is left to it.
 */
class TakenMemory {
  #memory: ArrayBufferLike | null = null
  #takenBytes = 0

  take({ buffer, byteLength }: Buffer): void {
    this.#takenBytes = buffer === this.#memory ? this.#takenBytes + byteLength : byteLength
    this.#memory = buffer
    if (this.#takenBytes === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0)
  }
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function storageFull(cause: unknown): HubError {
  const detail =
    "the hub's disk is full; nothing was kept, send it again when its administrator has made room"
  return new HubError('storage.full', detail, {}, { cause })
}

/** The refusal of a tarball over the limit, in bytes. */
export function tooLarge(limitBytes: number): HubError {
  return new HubError(
    'upload.too_large',
    `a tarball may have ${String(limitBytes)} bytes here (HUB_MAX_UPLOAD); make it smaller or ask the administrator`,
    { limitBytes },
  )
}
