/**
 * The end of an upload: every file is here, and each package among them is one that the hub may give back to its node. A
 * point is complete as a whole or refused as a whole; packages of a refused one are in no index.
 */
import { recordChange } from '../audit/record-change.ts'
import { nextTimestampSec } from '../binpkgs/binhost-index.ts'
import { FIRST_TIMESTAMP_SEC } from '../binpkgs/binhosts.ts'
import { judgeBinpkg } from '../binpkgs/judge-binpkg.ts'
import type { JudgedBinpkg } from '../binpkgs/judge-binpkg.ts'
import { signForBinhost } from '../binpkgs/sign-for-binhost.ts'
import type { SignedBinpkg } from '../binpkgs/sign-for-binhost.ts'
import { timestamp, unixSeconds } from '../clock.ts'
import { ERRORS, HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { overlayName } from '../overlays/plan-overlay.ts'
import type { BinpkgRow } from '../records/binpkgs.ts'
import type { PointKey, RestorePointFileRow, RestorePointRow } from '../records/restore-points.ts'
import type { Adoption } from '../storage/blob-store.ts'
import { removeUnneededBlob } from './remove-unneeded-blob.ts'
import { BLOB_TURN, blobOf, findPoint, pointChange, pointTurn } from './restore-point.ts'

type Needs = Pick<
  Hub,
  | 'records'
  | 'clock'
  | 'config'
  | 'limits'
  | 'steps'
  | 'turns'
  | 'binpkgBlobs'
  | 'binhostKeys'
  | 'binhosts'
  | 'log'
>

export interface CompletedPoint {
  readonly point: RestorePointRow
  /** The packages as the node's binhost shows them; none of an encrypted point. */
  readonly binpkgs: readonly BinpkgRow[]
}

/**
 * Ends an announced point. One that is complete stays so and is given back.
 * @throws {HubError} `restore_point.unknown`; `restore_point.incomplete`; `restore_point.ended` for a refused one; what
 *   `judgeBinpkg` says: the point is refused then, and its bytes are not kept.
 */
export async function completePoint(hub: Needs, key: PointKey): Promise<CompletedPoint> {
  return await hub.turns.run(pointTurn(key.node), async () => {
    const point = await findPoint(hub, key)
    const files = await hub.records.restorePoints.filesOf(key)
    if (point.state === 'refused') throw ended(point)
    if (point.state === 'complete') return { point, binpkgs: await shownBinpkgs(hub, point, files) }
    refuseMissing(key, files)
    try {
      const judged = point.encrypted === 0 ? await judgePackages(hub, point, files) : []
      await accept(hub, point, judged)
    } catch (error) {
      if (error instanceof HubError && isVerdict(error)) await refuse(hub, point, files, error)
      throw error
    }
    return { point: await findPoint(hub, key), binpkgs: await shownBinpkgs(hub, point, files) }
  })
}

/** A package of a point that becomes one of the node's binhost. */
interface Judged {
  readonly file: RestorePointFileRow
  readonly binpkg: JudgedBinpkg
}

interface Signed {
  readonly row: BinpkgRow
  readonly signed: SignedBinpkg
}

/**
 * Judges all before it takes one. Bytes that became a package before, in another point or before a crash, are that package.
 * What cannot be gone back to is no restore point: the package that the node ran must be there.
 */
async function judgePackages(
  hub: Needs,
  point: RestorePointRow,
  files: readonly RestorePointFileRow[],
): Promise<readonly Judged[]> {
  const known = await shownBinpkgs(hub, point, files)
  const isNew = ({ kind, sha512 }: RestorePointFileRow): boolean =>
    kind === 'binpkg' && known.every(({ uploadedSha512 }) => uploadedSha512 !== sha512)
  const overlays = hub.config.environments.map(({ name }) => overlayName(hub.config, name))
  const judged: Judged[] = []
  // The same bytes under two names are one package.
  for (const file of new Map(files.filter(isNew).map((one) => [one.sha512, one])).values()) {
    const path = hub.binpkgBlobs.path(blobOf(file))
    judged.push({ file, binpkg: await judgeBinpkg(hub, { path, name: file.name, overlays }) })
  }
  if (![...known, ...judged.map(({ binpkg }) => binpkg)].some(({ cpv }) => cpv === point.cpv))
    throw new HubError(
      'binpkg.refused',
      `the restore point says it is of ${point.cpv} and has no package of it`,
    )
  hub.steps.reached('point.judged')
  return judged
}

/**
 * All packages and the point's end together: whoever sees the one sees the other. The index shows them before the bytes
 * that came go, which nothing names any more.
 */
async function accept(hub: Needs, point: RestorePointRow, judged: readonly Judged[]): Promise<void> {
  await using uploads = new AsyncDisposableStack()
  const all: Signed[] = []
  for (const { file, binpkg } of judged) {
    const taken = all.filter(({ row }) => row.cpv === binpkg.cpv).length
    const buildId = (await hub.records.binpkgs.newestBuildId(point.node, binpkg.cpv)) + taken + 1
    const signed = uploads.use(await signForBinhost(hub, binpkg, buildId))
    all.push({ row: binpkgRow(hub, point, { file, judged: binpkg, signed }), signed })
    hub.steps.reached('point.signed')
  }
  const timestampSec = await keep(hub, point, all)
  const fields = all.map(({ signed }) => signed.indexFields)
  if (timestampSec !== null) await hub.binhosts.show(point.node, fields, timestampSec)
  hub.steps.reached('point.shown')
  // The signed files have their bytes too.
  for (const { file } of judged) await removeUnneededBlob(hub, blobOf(file))
  hub.steps.reached('point.cleared')
}

/** The files, then everything that says that they are there. Gives what `record` gives. */
async function keep(hub: Needs, point: RestorePointRow, all: readonly Signed[]): Promise<number | null> {
  return await hub.turns.run(BLOB_TURN, async () => {
    const adoptions: Adoption[] = []
    const timestampSec = await adoptAll().catch(async (error: unknown) => {
      for (const adoption of adoptions) await adoption.undo()
      throw error
    })
    hub.steps.reached('point.recorded')
    for (const adoption of adoptions) await adoption.settle()
    return timestampSec

    async function adoptAll(): Promise<number | null> {
      for (const { row, signed } of all)
        adoptions.push(await hub.binpkgBlobs.adopt(signed.uploadPath, row.sha512))
      hub.steps.reached('point.recording')
      return await record(
        hub,
        point,
        all.map(({ row }) => row),
      )
    }
  })
}

/** Gives the index's new TIMESTAMP; null if no package is new, and the index as it was. */
async function record(
  hub: Needs,
  point: RestorePointRow,
  rows: readonly BinpkgRow[],
): Promise<number | null> {
  const { node, id } = point
  const now = hub.clock.now()
  return await hub.records.transaction(async (records) => {
    const { binpkgs, restorePoints } = records
    await restorePoints.finish(
      { node, id },
      { state: 'complete', refusal: null, completedAt: timestamp(now) },
    )
    await recordChange(records, hub.clock, pointChange('restore_point.completed', point))
    if (rows.length === 0) return null
    const before = (await binpkgs.timestampSec(node)) ?? FIRST_TIMESTAMP_SEC
    const timestampSec = nextTimestampSec(before, unixSeconds(now))
    for (const row of rows) await binpkgs.add(row)
    await binpkgs.setTimestamp(node, timestampSec)
    return timestampSec
  })
}

function binpkgRow(
  hub: Pick<Hub, 'clock'>,
  { node, id }: RestorePointRow,
  {
    file,
    judged: { image },
    signed,
  }: {
    readonly file: RestorePointFileRow
    readonly judged: JudgedBinpkg
    readonly signed: SignedBinpkg
  },
): BinpkgRow {
  const { cpv, binpkgBuildId, path, sha512, sha256, sizeBytes, indexFields, signedBy } = signed
  return {
    ...{ node, cpv, binpkgBuildId, path, point: id, uploadedSha512: file.sha512, sha512, sha256, sizeBytes },
    indexFields: JSON.stringify(indexFields),
    signedBy,
    imageDigest: image.digest,
    changedFiles: image.changed && JSON.stringify(image.changed),
    acceptedAt: timestamp(hub.clock.now()),
  }
}

/** About the package, and not about the hub: one that lacks a program may have it tomorrow. */
function isVerdict({ code }: HubError): boolean {
  return ERRORS[code].status === 422
}

/** The reason stays, the bytes do not, but for those that another point needs. */
async function refuse(
  hub: Needs,
  point: RestorePointRow,
  files: readonly RestorePointFileRow[],
  { code, message }: HubError,
): Promise<void> {
  const key = { node: point.node, id: point.id }
  const refusal = `${code}: ${message}`.slice(0, 2000)
  await hub.records.transaction(async (records) => {
    const { restorePoints } = records
    await restorePoints.finish(key, { state: 'refused', refusal, completedAt: timestamp(hub.clock.now()) })
    await restorePoints.forgetBytes(key)
    const change = { ...pointChange('restore_point.refused', point), after: { refusal } }
    await recordChange(records, hub.clock, change)
  })
  for (const sha512 of new Set(files.map(blobOf))) await removeUnneededBlob(hub, sha512)
  hub.log.warn({ node: point.node, point: point.id, refusal }, 'a restore point was refused')
}

function refuseMissing({ id }: PointKey, files: readonly RestorePointFileRow[]): void {
  const missing = files
    .filter(({ receivedAt }) => receivedAt === null)
    .map(({ kind, name }) => ({ kind, name }))
  const [first] = missing
  if (!first) return
  throw new HubError(
    'restore_point.incomplete',
    `${id} lacks ${String(missing.length)} of its files, ${first.name} among them: send them first`,
    { wants: missing },
  )
}

async function shownBinpkgs(
  hub: Pick<Hub, 'records'>,
  { node }: RestorePointRow,
  files: readonly RestorePointFileRow[],
): Promise<readonly BinpkgRow[]> {
  const packages = files.filter(({ kind }) => kind === 'binpkg')
  const rows = await Promise.all(
    packages.map(async ({ sha512 }) => await hub.records.binpkgs.findByUpload(node, sha512)),
  )
  return rows.filter((row) => row !== undefined)
}

function ended({ id, refusal }: RestorePointRow): HubError {
  return new HubError('restore_point.ended', `${id} was refused (${refusal ?? ''}); announce a new one`)
}
