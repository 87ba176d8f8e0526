/** The JSON of records, one function each, as the API's description (`openapi/`) has it. */
import type { Principal, Role } from '../access/rights.ts'
import type { ArchiveEntry, ArchiveFormat } from '../builds/archive-contents.ts'
import { timestamp } from '../clock.ts'
import type { PolicyVersion } from '../environments/policy.ts'
import type { PromotionState } from '../environments/promotion.ts'
import type { Hub } from '../hub.ts'
import type { NodeStatus, PackageStatus } from '../nodes/node-status.ts'
import type { EnvironmentRollback } from '../nodes/roll-back-environment.ts'
import type { Report } from '../nodes/report.ts'
import type { Published } from '../overlays/overlay.ts'
import { overlayName } from '../overlays/plan-overlay.ts'
import type { AppRow } from '../records/apps.ts'
import type { ApprovalRow } from '../records/approvals.ts'
import type { BuildRow } from '../records/builds.ts'
import type { HeldBuild } from '../records/holds.ts'
import type { PinRow } from '../records/pins.ts'
import type { NodeRow } from '../records/nodes.ts'
import type { RevisionRow } from '../records/overlays.ts'
import type { PromotionRow } from '../records/promotions.ts'
import type { ReleaseRow } from '../records/releases.ts'
import type { RestorePointFileRow, RestorePointRow } from '../records/restore-points.ts'
import type { RollbackRow } from '../records/rollbacks.ts'
import type { TokenRow } from '../records/tokens.ts'
import type { EnvironmentConfig } from '../settings.ts'
import type { App } from './openapi/apps.ts'
import type { ArchiveEntryAnswer, Build } from './openapi/builds.ts'
import type { Environment, Release, Revision } from './openapi/environments.ts'
import type { Hold } from './openapi/holds.ts'
import type { Pin } from './openapi/marks.ts'
import type { Node, NodeStatusAnswer } from './openapi/nodes.ts'
import type { Approval, Promotion } from './openapi/promotions.ts'
import type { Point, PointFile } from './openapi/restore-points.ts'
import type { EnvironmentRollbackAnswer, Rollback } from './openapi/rollbacks.ts'
import type { Asker, Token } from './openapi/tokens.ts'

export function appJson(app: AppRow): App {
  return {
    id: app.name,
    name: app.name,
    category: app.category,
    package: `${app.category}/${app.name}`,
    description: app.description,
    lastBuild: app.lastBuild,
    versionPolicy: JSON.parse(app.versionPolicy) as App['versionPolicy'],
    defaultRecipe:
      app.defaultRecipe === null ? null : (JSON.parse(app.defaultRecipe) as App['defaultRecipe']),
    createdAt: app.createdAt,
  }
}

/** What people have said of a build. */
export interface BuildMarks {
  readonly yank: HeldBuild | undefined
  readonly pin: PinRow | undefined
}

export function buildJson(
  build: BuildRow,
  releases: readonly ReleaseRow[],
  { yank, pin }: BuildMarks,
): Build {
  return {
    id: `${build.app}/${String(build.build)}`,
    app: build.app,
    build: build.build,
    version: build.semver,
    cpv: cpvOf(build),
    category: build.category,
    pn: build.pn,
    pv: build.pv,
    tarball: {
      name: build.distfileName,
      format: build.format as ArchiveFormat,
      sizeBytes: build.sizeBytes,
      blake2b: build.blake2b,
      sha512: build.sha512,
      sha256: build.sha256,
    },
    contents: {
      topDirectory: build.topDirectory,
      entryCount: build.entryCount,
      unpackedBytes: build.unpackedBytes,
    },
    recipe: build.recipe === null ? null : (JSON.parse(build.recipe) as Build['recipe']),
    recipeSource: build.recipeSource,
    commit: build.commitId,
    branch: build.branch,
    ciUrl: build.ciUrl,
    uploadedBy: build.uploadedBy,
    receivedAt: build.receivedAt,
    releases: releases.map(({ id, environment, state, revision, releasedAt }) => ({
      ...{ id, environment, state, revision, releasedAt },
    })),
    yanked: yank ? { hold: yank.id, reason: yank.reason, by: yank.heldBy, at: yank.heldAt } : null,
    pinned: pin ? { reason: pin.reason, by: pin.pinnedBy, at: pin.pinnedAt } : null,
  }
}

