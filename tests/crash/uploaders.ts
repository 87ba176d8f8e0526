/** Clients that upload, each by one of the ways that there are. */
import { createHash } from 'node:crypto'
import { Client as ApiClient } from '../../src/cli/client.ts'
import { Failure } from '../../src/cli/failure.ts'
import { streamedForm } from '../../src/cli/form.ts'
import type { RawReply, RawRequest } from '../support/raw-http.ts'
import { FORM_TYPE, formBody } from '../support/raw-http.ts'
import type { Random } from '../support/random.ts'
import { tarball } from '../support/tarballs.ts'
import { ADMIN_TOKEN } from '../support/test-hub.ts'
import type { SentBuild } from './ledger.ts'
import { HubGone, ask, found } from './requests.ts'
import type { World } from './requests.ts'

/** One way to send the bytes of a build; gives the status. @throws {HubGone}. */
type Send = (world: World, build: SentBuild, bytes: Buffer) => Promise<RawReply['status']>

/** Uploads the app's next build, or one that was sent before once more, now and then two at a time. */
export function uploader(app: string, way: Send): (world: World) => Promise<void> {
  return async (world) => {
    const { ledger, random } = world
    const known = [...ledger.builds.values()].filter((build) => build.app === app)
    const again = random.chance(0.25) ? random.pick(known) : undefined
    const build = again ?? ledger.build(app, known.length + 1)
    const bytes = again
      ? (again.sent.get(again.acknowledged ?? '') ?? [...again.sent.values()][0])
      : newTarball(random)
    if (!bytes) return
    if (random.chance(0.3))
      await Promise.all([sendBuild(world, build, bytes, way), sendBuild(world, build, bytes, way)])
    else await sendBuild(world, build, bytes, way)
  }
}

/** Uploads other bytes under a number that is taken: refused, whatever happens to the hub meanwhile. */
export async function disputeBuild(world: World): Promise<void> {
  const build = world.random.pick(
    [...world.ledger.builds.values()].filter(({ acknowledged }) => acknowledged !== null),
  )
  if (!build) return
  const request = putRequest(build, newTarball(world.random))
  const reply = await ask(world, request)
  if (reply.status !== 409) found(world, request, reply)
}

/** Sends the bytes and writes down what came of it. */
export async function sendBuild(world: World, build: SentBuild, bytes: Buffer, way: Send): Promise<void> {
  const digest = sha512(bytes)
  build.sent.set(digest, bytes)
  const status = await way(world, build, bytes)
  const mayBeRefused = build.sent.size > 1
  if (status === 200 || status === 201) {
    if (build.acknowledged !== null && build.acknowledged !== digest)
      world.ledger.findings.push(
        `${build.app} ${String(build.build)}: two different uploads were acknowledged`,
      )
    build.acknowledged = digest
    world.ledger.heard()
  } else if (!mayBeRefused || status !== 409) {
    world.ledger.findings.push(
      `${build.app} ${String(build.build)}: an upload was answered ${String(status)}`,
    )
  }
}

export const byPut: Send = async (world, build, bytes) => (await ask(world, putRequest(build, bytes))).status

function putRequest({ app, build }: SentBuild, body: Buffer): RawRequest {
  return { method: 'PUT', path: `/api/v1/apps/${app}/builds/${String(build)}/tarball`, body }
}

export const byForm: Send = async (world, { app, build }, bytes) => {
  const body = formBody({ build: String(build), tarball: bytes })
  return (await ask(world, formRequest(app, body))).status
}

function formRequest(app: string, body: Buffer, headers: Readonly<Record<string, string>> = {}): RawRequest {
  return {
    method: 'POST',
    path: `/api/v1/apps/${app}/builds`,
    headers: { 'Content-Type': FORM_TYPE, 'Content-Length': String(body.length), ...headers },
    body,
  }
}

/** As `portage-hub push` does: the digest first, and the bytes streamed behind it. */
export const byPush: Send = async (world, { app, build }, bytes) => {
  const fields = [
    ['build', String(build)],
    ['sha512', sha512(bytes)],
  ] as const
  const chunks = (async function* () {
    for (let at = 0; at < bytes.length; at += 16_384) yield bytes.subarray(at, at + 16_384)
  })()
  const file = { field: 'tarball', fileName: 'a.tar.gz', sizeBytes: bytes.length, chunks }
  const client = new ApiClient(world.url, ADMIN_TOKEN)
  try {
    return (await client.upload(`/api/v1/apps/${app}/builds`, {}, streamedForm(fields, [file]))).status
  } catch (error) {
    const status = error instanceof Failure ? statusOf(error) : null
    if (status === null) throw new HubGone('no answer', { cause: error })
    return status
  }
}

function statusOf({ code }: Failure): number | null {
  if (code === 'build.duplicate') return 409
  return code === 'hub.unreachable' ? null : 500
}

/** Leaves the number to the hub; the key makes the repetition the same upload. */
export async function uploadByKey(world: World): Promise<void> {
  const { ledger, random } = world
  const app = 'keyed'
  const keyed = [...ledger.keyed.values()].filter((upload) => upload.app === app)
  const waiting = keyed.filter(({ acknowledged }) => acknowledged === null)
  const again = random.chance(0.5)
    ? random.pick(waiting)
    : random.chance(0.2)
      ? random.pick(keyed)
      : undefined
  const bytes = again?.bytes ?? newTarball(random)
  const key = again?.key ?? `key-${String(ledger.keyed.size)}`
  const upload = again ?? { key, app, bytes, sha512: sha512(bytes), acknowledged: null }
  ledger.keyed.set(key, upload)
  const request = formRequest(app, formBody({ tarball: bytes }), { 'Idempotency-Key': key })
  const reply = await ask(world, request)
  const build = reply.json['build'] as number
  if (reply.status !== 200 && reply.status !== 201) found(world, request, reply)
  else if (upload.acknowledged !== null && upload.acknowledged !== build)
    ledger.findings.push(`${key} became build ${String(build)} after build ${String(upload.acknowledged)}`)
  else {
    upload.acknowledged = build
    ledger.heard()
  }
}

/** Small as a rule, so that much happens; now and then one that comes in many pieces. */
export function newTarball(random: Random): Buffer {
  return tarball({ 'bin/run': random.bytes(random.chance(0.15) ? 300_000 : 200) })
}

export function sha512(bytes: Buffer): string {
  return createHash('sha512').update(bytes).digest('hex')
}
