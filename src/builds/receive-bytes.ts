/** The streaming pass: bytes from a client to a file in `var/uploads/`, counted and digested on the way. */
import type { Readable } from 'node:stream'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { Digests } from './digest-blocks.ts'
import { DigestedWriter } from './write-digested.ts'

/** A received file, on disk to the last byte. Disposing it removes it, unless it was archived meanwhile. */
export interface ReceivedFile extends AsyncDisposable {
  readonly path: string
  readonly digests: Digests
}

/**
 * Receives `source` in constant memory. Whatever goes wrong, nothing is left.
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
    let sizeBytes = 0
    // A stream that is destroyed when the loop is left early would report that, and not why it was left.
    for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      sizeBytes += chunk.byteLength
      if (sizeBytes > hub.config.maxUploadBytes) throw tooLarge(hub.config.maxUploadBytes)
      await writer.write(chunk)
    }
    return { path, digests: await writer.finish(), [Symbol.asyncDispose]: discard }
  } catch (error) {
    await discard()
    throw isFull(error) ? storageFull(error) : error
  } finally {
    await handle.close()
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