export function releaseJson(
  release: ReleaseRow,
  build: Pick<BuildRow, 'semver' | 'category' | 'pn' | 'pv'>,
): Release {
  return {
    id: release.id,
    environment: release.environment,
    app: release.app,
    build: release.build,
    version: build.semver,
    cpv: cpvOf(build),
    state: release.state,
    releasedBy: release.releasedBy,
    releasedAt: release.releasedAt,
    revision: release.revision,
    withdrawnBy: release.withdrawnBy,
    withdrawnAt: release.withdrawnAt,
    withdrawnRevision: release.withdrawnRevision,
    reason: release.reason,
  }
}

/** Who is behind a request counts, and is nobody's to read. */
export function promotionJson(
  {
    requestedWith: _with,
    requestedOwner: _owner,
    overrideOwner: _other,
    setId: _set,
    ...promotion
  }: PromotionRow,
  set: readonly PromotionRow[] | null,
): Promotion {
  return {
    ...promotion,
    set: set?.map(({ id, app, build }) => ({ id, app, build })) ?? null,
    state: promotion.state as PromotionState,
    liftWithdrawal: promotion.liftWithdrawal === 1,
    releaseId: promotion.releaseId === '' ? null : promotion.releaseId,
  }
}

export function approvalJson({ by, role, policyVersion, comment, at }: ApprovalRow): Approval {
  return { by, role: role as Role, policyVersion, comment, at }
}

export function environmentJson(
  hub: Pick<Hub, 'config' | 'overlays' | 'overlayKeys'>,
  { name }: EnvironmentConfig,
  { policy, version }: PolicyVersion,
): Environment {
  const state = hub.overlays.get(name)?.state ?? null
  return {
    id: name,
    name,
    policy: { promote: policy.promote, version },
    anonymousRead: hub.config.anonymousRead.includes(name),
    overlay: {
      name: overlayName(hub.config, name),
      gitUrl: `${hub.config.publicUrl}/git/${name}.git`,
      zipUrl: `${hub.config.publicUrl}/overlays/${name}.zip`,
      revision: state?.revision ?? 0,
      commit: state?.commit ?? null,
    },
    distfilesUrl: `${hub.config.publicUrl}/distfiles/${name}`,
    signingKey: {
      url: `${hub.config.publicUrl}/keys/hub.asc`,
      fingerprint: hub.overlayKeys.current.fingerprint,
    },
  }
}

export function revisionJson(revision: RevisionRow): Revision {
  return {
    id: `${revision.environment}@${String(revision.number)}`,
    environment: revision.environment,
    revision: revision.number,
    commit: revision.commitOid,
    parent: revision.parentOid,
    tree: revision.treeOid,
    author: revision.authorName,
    publishedAt: timestamp(new Date(revision.timeSec * 1000)),
    message: revision.message,
  }
}

/** What a change did, or with `dryRun` would do, to an overlay. */
export function publishedJson(published: Published | null) {
  return published && changedOverlayJson(published)
}

/** The same of several overlays: of those that changed. */
export function publishedTogetherJson(published: ReadonlyMap<string, Published>) {
  return [...published]
    .filter(([, { changes }]) => changes.length > 0)
    .map(([environment, change]) => ({ environment, ...changedOverlayJson(change) }))
}

function changedOverlayJson({ revision, commit, changes }: Published) {
  return {
    revision,
    commit,
    changes: changes.map(({ path, oid }) => ({ path, action: oid === null ? 'remove' : 'write' })),
  }
}

export function entryJson(entry: ArchiveEntry): ArchiveEntryAnswer {
  return { ...entry, mode: entry.mode.toString(8).padStart(4, '0') }
}

/** `role`, `apps` and `environments` are those of the grant, where there is one and no more. */
export function principalJson({ kind, id, name, grants, node }: Principal): Asker {
  const { role, apps, environments } =
    grants.length === 1 && grants[0] ? grants[0] : { role: null, apps: null, environments: null }
  return { kind, id, name, role, apps, environments, node, grants }
}

export function tokenJson(token: TokenRow): Token {
  return {
    id: token.id,
    name: token.name,
    role: token.role as Role,
    apps: token.apps === null ? null : (JSON.parse(token.apps) as Token['apps']),
    environments:
      token.environments === null ? null : (JSON.parse(token.environments) as Token['environments']),
    node: token.node,
    commands: token.maySendCommands === 1,
    createdBy: token.createdBy,
    owner: token.owner,
    createdAt: token.createdAt,
    expiresAt: token.expiresAt,
    revokedAt: token.revokedAt,
  }
}

