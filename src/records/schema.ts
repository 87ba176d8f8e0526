/**
 * The tables as Kysely sees them (camel case here, snake case in the database, by CamelCasePlugin). Written so that
 * SQLite and PostgreSQL serve alike: times are RFC 3339 text in UTC, truth values are 0 and 1, JSON is text, digests
 * are lower-case hex.
 */
import type { AuditHeadTable, AuditTable } from './audit-tables.ts'
import type { ApprovalTable, PolicyTable } from './policy-tables.ts'
import type { PersonTable, SessionTable, SignInLinkTable } from './people-tables.ts'
import type {
  BinhostTable,
  BinpkgBuildIdTable,
  BinpkgTable,
  RestorePointFileTable,
  RestorePointTable,
} from './point-tables.ts'
import type { FileBuildTable, FilePathTable, FileQueueTable, FileSearchTable } from './search-tables.ts'
import type { ExchangeTable, TrustTable } from './trust-tables.ts'
import type { WebhookDeliveryTable, WebhookQueueTable, WebhookTable } from './webhook-tables.ts'

export interface Schema {
  apps: AppTable
  builds: BuildTable
  buildSearch: BuildSearchTable
  listings: ListingTable
  releases: ReleaseTable
  promotions: PromotionTable
  revisions: RevisionTable
  revisionChanges: RevisionChangeTable
  overlayFiles: OverlayFileTable
  overlayBlobs: OverlayBlobTable
  tokens: TokenTable
  idempotencyKeys: IdempotencyKeyTable
  partialUploads: PartialUploadTable
  nodes: NodeTable
  nodeReports: NodeReportTable
  nodePackages: NodePackageTable
  restorePoints: RestorePointTable
  restorePointFiles: RestorePointFileTable
  binpkgs: BinpkgTable
  binhosts: BinhostTable
  binpkgBuildIds: BinpkgBuildIdTable
  rollbacks: RollbackTable
  environmentRollbacks: EnvironmentRollbackTable
  holds: HoldTable
  pins: PinTable
  retentionRules: RetentionRuleTable
  checks: CheckTable
  checkReports: CheckReportTable
  policies: PolicyTable
  approvals: ApprovalTable
  audit: AuditTable
  auditHead: AuditHeadTable
  webhooks: WebhookTable
  webhookDeliveries: WebhookDeliveryTable
  webhookQueue: WebhookQueueTable
  trusts: TrustTable
  exchanges: ExchangeTable
  people: PersonTable
  sessions: SessionTable
  signInLinks: SignInLinkTable
  filePaths: FilePathTable
  fileSearch: FileSearchTable
  fileBuilds: FileBuildTable
  fileQueue: FileQueueTable
}

export interface AppTable {
  name: string
  category: string
  description: string | null
  versionPolicy: string
  defaultRecipe: string | null
  /** The highest number a build of this app ever had; numbers are never given twice. */
  lastBuild: number
  createdAt: string
}

export interface BuildTable {
  app: string
  build: number
  semver: string | null
  category: string
  pn: string
  pv: string
  distfileName: string
  format: string
  topDirectory: string | null
  entryCount: number
  unpackedBytes: number
  sizeBytes: number
  blake2b: string
  sha512: string
  sha256: string
  recipe: string | null
  recipeSource: string
  /** Git object ids in overlay_blobs of what is published for this build, rendered once. */
  ebuildOid: string
  cacheOid: string | null
  commitId: string | null
  branch: string | null
  ciUrl: string | null
  uploadedBy: string
  receivedAt: string
}

/** Text of builds by trigrams, filled by a trigger; asked with `match`. */
export interface BuildSearchTable {
  /** In the order of arrival. */
  rowid: number
  app: string
  build: number
}

/** What is inside a tarball: zstd-compressed JSON of `ArchiveEntry[]`, by the tarball's digest. */
export interface ListingTable {
  sha512: string
  entries: Buffer
}

export interface ReleaseTable {
  id: string
  environment: string
  app: string
  build: number
  state: 'released' | 'withdrawn'
  releasedBy: string
  releasedAt: string
  revision: number
  withdrawnBy: string | null
  withdrawnAt: string | null
  withdrawnRevision: number | null
  reason: string | null
}

export interface PromotionTable {
  id: string
  app: string
  build: number
  environment: string
  state: string
  /** 1: publish again what was withdrawn from there. */
  liftWithdrawal: number
  requestedBy: string
  /** The id of the token or person that asked; null: a policy did, or it is from before this was kept. */
  requestedWith: string | null
  /** Who is behind the request, or behind the upload that a policy asked for; null: it is not known. */
  requestedOwner: string | null
  requestedAt: string
  finishedAt: string | null
  releaseId: string | null
  revision: number | null
  detail: string | null
  /** The version of the environment's policy that judged it last; null: from before there were policies, or not yet. */
  policyVersion: number | null
  /** Why somebody skips the waiting; null: nobody does. */
  overrideReason: string | null
  overrideBy: string | null
  /** Who is behind that. */
  overrideOwner: string | null
  /** The promotion that took its place. */
  supersededBy: string | null
  /** The id of the first promotion of its release set, for each of them; null: it is asked for alone. */
  setId: string | null
}

export interface RevisionTable {
  environment: string
  number: number
  commitOid: string
  treeOid: string
  parentOid: string | null
  timeSec: number
  authorName: string
  authorEmail: string
  message: string
  /** Armored detached OpenPGP signature of the commit without it. */
  signature: string
}

