/** Restore points: announcements and files as no node sends them, in any order, held against a model of one point. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { announcementOf } from '../../support/restore-points.ts'
import type { PackedFile } from '../../support/restore-points.ts'
import { judgeAnswer } from '../support/exchange.ts'
import type { Answer } from '../support/exchange.ts'
import type { FuzzedHub } from '../support/hub-process.ts'
import type { Kept } from '../support/kept.ts'
import { mutated, mutatedText } from '../support/mutate.ts'
import { same } from '../support/same.ts'
import { changeOfExtension, changeOfHeader } from '../support/tar-corpus.ts'
import { target } from '../support/target.ts'
import type { Target, Verdict } from '../support/target.ts'

const PLACES = { binpkg: 'binpkgs', dump: 'dumps', info: 'infos' } as const
/** What goes with a point. What the hub says of the past stays. */
const GOES = ['restore_points', 'restore_point_files', 'binpkgs']

const FIELD_CHANGES: readonly object[] = [
  ...[
    { id: '' },
    { id: 'rp_20260102T030405Z_k3j9x2/..' },
    { app: '' },
    { app: 'x'.repeat(101) },
    { app: '\ud800' },
  ],
  ...[{ cpv: 'app-hub/shop-9' }, { cpv: 'shop' }, { reason: 'x' }, { takenAt: '9999-12-31T23:59:59-23:59' }],
  ...[{ takenAt: '0000-01-01T00:00:00+23:59' }, { takenAt: '2026-02-30T00:00:00Z' }, { takenAt: 5 }],
  ...[
    { encrypted: true },
    { encrypted: 1 },
    { schemaVersion: 2 ** 53 },
    { schemaVersion: -1 },
    { hubNode: '\n' },
  ],
  ...[{ files: [] }, { files: {} }, { files: [null] }, { x: 1 }, { ['__proto__']: { x: 1 } }],
]

const FILE_CHANGES: readonly object[] = [
  ...[
    { name: '../x' },
    { name: '/x' },
    { name: 'a//b' },
    { name: 'x\0' },
    { name: '__proto__' },
    { name: '%2e%2e' },
  ],
  ...[
    { name: 'é/ü' },
    { name: 'x'.repeat(501) },
    { sizeBytes: 2 ** 40 },
    { sizeBytes: -1 },
    { sizeBytes: 1.5 },
  ],
  ...[
    { sha512: '0'.repeat(128) },
    { sha512: 'A'.repeat(128) },
    { sha512: '' },
    { kind: 'x' },
    { kind: 'dump' },
  ],
  ...[{ image: null }, { image: { sha256: '0'.repeat(64) } }],
  {
    image: {
      sha256: '0'.repeat(64),
      metadata: { name: 'metadata.tar.gz', sizeBytes: 5, sha512: '1'.repeat(128) },
    },
  },
]

const step = fc.record({
  what: fc.constantFrom(
    ...([
      'put',
      'put',
      'put',
      'put',
      'complete',
      'complete',
      'fetch',
      'metadata',
      'again',
      'other',
      'pin',
      'unpin',
    ] as const),
    ...(['show', 'list', 'index', 'remove', 'upload'] as const),
  ),
  file: fc.nat(2),
  bytes: fc.constantFrom('right', 'right', 'right', 'right', 'right', 'short', 'long', 'empty', 'large'),
  digest: fc.constantFrom(
    undefined,
    undefined,
    undefined,
    'right',
    'wrong',
    'sha-512=:AA==:',
    'md5=:AA==:',
    '=',
  ),
  query: fc.constantFrom('', '', '', '', '', '?dryRun=true', '?dryRun=x', '?x', '?newest=true'),
})
/** What a node does; by chance alone few points would come so far. */
const USUAL: readonly Step[] = [
  ...[0, 1, 2].map((file) => ({ what: 'put', file, bytes: 'right', digest: 'right', query: '' }) as const),
  { what: 'complete', file: 0, bytes: 'right', digest: undefined, query: '' },
]
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** A point as its node knows it, once it is announced. */
interface Model {
  readonly path: string
  readonly files: readonly PackedFile[]
  readonly announcement: object
  /** Before it was announced. */
  readonly before: Kept
  /** Whether it was announced as a node does. */
  readonly isPlain: boolean
  /** Whether its package is one that the hub takes too. */
  readonly isSound: boolean
  readonly received: Set<PackedFile>
  state: 'announced' | 'complete' | 'refused'
}

