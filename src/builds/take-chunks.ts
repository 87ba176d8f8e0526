/** Reading a stream of bytes with as little work for each chunk as there can be. */
import { finished } from 'node:stream'
import type { Readable } from 'node:stream'

/**
 * Hands the chunks of `source` to `take`, each when the promise that the one before gave, if any, has resolved. A loop
 * over the stream would make several promises of each 64 KiB. Whatever goes wrong, `source` is left paused and not
 * destroyed: a client that still sends is owed the reason.
 * @throws what `take` throws; what `source` throws when it breaks off, after the last `take` has come to its end.
 */
export async function takeChunks(
  source: Readable,
  take: (chunk: Buffer) => Promise<void> | undefined,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  let taking: Promise<void> | undefined
  const goOn = (): void => {
    source.resume()
  }
  const onData = (chunk: Buffer): void => {
    try {
      taking = take(chunk)
    } catch (error) {
      source.off('data', onData)
      reject(error)
      return
    }
    if (taking === undefined) return
    source.pause()
    taking.then(goOn, reject)
  }
  const forget = finished(source, { writable: false }, (error) => {
    if (error) reject(error)
    else resolve(undefined)
  })
  source.on('data', onData)
  try {
    await promise
    // The end may be told while the last chunk is still being taken.
    await taking
  } catch (error) {
    source.off('data', onData).pause()
    await Promise.allSettled([taking])
    throw error
  } finally {
    forget()
  }
}