export interface RevisionChangeTable {
  environment: string
  revision: number
  path: string
  /** null: the path was removed. */
  oid: string | null
}

/** The tree of the newest revision, so that a start reads one table and not the history. */
export interface OverlayFileTable {
  environment: string
  path: string
  oid: string
  /** 1: put by hand and never touched by the hub itself. */
  byHand: number
}

export interface OverlayBlobTable {
  oid: string
  content: Buffer
}

export interface TokenTable {
  id: string
  name: string
  role: string
  apps: string | null
  environments: string | null
  /** The node that shows it, or, for enrolment, the only one that may; null: none in particular. */
  node: string | null
  maySendCommands: number
  secretSha256: string
  createdBy: string
  /** The person or token that stands behind it: `Principal.owner`. */
  owner: string
  createdAt: string
  expiresAt: string | null
  revokedAt: string | null
}

export interface IdempotencyKeyTable {
  /** The id of the token or person that sent it. */
  principal: string
  key: string
  fingerprint: string
  status: number
  body: string
  createdAt: string
}

export interface PartialUploadTable {
  id: string
  /** The id of the token or person that began it. */
  principal: string
  sizeBytes: number
  /** So much of the file survives a power cut; what lies beyond in it counts for nothing. */
  offsetBytes: number
  /** `Upload-Metadata` as it was sent. */
  metadata: string | null
  /** The build that it became last; null while it is none. */
  app: string | null
  build: number | null
  createdAt: string
  expiresAt: string
}

export interface NodeTable {
  name: string
  environment: string
  /** systemd's or D-Bus's id of the machine, if it was told. */
  machineId: string | null
  /** The token that the node shows. */
  tokenId: string
  enrolledBy: string
  /** Id of the token that asked for it; null for nodes from before it was kept. */
  enrolledWith: string | null
  /** SHA256 of the secret by which the same caller may ask again; null: there is none. */
  retrySha256: string | null
  enrolledAt: string
  leftAt: string | null
  /** By the hub's clock; null before the first report. */
  reportedAt: string | null
  /** The commit of the overlay that it synced last, as it says. */
  syncedCommit: string | null
}

/** The newest report of a node: JSON, as it was checked. */
export interface NodeReportTable {
  node: string
  body: string
}

/** What a node has installed of the hub's overlay. */
export interface NodePackageTable {
  node: string
  cpv: string
  repository: string
  /** The build that it is; null for a package that is kept by hand. */
  app: string | null
  build: number | null
  /** Portage's BUILD_ID of the binary package that it came from. */
  binpkgBuildId: number | null
  restorePoint: string | null
  /** When a report first said so, by the hub's clock. */
  since: string
}

export interface RollbackTable {
  id: string
  node: string
  app: string
  point: string
  withDump: number
  force: number
  state: 'requested' | 'done' | 'failed' | 'cancelled'
  requestedBy: string
  requestedAt: string
  finishedAt: string | null
  detail: string | null
  /** The rollback of a whole environment that it is part of; null: it was asked for alone. */
  environmentRollback: string | null
}

/** A rollback of all nodes of an environment. */
export interface EnvironmentRollbackTable {
  id: string
  environment: string
  app: string
  /** The build to go back to. */
  build: number
  withDump: number
  force: number
  reason: string
  requestedBy: string
  requestedAt: string
  /** JSON of what was known of each node when it was asked for. */
  nodes: string
}

export interface RetentionRuleTable {
  /** '' for the rules of the hub. */
  app: string
  keepNewest: number | null
  keepDays: number | null
  keepRevisions: number
  setBy: string
  setAt: string
}

export interface HoldTable {
  id: string
  app: string
  /** null: every build of the app. */
  build: number | null
  /** 1: every build whose version is newer too. */
  newer: number
  /** null: in all environments. */
  environment: string | null
  /** 1: its builds are masked in the overlay of each environment in which it binds. */
  mask: number
  /** 1: its build is yanked: held and masked everywhere, for a reason that all may read. */
  yank: number
  /** The rollback of an environment that set it; null: a person did. */
  rollback: string | null
  reason: string
  heldBy: string
  heldAt: string
  /** The overlay's revision that has the mask. */
  heldRevision: number | null
  liftedBy: string | null
  liftedAt: string | null
  liftedRevision: number | null
  liftReason: string | null
}

/** Builds that no retention takes away, until somebody unpins them. */
export interface PinTable {
  app: string
  build: number
  reason: string
  pinnedBy: string
  pinnedAt: string
}

/** One result that CI or a person told of a build; a later one of the same stage and name counts instead. */
export interface CheckTable {
  id: string
  app: string
  build: number
  stage: 'commit' | 'acceptance' | 'manual'
  name: string
  status: 'running' | 'passed' | 'failed' | 'skipped'
  url: string | null
  summary: string | null
  reportedBy: string
  reportedAt: string
}

/** A report that came with a check, as it was read. */
export interface CheckReportTable {
  checkId: string
  /** From 0, in the order of the request. */
  position: number
  name: string
  format: 'junit' | 'sarif' | 'cobertura'
  /** Of the file as it was sent. */
  sizeBytes: number
  /** JSON: how many in each state. */
  counts: string
  /** zstd-compressed JSON of `ReportItem[]`. */
  items: Buffer
}