export function restorePoints(hub: FuzzedHub): Target {
  const { shop } = hub.known.fleet
  const binpkg = fc.oneof(
    { arbitrary: fc.constant(shop.bytes), weight: 3 },
    mutated([shop.bytes], [changeOfHeader, changeOfExtension], true),
  )
  const announcement = fc.oneof(
    { arbitrary: fc.constant('as it is' as const), weight: 3 },
    fc.constantFrom(...FIELD_CHANGES).map((field) => ({ field })),
    fc.tuple(fc.nat(2), fc.constantFrom(...FILE_CHANGES)).map(([at, file]) => ({ at, file })),
    mutatedText([JSON.stringify(announcementOf([]))], ['{', '"', ',', ':', '[', '\\ud800', '1e999', 'null']),
  )
  return target({
    name: '',
    share: 10,
    cases: fc.record({
      binpkg,
      dump: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
      announcement,
      steps: fc
        .tuple(fc.constantFrom(0, 3, 4), fc.array(step, { minLength: 2, maxLength: 7 }))
        .map(([usual, steps]) => [...USUAL.slice(0, usual), ...steps]),
    }),
    check: async ({ binpkg, dump, announcement, steps }) => {
      const files: readonly PackedFile[] = [
        { kind: 'binpkg', name: shop.name, bytes: binpkg },
        { kind: 'dump', name: 'shop.dump', bytes: dump },
        { kind: 'info', name: 'atoms.txt', bytes: Buffer.from('=app-hub/shop-1') },
      ]
      const sound = announcementOf(files, { cpv: shop.cpv })
      const text =
        typeof announcement === 'object' ? JSON.stringify(changed(sound, announcement)) : announcement
      const before = await hub.kept()
      const answer = await post(hub, pointsPath(hub), text === 'as it is' ? JSON.stringify(sound) : text)
      if (judgeAnswer(answer) === 'refused') {
        await hub.refuseChanges(before, 'a refused announcement')
        return 'refused'
      }
      const { id, wants } = JSON.parse(answer.text) as { readonly id: string; readonly wants: unknown[] }
      const isPlain = text === 'as it is'
      if (isPlain) same(wants.length, files.length, 'how many files are wanted')
      const model: Model = {
        ...{ path: `${pointsPath(hub)}/${id}`, files, before, isPlain, received: new Set() },
        announcement: isPlain ? sound : (JSON.parse(text) as object),
        ...{ isSound: isPlain && binpkg.equals(shop.bytes), state: 'announced' },
      }
      try {
        for (const one of steps) await take(hub, model, one)
      } finally {
        // Also after a failure, so that smaller cases begin where this one did.
        await takeAway(hub, model)
      }
      await hub.refuseChanges(before, 'a point that was removed', GOES)
      return model.state === 'refused' ? 'refused' : 'accepted'
    },
  })
}

function changed(
  sound: ReturnType<typeof announcementOf>,
  change: { readonly field: object } | { readonly at: number; readonly file: object },
): object {
  if ('field' in change) return { ...sound, ...change.field }
  return {
    ...sound,
    files: sound.files.map((file, at) => (at === change.at ? { ...file, ...change.file } : file)),
  }
}

/** One request. What is refused changes nothing, but for the verdict on a whole point. */
async function take(hub: FuzzedHub, model: Model, one: Step): Promise<void> {
  const before = await hub.kept()
  const { answer, verdict } = await carryOut(hub, model, one)
  const isVerdict = one.what === 'complete' && answer.status === 422
  if (isVerdict) {
    same(model.state, 'announced', 'the state of a point that is judged')
    if (model.isSound) throw new Error(`a sound point was refused: ${answer.text}`)
    model.state = 'refused'
    await hub.refuseChanges(model.before, 'a refused point', [])
  } else if (verdict === 'refused') await hub.refuseChanges(before, `a refused ${one.what}`)
  if (one.what !== 'index' && one.what !== 'complete') return
  await expectShown(hub, model)
}