/** The token of a node is nobody's to see: its id is that of the records alone. */
export function nodeJson(node: NodeRow): Node {
  return {
    id: node.name,
    name: node.name,
    environment: node.environment,
    state: node.leftAt === null ? ('enrolled' as const) : ('left' as const),
    machineId: node.machineId,
    enrolledBy: node.enrolledBy,
    enrolledAt: node.enrolledAt,
    leftAt: node.leftAt,
    reportedAt: node.reportedAt,
    syncedCommit: node.syncedCommit,
  }
}

export function nodeStatusJson({ node, packages, isDrifted, notSeenSince }: NodeStatus): NodeStatusAnswer {
  return { ...nodeJson(node), notSeenSince, drifted: isDrifted, packages: packages.map(packageStatusJson) }
}

function packageStatusJson({ installed, wanted, drift, changedFiles }: PackageStatus) {
  const { cpv, app, build, repository, binpkgBuildId, restorePoint, since } = installed
  return {
    app,
    reported: { cpv, build, repository, binpkgBuildId, restorePoint, since },
    wanted: wanted && { cpv: cpvOf(wanted), build: wanted.build },
    drifted: drift.length > 0,
    reasons: drift,
    changedFiles,
  }
}

/** What the report said besides its packages, which the status has. */
export function nodeReportJson(body: string | undefined) {
  if (body === undefined) return null
  const { at, portage, hubNode, sync, configPending, disk, rehearsed } = JSON.parse(body) as Report
  return { at, portage, hubNode, sync, configPending, disk, rehearsed }
}

function cpvOf({ category, pn, pv }: Pick<BuildRow, 'category' | 'pn' | 'pv'>): string {
  return `${category}/${pn}-${pv}`
}

export function pointJson(
  point: RestorePointRow,
  files?: readonly RestorePointFileRow[],
): Point & { readonly files?: readonly PointFile[] } {
  return {
    id: point.id,
    node: point.node,
    app: point.app,
    cpv: point.cpv,
    reason: point.reason,
    state: point.state,
    refusal: point.refusal,
    encrypted: point.encrypted === 1,
    schemaVersion: point.schemaVersion,
    hubNode: point.hubNode,
    takenAt: point.takenAt,
    announcedAt: point.announcedAt,
    completedAt: point.completedAt,
    rehearsed: point.rehearsedAt === null ? null : rehearsalJson(point.rehearsedAt, point),
    keptAt: point.keptAt,
    ...(files && { files: files.map(pointFileJson) }),
  }
}

function rehearsalJson(at: string, { rehearsalOk, rehearsalDetail }: RestorePointRow) {
  return { at, ok: rehearsalOk === 1, detail: rehearsalDetail ?? '' }
}

export function pointFileJson({ kind, name, sizeBytes, sha512, receivedAt }: RestorePointFileRow): PointFile {
  return { kind, name, sizeBytes, sha512, receivedAt }
}

export function holdJson(hold: HeldBuild): Hold {
  const { category, pn, pv, newer, mask, yank, liftedAt, ...rest } = hold
  return {
    ...rest,
    newer: newer === 1,
    mask: mask === 1,
    yank: yank === 1,
    state: liftedAt === null ? ('held' as const) : ('lifted' as const),
    cpv: category === null || pn === null || pv === null ? null : cpvOf({ category, pn, pv }),
    liftedAt,
  }
}

export function pinJson({ app, build, reason, pinnedBy, pinnedAt }: PinRow): Pin {
  return { app, build, reason, pinnedBy, pinnedAt }
}

export function rollbackJson({ point, withDump, force, ...rollback }: RollbackRow): Rollback {
  return { ...rollback, restorePoint: point, withDump: withDump === 1, force: force === 1 }
}

/** A node that got a wish is as far as that is; of the others it is told why they got none. */
export function environmentRollbackJson({
  rollback,
  nodes,
  rollbacks,
  holds,
}: EnvironmentRollback): EnvironmentRollbackAnswer {
  const { id, environment, app, build, reason, withDump, force, requestedBy, requestedAt } = rollback
  const wishes = new Map(rollbacks.map((wish) => [wish.node, wish]))
  return {
    ...{ id, environment, app, build, reason, withDump: withDump === 1, force: force === 1 },
    ...{ requestedBy, requestedAt },
    nodes: nodes.map(({ node, outlook, ...known }) => {
      const wish = wishes.get(node)
      const progress = { rollback: wish?.id ?? null, finishedAt: wish?.finishedAt ?? null }
      return { node, state: wish?.state ?? outlook, ...progress, detail: wish?.detail ?? null, ...known }
    }),
    holds: holds.map(holdJson),
  }
}
