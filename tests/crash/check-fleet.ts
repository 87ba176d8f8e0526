/** What must hold of nodes, restore points, binhosts, rollbacks, holds, checks and policies after a hub has come back. */
import { createHash } from 'node:crypto'
import { EVERYTHING } from '../../src/access/rights.ts'
import { currentPolicy } from '../../src/environments/environment-policy.ts'
import { parsePackagesIndex } from '../../src/gentoo/packages-index.ts'
import type { IndexFields } from '../../src/gentoo/packages-index.ts'
import { collectBinpkgs } from '../../src/jobs/collect-binpkgs.ts'
import type { DataFolder } from '../../src/jobs/open-data-folder.ts'
import { Turns } from '../../src/turns.ts'
import type { BinpkgRow } from '../../src/records/binpkgs.ts'
import type { RawReply } from '../support/raw-http.ts'
import { send } from '../support/raw-http.ts'
import { ADMIN_TOKEN } from '../support/test-hub.ts'
import type { FleetLedger, SentNode, SentPoint } from './fleet-ledger.ts'

const ALL = { limit: 500, cursor: null }

export interface FleetScene {
  readonly url: string
  readonly fleet: FleetLedger
  readonly folder: DataFolder
  /** Files whose bytes were looked at before: they never change. */
  readonly seen: Set<string>
}

export async function checkFleet(scene: FleetScene): Promise<readonly string[]> {
  const { fleet, folder } = scene
  const findings: string[] = []
  for (const node of fleet.nodes.values()) {
    findings.push(...(await checkNode(scene, node)))
    findings.push(...(await checkPoints(scene, node)))
    findings.push(...(await checkBinhost(scene, node)))
  }
  findings.push(...(await checkRollbacks(scene)), ...(await checkRules(scene)))
  // Each night's job: what the records need no more goes, and nothing else.
  await collectBinpkgs({ ...folder, turns: new Turns() })
  return findings
}

async function checkNode(
  { url, folder: { records } }: FleetScene,
  node: SentNode,
): Promise<readonly string[]> {
  const { name, state, report } = node
  const row = await records.nodes.find(name)
  const actual = !row ? 'absent' : row.leftAt === null ? 'enrolled' : 'left'
  const findings = [...state.seen(`the node ${name}`, actual)]
  if (actual !== 'enrolled') node.token = null
  if (node.token !== null) {
    const { status } = await send(url, { path: `/api/v1/nodes/${name}`, token: node.token })
    if (status !== 200) findings.push(`${name} has its token, and is answered ${String(status)}`)
  }
  const body = await records.nodes.findReport(name)
  const { sync } = JSON.parse(body ?? '{}') as { readonly sync?: { readonly revision: number } }
  return [...findings, ...report.seen(`the report of ${name}`, sync?.revision ?? null)]
}

/** Acknowledged points and files are there, removed ones are gone, and none is there that nobody announced. */
async function checkPoints({ url, folder, seen }: FleetScene, node: SentNode): Promise<readonly string[]> {
  const { restorePoints } = folder.records
  const { items } = await restorePoints.list(node.name, { app: null, rehearsed: null }, ALL)
  const rows = new Map(items.map((row) => [row.id, row]))
  const findings = items
    .filter(({ id }) => node.points.every((point) => point.id !== id))
    .map(({ id }) => `${id} of ${node.name} was never announced`)
  for (const point of node.points) {
    const row = rows.get(point.id)
    const what = `${point.id} of ${node.name}`
    if (row?.state === 'refused') findings.push(`${what} was refused: ${row.refusal ?? ''}`)
    else findings.push(...point.state.seen(what, row?.state ?? 'absent'))
    if (point.state.is('complete')) point.isGoing = false
    const files = await restorePoints.filesOf({ node: node.name, id: point.id })
    const here = new Set(files.filter(({ receivedAt }) => receivedAt !== null).map(({ kind }) => kind))
    for (const file of point.files) {
      if (row && point.received.has(file) && !here.has(file.kind))
        findings.push(`${what} has lost its ${file.kind}`)
      if (here.has(file.kind)) point.received.add(file)
    }
    if (point.state.is('complete')) findings.push(...(await checkDump({ url, seen }, node, point)))
  }
  return findings
}

async function checkDump(
  { url, seen }: Pick<FleetScene, 'url' | 'seen'>,
  node: SentNode,
  { id, files }: SentPoint,
): Promise<readonly string[]> {
  const dump = files.find(({ kind }) => kind === 'dump')
  const path = `/api/v1/nodes/${node.name}/restore-points/${id}/dumps/${dump?.name ?? ''}`
  if (!dump || seen.has(path)) return []
  seen.add(path)
  const { status, body } = await askAs(url, node, path)
  return status === 200 && body.equals(dump.bytes)
    ? []
    : [`${path} is answered ${String(status)}, with other bytes`]
}

