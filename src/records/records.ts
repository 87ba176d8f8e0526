/** The ledger: one object per table group, and `transaction` for writes that belong together. */
import type { Db } from './database.ts'
import { AppRecords } from './apps.ts'
import { ApprovalRecords } from './approvals.ts'
import { AuditRecords } from './audit.ts'
import { BuildRecords } from './builds.ts'
import { CheckRecords } from './checks.ts'
import { FileIndex } from './file-index.ts'
import { Growth } from './growth.ts'
import { HoldRecords } from './holds.ts'
import { IdempotencyRecords } from './idempotency.ts'
import { NodeRecords } from './nodes.ts'
import { OverlayRecords } from './overlays.ts'
import { PackageChangeRecords } from './package-changes.ts'
import { PartialUploadRecords } from './partial-uploads.ts'
import { PersonRecords } from './people.ts'
import { PinRecords } from './pins.ts'
import { PolicyRecords } from './policies.ts'
import { PromotionRecords } from './promotions.ts'
import { ReleaseRecords } from './releases.ts'
import { BinpkgRecords } from './binpkgs.ts'
import { RestorePointRecords } from './restore-points.ts'
import { RetentionRecords } from './retention.ts'
import { RollbackRecords } from './rollbacks.ts'
import { SearchRecords } from './search.ts'
import { SessionRecords, SignInLinkRecords } from './sessions.ts'
import { KnownTokens, TokenRecords } from './tokens.ts'
import { TrustRecords } from './trusts.ts'
import { UsageRecords } from './usage.ts'
import { WebhookRecords } from './webhooks.ts'

export class Records {
  readonly #db: Db
  readonly #knownTokens: KnownTokens
  readonly apps: AppRecords
  readonly builds: BuildRecords
  readonly releases: ReleaseRecords
  readonly promotions: PromotionRecords
  readonly overlays: OverlayRecords
  readonly tokens: TokenRecords
  readonly idempotency: IdempotencyRecords
  readonly partialUploads: PartialUploadRecords
  readonly restorePoints: RestorePointRecords
  readonly binpkgs: BinpkgRecords
  readonly packageChanges: PackageChangeRecords
  readonly rollbacks: RollbackRecords
  readonly holds: HoldRecords
  readonly pins: PinRecords
  readonly retention: RetentionRecords
  readonly usage: UsageRecords
  readonly nodes: NodeRecords
  readonly checks: CheckRecords
  readonly policies: PolicyRecords
  readonly audit: AuditRecords
  readonly approvals: ApprovalRecords
  readonly webhooks: WebhookRecords
  readonly trusts: TrustRecords
  readonly people: PersonRecords
  readonly sessions: SessionRecords
  readonly signInLinks: SignInLinkRecords
  readonly fileIndex: FileIndex
  readonly search: SearchRecords
  /** Of the audit: told after the transaction that appended to it. */
  readonly growth: Growth

  constructor(db: Db, knownTokens = new KnownTokens(), growth = new Growth()) {
    this.#db = db
    this.#knownTokens = knownTokens
    this.growth = growth
    this.apps = new AppRecords(db)
    this.builds = new BuildRecords(db)
    this.releases = new ReleaseRecords(db)
    this.promotions = new PromotionRecords(db)
    this.overlays = new OverlayRecords(db)
    this.tokens = new TokenRecords(db, knownTokens)
    this.idempotency = new IdempotencyRecords(db)
    this.partialUploads = new PartialUploadRecords(db)
    this.restorePoints = new RestorePointRecords(db)
    this.binpkgs = new BinpkgRecords(db)
    this.packageChanges = new PackageChangeRecords(db)
    this.rollbacks = new RollbackRecords(db)
    this.holds = new HoldRecords(db)
    this.pins = new PinRecords(db)
    this.retention = new RetentionRecords(db)
    this.usage = new UsageRecords(db)
    this.nodes = new NodeRecords(db)
    this.checks = new CheckRecords(db)
    this.policies = new PolicyRecords(db)
    this.audit = new AuditRecords(db, growth)
    this.approvals = new ApprovalRecords(db)
    this.webhooks = new WebhookRecords(db)
    this.trusts = new TrustRecords(db)
    this.people = new PersonRecords(db)
    this.sessions = new SessionRecords(db)
    this.signInLinks = new SignInLinkRecords(db)
    this.fileIndex = new FileIndex(db)
    this.search = new SearchRecords(db)
  }

  /**
   * Runs `work` in one transaction: all of its writes or none. Keep files and network out of it: it holds the one
   * writer.
   */
  async transaction<T>(work: (records: Records) => Promise<T>): Promise<T> {
    const result = await this.#db
      .transaction()
      .execute(async (transaction) => await work(new Records(transaction, this.#knownTokens, this.growth)))
    this.growth.tell()
    return result
  }

  /** Whether the database answers. */
  async isReachable(): Promise<boolean> {
    return await this.tokens.hasAdministrator().then(
      () => true,
      () => false,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db.destroy()
  }
}
