/**
 * Any sequence of chunks, wrong offsets, repetitions, checksums, cuts and restarts gives exactly the file, or refusals
 * that change nothing.
 */
import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeUpload } from '../../src/builds/partial-upload.ts'
import { openSocket, requestHead } from '../support/raw-http.ts'
import { seededRandom, seedOfRun, sizeOfRun } from '../support/random.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { begin, checksum, chunkHead, offsetOf, patch, TUS, UPLOADS } from '../support/tus.ts'

const SEED = seedOfRun()
/** Of 100,000 cases of a full run of all kinds, these are the ones that wait for a disk. */
const RUNS = Math.min(500, sizeOfRun('HUB_TEST_FUZZ_CASES', 12))
const MOST_BYTES = 200_000
const CONTENT = seededRandom(7).bytes(MOST_BYTES)

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub()
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

type Action =
  | { readonly kind: 'chunk'; readonly share: number; readonly check: 'none' | 'right' | 'wrong' }
  | { readonly kind: 'misplaced'; readonly by: number; readonly share: number }
  | { readonly kind: 'cut'; readonly share: number; readonly sent: number; readonly check: boolean }
  | { readonly kind: 'overlong'; readonly by: number; readonly isSaid: boolean }
  | { readonly kind: 'twice'; readonly share: number }
  | { readonly kind: 'restart' }

const share = fc.double({ min: 0, max: 1, noNaN: true })
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      ...{ kind: fc.constant('chunk' as const), share },
      check: fc.constantFrom('none' as const, 'right' as const, 'wrong' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('misplaced' as const),
      by: fc.integer({ min: -300_000, max: 300_000 }).filter((by) => by !== 0),
      share,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('cut' as const), share, sent: share, check: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ...{ kind: fc.constant('overlong' as const), by: fc.integer({ min: 1, max: 100_000 }) },
      isSaid: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('twice' as const), share }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
)

interface Run {
  readonly id: string
  readonly size: number
  /** Where the upload must stand. */
  offset: number
}

const checksumHead = (value: string | null): Record<string, string> =>
  value === null ? {} : { 'Upload-Checksum': value }
const part = (from: number, bytes: number): Buffer => CONTENT.subarray(from, from + bytes)

async function act(run: Run, next: Action): Promise<void> {
  const left = run.size - run.offset
  switch (next.kind) {
    case 'chunk': {
      const body = part(run.offset, Math.ceil(left * next.share))
      const of = next.check === 'wrong' ? Buffer.concat([body, Buffer.from('x')]) : body
      const headers = checksumHead(next.check === 'none' ? null : checksum('sha256', of))
      const { status } = await patch(hub, run.id, run.offset, body, { headers })
      if (left === 0) expect(status).toBe(204)
      else expect(status).toBe(next.check === 'wrong' ? 460 : 204)
      if (status === 204) run.offset += body.byteLength
      return
    }
    case 'misplaced': {
      const at = Math.max(0, run.offset + next.by)
      if (at === run.offset) return
      const body = Buffer.alloc(Math.ceil(run.size * next.share), 'wrong')
      expect((await patch(hub, run.id, at, body)).json['code']).toBe('upload.offset_mismatch')
      return
    }
    case 'cut':
      await cut(run, Math.ceil(left * next.share), next.sent, next.check)
      return
    case 'overlong': {
      const body = Buffer.concat([part(run.offset, left), Buffer.alloc(next.by, 'more')])
      async function* unsaid() {
        yield body
      }
      const reply = await patch(hub, run.id, run.offset, next.isSaid ? body : unsaid())
      expect(reply.json['code']).toBe('upload.too_long')
      // What came before the piece that went too far counts.
      if (!next.isSaid) run.offset = await offsetOf(hub, run.id)
      return
    }
    case 'twice': {
      const body = part(run.offset, Math.ceil(left * next.share))
      const replies = [await patch(hub, run.id, run.offset, body), await patch(hub, run.id, run.offset, body)]
      const counts = body.byteLength > 0
      expect(replies.map(({ status }) => status)).toEqual([204, counts ? 409 : 204])
      run.offset += body.byteLength
      return
    }
    case 'restart':
      hub = await hub.restart()
  }
}

/** A PATCH of so many bytes of which a part is sent. */
async function cut(run: Run, bytes: number, share: number, isChecked: boolean): Promise<void> {
  if (bytes === 0) return
  const sent = Math.min(bytes - 1, Math.floor(bytes * share))
  const body = part(run.offset, bytes)
  const headers = checksumHead(isChecked ? checksum('sha512', body) : null)
  const fields = { ...TUS, ...chunkHead(run.offset), 'Content-Length': bytes, ...headers }
  const { socket } = await openSocket(hub.url)
  socket.write(requestHead(`PATCH ${UPLOADS}/${run.id}`, fields))
  socket.write(body.subarray(0, sent))
  const reached = run.offset + sent
  await expect
    .poll(async () => await hub.hub.partialUploads.sizeBytes(run.id), { interval: 2, timeout: 20_000 })
    .toBeGreaterThanOrEqual(reached)
  socket.destroy()
  if (!isChecked) run.offset = reached
}

test(`any sequence of requests gives the file or refusals (HUB_TEST_SEED=${String(SEED)})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: MOST_BYTES }),
      fc.array(action, { minLength: 1, maxLength: 12 }),
      async (size, actions) => {
        const run: Run = { id: await begin(hub, size), size, offset: 0 }
        for (const next of actions) {
          await act(run, next)
          expect(await offsetOf(hub, run.id)).toBe(run.offset)
        }
        expect((await patch(hub, run.id, run.offset, part(run.offset, size - run.offset))).status).toBe(204)
        expect(await offsetOf(hub, run.id)).toBe(size)
        const bytes = await readFile(hub.hub.paths.partialUpload(run.id))
        expect(bytes.equals(part(0, size))).toBe(true)
        await removeUpload(hub.hub, run.id)
        expect(await hub.storedFiles()).toEqual([])
      },
    ),
    { numRuns: RUNS, seed: SEED },
  )
}, 600_000)