/** The index has the packages of complete points, each with the digests of the file that is served, and no others. */
async function checkBinhost(scene: FleetScene, node: SentNode): Promise<readonly string[]> {
  const { url, folder, fleet } = scene
  if (node.state.is('absent')) return []
  const rows = await folder.records.binpkgs.ofNode(node.name)
  const { packages } = parsePackagesIndex(
    (await askAs(url, node, `/binhost/nodes/${node.name}/Packages`)).text,
  )
  const findings: string[] = []
  const complete = node.points.filter(({ state }) => state.is('complete'))
  const uploads = new Set(
    complete.flatMap(({ files }) => files.slice(0, 1)).map(({ bytes }) => sha('sha512', bytes)),
  )
  for (const upload of uploads)
    if (rows.every(({ uploadedSha512 }) => uploadedSha512 !== upload))
      findings.push(`${node.name} has a complete restore point without its package`)
  for (const { path, uploadedSha512 } of rows)
    if (!uploads.has(uploadedSha512)) findings.push(`${path} of ${node.name} is of no complete restore point`)
  const shown = packages.map(({ PATH = '' }) => PATH).sort()
  if (
    shown.join() !==
    rows
      .map(({ path }) => path)
      .sort()
      .join()
  )
    findings.push(`the index of ${node.name} has ${shown.join(' ')}, and its records something else`)
  for (const row of rows)
    findings.push(
      ...(await checkPackage(
        scene,
        node,
        row,
        packages.find(({ PATH }) => PATH === row.path),
      )),
    )
  for (const other of fleet.nodes.values()) {
    if (other === node || other.token === null) continue
    const { status } = await send(url, { path: `/binhost/nodes/${node.name}/Packages`, token: other.token })
    if (status !== 403) findings.push(`${other.name} asked for the index of ${node.name}: ${String(status)}`)
  }
  return findings
}

async function checkPackage(
  { url, seen }: FleetScene,
  node: SentNode,
  { path, sha512 }: BinpkgRow,
  entry: IndexFields = {},
): Promise<readonly string[]> {
  const address = `/binhost/nodes/${node.name}/${path}`
  if (seen.has(`${address} ${sha512}`)) return []
  seen.add(`${address} ${sha512}`)
  const { body } = await askAs(url, node, address)
  const told = [sha512, entry['MD5'], entry['SHA1'], entry['SIZE']]
  const actual = [sha('sha512', body), sha('md5', body), sha('sha1', body), String(body.length)]
  return told.join() === actual.join() ? [] : [`${address} is not the file that its index names`]
}

async function checkRollbacks({ fleet, folder: { records } }: FleetScene): Promise<readonly string[]> {
  const findings: string[] = []
  for (const [id, state] of fleet.rollbacks)
    findings.push(...state.seen(`the rollback ${id}`, (await records.rollbacks.find(id))?.state ?? 'absent'))
  return findings
}

/** `verify` looks whether each mask is in the overlay, and no other. */
async function checkRules({ fleet, folder }: FleetScene): Promise<readonly string[]> {
  const { records } = folder
  const findings: string[] = []
  const { items } = await records.holds.list(
    { app: null, environment: null, sight: EVERYTHING, open: null },
    ALL,
  )
  for (const { reason, yank } of items)
    if (yank === 0 && !fleet.holds.has(reason)) findings.push(`nobody asked for the hold "${reason}"`)
  for (const [reason, hold] of fleet.holds) {
    const row = items.find((item) => item.reason === reason)
    const actual = !row ? 'absent' : row.liftedAt === null ? 'held' : 'lifted'
    findings.push(...hold.state.seen(`the hold "${reason}"`, actual))
    hold.id = row?.id ?? null
  }
  for (const [name, { app, build, reports, state }] of fleet.checks) {
    const { items: runs } = await records.checks.list({ app, build, stage: null, name }, ALL)
    findings.push(...state.seen(`the check "${name}"`, runs.length === 0 ? 'absent' : 'recorded'))
    const kept = await records.checks.reportsOf(runs.map(({ id }) => id))
    if (runs.length > 1 || (runs.length === 1 && kept.length !== reports))
      findings.push(
        `the check "${name}" is there ${String(runs.length)} times with ${String(kept.length)} reports`,
      )
  }
  const { policy } = await currentPolicy(folder, 'production')
  return [...findings, ...fleet.policy.seen('who approves in production', policy.approvals.roles.join(' '))]
}

/** As the node itself, or, if it has no token, as an administrator. */
async function askAs(url: string, { token }: SentNode, path: string): Promise<RawReply> {
  return await send(url, { path, token: token ?? ADMIN_TOKEN })
}

function sha(algorithm: string, bytes: Buffer): string {
  return createHash(algorithm).update(bytes).digest('hex')
}