async function carryOut(
  hub: FuzzedHub,
  model: Model,
  one: Step,
): Promise<{ readonly answer: Answer; readonly verdict: Verdict }> {
  const { token } = hub.known.fleet.busy
  const judged = (answer: Answer) => ({ answer, verdict: judgeAnswer(answer) })
  const get = async (path: string) => judged(await hub.ask({ path: `${path}${one.query}`, token }))
  const file = model.files[one.file] as PackedFile
  const place = `${model.path}/${PLACES[file.kind]}/${file.name}`
  switch (one.what) {
    case 'put':
    case 'metadata':
    case 'upload':
      return await put(hub, model, one)
    case 'complete': {
      const reply = judged(
        await hub.ask({ method: 'POST', path: `${model.path}/complete${one.query}`, token }),
      )
      if (reply.verdict === 'accepted') {
        if (model.isPlain && !isWhole(model)) throw new Error('complete, and a file never came')
        model.state = 'complete'
      } else if (
        reply.answer.status !== 422 &&
        model.isSound &&
        isWhole(model) &&
        one.query !== '?dryRun=true'
      )
        same(one.query, '?dryRun=x', `why it was not completed (${reply.answer.text})`)
      return reply
    }
    case 'fetch': {
      const reply = await get(place)
      if (reply.verdict === 'accepted' && file.kind !== 'binpkg')
        same(reply.answer.body.equals(file.bytes), true, 'the bytes that came')
      return reply
    }
    case 'again':
      return judged(await post(hub, pointsPath(hub), JSON.stringify(model.announcement)))
    case 'other': {
      const other = { ...model.announcement, app: 'another' }
      const reply = judged(await post(hub, pointsPath(hub), JSON.stringify(other)))
      same(reply.answer.status, 409, 'the status for the same id with another app')
      return reply
    }
    case 'pin':
    case 'unpin': {
      const method = one.what === 'pin' ? 'PUT' : 'DELETE'
      return judged(await hub.ask({ method, path: `${model.path}/pin${one.query}`, token }))
    }
    case 'remove': {
      // By the node itself: only an administrator may.
      const reply = judged(await hub.ask({ method: 'DELETE', path: `${model.path}${one.query}`, token }))
      same(reply.answer.status, 403, 'the status for a node that removes')
      return reply
    }
    case 'show':
      return await get(model.path)
    case 'list':
      return await get(pointsPath(hub))
    case 'index':
      return await get(`/binhost/nodes/${hub.known.fleet.busy.node}/Packages`)
  }
}

/** Whether all of its bytes came, under whichever of its names. */
function isWhole({ files, received }: Model): boolean {
  return files.every(({ bytes }) => [...received].some((had) => had.bytes.equals(bytes)))
}

async function put(
  hub: FuzzedHub,
  model: Model,
  one: Step,
): Promise<{ readonly answer: Answer; readonly verdict: Verdict }> {
  const file = model.files[one.file] as PackedFile
  const place = one.what === 'metadata' ? 'metadata' : PLACES[file.kind]
  const query = one.what === 'upload' ? '?upload=upl_none' : one.query
  const body = bytesFor(one.bytes, file.bytes)
  const digest = createHash('sha256')
    .update(one.digest === 'right' ? body : 'other')
    .digest('base64')
  const answer = await hub.ask({
    method: 'PUT',
    path: `${model.path}/${place}/${file.name}${query}`,
    token: hub.known.fleet.busy.token,
    headers: {
      'Content-Type': 'application/octet-stream',
      'Content-Digest': one.digest === 'right' || one.digest === 'wrong' ? `sha-256=:${digest}:` : one.digest,
    },
    body,
  })
  const verdict = judgeAnswer(answer)
  if (verdict === 'accepted' && answer.status === 201) {
    if (!body.equals(file.bytes)) throw new Error('taken, and these are other bytes')
    if (one.digest === 'wrong') throw new Error('taken, and the digest is another')
    if (model.state !== 'announced') throw new Error(`taken by a point that is ${model.state}`)
    model.received.add(file)
  }
  return { answer, verdict }
}

function bytesFor(wanted: Step['bytes'], right: Buffer): Buffer {
  switch (wanted) {
    case 'right':
      return right
    case 'short':
      return right.subarray(0, -1)
    case 'long':
      return Buffer.concat([right, Buffer.from('x')])
    case 'empty':
      return Buffer.alloc(0)
    case 'large':
      return Buffer.alloc(5 * 1024 * 1024)
  }
}

/** The index has packages of a complete point and of no other. */
async function expectShown(hub: FuzzedHub, { state }: Model): Promise<void> {
  const { node, token } = hub.known.fleet.busy
  const { text } = await hub.ask({ path: `/binhost/nodes/${node}/Packages`, token })
  if (state !== 'complete')
    same(/^CPV: /m.test(text), false, `whether a point that is ${state} is in the index`)
}

/** By an administrator: nodes may not. */
async function takeAway(hub: FuzzedHub, { path }: Model): Promise<void> {
  await hub.ask({ method: 'DELETE', path: `${path}/pin` })
  const gone = await hub.ask({ method: 'DELETE', path: `${path}?newest=true` })
  same(gone.status, 200, 'the status of the removal')
}

function pointsPath(hub: FuzzedHub): string {
  return `/api/v1/nodes/${hub.known.fleet.busy.node}/restore-points`
}

async function post(hub: FuzzedHub, path: string, text: string): Promise<Answer> {
  const { token } = hub.known.fleet.busy
  const headers = { 'Content-Type': 'application/json' }
  return await hub.ask({ method: 'POST', path, headers, token, body: Buffer.from(text) })
}
