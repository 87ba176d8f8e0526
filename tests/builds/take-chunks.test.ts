/** What becomes of a stream that is taken chunk by chunk, when it ends, breaks off or is refused. */
import { PassThrough, Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { takeChunks } from '../../src/builds/take-chunks.ts'

const bytes = (count: number): Buffer[] => Array.from({ length: count }, (_, at) => Buffer.from([at]))

test('chunks come in order, and the next one waits for the promise of the one before', async () => {
  const seen: string[] = []
  await takeChunks(Readable.from(bytes(4)), (chunk) => {
    seen.push(`begin ${chunk[0]!}`)
    if (chunk[0]! % 2 === 0) return undefined
    return setImmediate().then(() => void seen.push(`end ${chunk[0]!}`))
  })
  expect(seen).toEqual(['begin 0', 'begin 1', 'end 1', 'begin 2', 'begin 3', 'end 3'])
})

test('an empty stream gives nothing and ends', async () => {
  await takeChunks(Readable.from([]), () => {
    throw new Error('there is no chunk')
  })
})

test('a refused chunk is the last, and the stream stands undestroyed for who answers', async () => {
  const source = new PassThrough()
  let count = 0
  for (const chunk of bytes(3)) source.write(chunk)
  const taking = takeChunks(source, () => {
    count++
    throw new Error('too large')
  })
  await expect(taking).rejects.toThrow('too large')
  expect([count, source.destroyed, source.isPaused()]).toEqual([1, false, true])
})

test('a stream that breaks off fails only after the chunk that is being taken is done', async () => {
  const source = new PassThrough()
  const done: string[] = []
  const { promise, resolve } = Promise.withResolvers<undefined>()
  source.write('a')
  const taking = takeChunks(source, () => {
    source.destroy(new Error('reset'))
    return promise.then(() => void done.push('taken'))
  })
  const failed = taking.catch((error: unknown) => void done.push((error as Error).message))
  await setImmediate()
  expect(done).toEqual([])
  resolve(undefined)
  await failed
  expect(done).toEqual(['taken', 'reset'])
})

test('a promise that rejects fails it', async () => {
  const taking = takeChunks(Readable.from(bytes(3)), () => Promise.reject(new Error('EIO')))
  await expect(taking).rejects.toThrow('EIO')
})
