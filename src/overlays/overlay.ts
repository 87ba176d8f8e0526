/**
 * One environment's overlay: its newest revision in memory, its repository on disk, and the one way to change it.
 *
 * A revision becomes true with its row (`publish`, step "record") and visible with the update of the repository's ref
 * (step "switch"). Between the two lies only work that can be done again from the row, and `catchUp` does it: after a
 * crash at the next start, after a fault before the next change.
 */
import { EventEmitter } from 'node:events'
import { commitPayload, encodeCommit, objectId } from '../git/objects.ts'
import type { Oid } from '../git/objects.ts'
import { EMPTY_TREE, applyChanges, lookup } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import { unixSeconds } from '../clock.ts'
import type { Hub } from '../hub.ts'
import type { Records } from '../records/records.ts'
import type { RecordedChange, RevisionRow } from '../records/overlays.ts'
import type { GitRepository } from '../storage/git-repository.ts'
import { COMMITTER, commitFields } from './overlay-history.ts'
import type { OverlayState } from './overlay-history.ts'
import type { OverlayPlan } from './plan-overlay.ts'
import { FormerStates } from './former-states.ts'
import { recallRevision } from './recall-revision.ts'
import { Turns } from '../turns.ts'
import { replayRevisions } from './replay-revisions.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'overlayKeys' | 'config' | 'log' | 'steps'>

export interface PublishRequest {
  /** Who made the change; becomes the commit's author. */
  readonly author: string
  /** First line, and after an empty line more, of the commit's message. */
  readonly message: string
  /** What the overlay is to hold, given its tree. Called when it is this change's turn. */
  readonly plan: (tree: Tree) => Promise<OverlayPlan>
  /** The path that is kept by hand; whatever else changes with it is the hub's own. */
  readonly byHand?: string
  /** Further rows that become true with the revision; `revision` is its number. */
  readonly record?: (records: Records, revision: number) => Promise<void>
  /** Work on files that must be done before the revision is visible; may run twice. */
  readonly beforeSwitch?: () => Promise<void>
  /** Whether there is to be a revision though no file changes; asked when it is this change's turn. */
  readonly evenUnchanged?: () => Promise<boolean>
  /** Plan only: nothing is kept. */
  readonly dryRun?: boolean
}

export interface Published {
  readonly revision: number
  readonly commit: Oid | null
  readonly changes: readonly { readonly path: string; readonly oid: Oid | null }[]
}

/** A change that is planned and signed. */
export interface PreparedChange {
  /** What it is when it is true; without a commit in a dry run. */
  readonly published: Published
  /** Makes it true. Belongs into a transaction. */
  readonly record: (records: Records) => Promise<void>
  /** Makes visible what is true. */
  readonly show: () => Promise<void>
}

export class Overlay {
  readonly environment: string
  readonly repository: GitRepository
  readonly #needs: Needs
  #state: OverlayState | null = null
  readonly #former = new FormerStates()
  readonly #turns = new Turns()
  /** Emits `switched` with the new state and the changes since the one before. */
  readonly events = new EventEmitter<{ switched: [OverlayState] }>()

  private constructor(needs: Needs, environment: string, repository: GitRepository) {
    this.#needs = needs
    this.environment = environment
    this.repository = repository
  }

  /** Opens the overlay at its newest recorded revision, finishing what a crash left undone. */
  static async open(needs: Needs, environment: string, repository: GitRepository): Promise<Overlay> {
    const overlay = new Overlay(needs, environment, repository)
    await overlay.catchUp()
    return overlay
  }

  /** The newest visible revision; null before the first. */
  get state(): OverlayState | null {
    return this.#state
  }

  /** Recent states before the newest one, newest first. */
  get former(): readonly OverlayState[] {
    return this.#former.list
  }

  /** The state that a commit was, of those before the newest one: from memory or from the records. */
  async recall(commit: Oid): Promise<OverlayState | null> {
    const newest = this.#state
    if (newest === null || commit === newest.commit) return newest
    const { records } = this.#needs
    return (
      this.#former.get(commit) ??
      this.#former.keep(await recallRevision(records, this.environment, newest, commit))
    )
  }

  /**
   * Makes one revision of the change, when its turn has come: one at a time for an environment. A change that alters
   * no file makes no revision, but its rows are kept all the same.
   */
  async publish(request: PublishRequest): Promise<Published> {
    return await this.prepared(request, async (change) => {
      if (request.dryRun === true) return change.published
      await this.#needs.records.transaction(change.record)
      await change.show()
      return change.published
    })
  }

  /**
   * Runs `work` with the change planned and signed, and no other change of this overlay beside it: for changes that
   * become true together with those of other overlays (`publish-together.ts`).
   */
  async prepared<T>(request: PublishRequest, work: (change: PreparedChange) => Promise<T>): Promise<T> {
    return await this.#turns.run('publish', async () => {
      await this.#catchUp()
      return await work(await this.#prepare(request))
    })
  }

  async #prepare(request: PublishRequest): Promise<PreparedChange> {
    const tree = this.#state?.tree ?? EMPTY_TREE
    const { changes, blobs } = effectiveChanges(tree, await request.plan(tree))
    // Refuses what cannot be, a file below a file for example, in a dry run too.
    const changedTree = applyChanges(tree, changes)
    const isRevision = changes.size > 0 || (await request.evenUnchanged?.()) === true
    const number = (this.#state?.revision ?? 0) + (isRevision ? 1 : 0)
    const listed = [...changes].map(([path, oid]) => ({ path, oid }))
    this.#needs.steps.reached('revision.planned')
    if (!isRevision || request.dryRun === true) {
      const commit = request.dryRun === true ? null : (this.#state?.commit ?? null)
      return {
        published: { revision: number, commit, changes: listed },
        record: async (records) => await request.record?.(records, number),
        show: async () => await request.beforeSwitch?.(),
      }
    }
    const revision = await this.#makeRevision(request, number, changedTree)
    this.#needs.steps.reached('revision.signed')
    const recorded = listed.map((change) => ({ ...change, byHand: request.byHand === change.path }))
    return {
      published: { revision: number, commit: revision.commitOid as Oid, changes: listed },
      record: async (records) => {
        await this.#record(records, request, { revision, changes: recorded, blobs })
      },
      show: async () => {
        this.#needs.steps.reached('revision.recorded')
        await request.beforeSwitch?.()
        this.#needs.steps.reached('revision.mirrored')
        await this.#catchUp(changedTree)
      },
    }
  }

  /** Makes visible what is recorded and not visible yet. Nothing to do is the ordinary case. */
  async catchUp(): Promise<void> {
    await this.#turns.run('publish', async () => await this.#catchUp())
  }

  async #makeRevision(request: PublishRequest, number: number, tree: Tree): Promise<RevisionRow> {
    const { clock, overlayKeys } = this.#needs
    const signingKey = overlayKeys.current
    const parent = this.#state
    const parentSec = parent === null ? 0 : await this.#timeOf(parent.revision)
    // A clock that went back must not date a revision before its parent, whose time nodes and people read history by,
    // nor before the key that signs it.
    const timeSec = Math.max(unixSeconds(clock.now()), parentSec, signingKey.createdSec)
    const fields = {
      environment: this.environment,
      number,
      treeOid: tree.oid,
      parentOid: parent?.commit ?? null,
      timeSec,
      authorName: request.author,
      authorEmail: COMMITTER.email,
      message: request.message,
    }
    const signature = await signingKey.sign(commitPayload(commitFields(fields)), new Date(timeSec * 1000))
    const commitOid = objectId('commit', encodeCommit({ ...commitFields(fields), signature }))
    return { ...fields, signature, commitOid }
  }

  async #timeOf(revision: number): Promise<number> {
    return (await this.#needs.records.overlays.findRevision(this.environment, revision))?.timeSec ?? 0
  }

  async #record(
    records: Records,
    request: PublishRequest,
    made: {
      readonly revision: RevisionRow
      readonly changes: readonly RecordedChange[]
      readonly blobs: ReadonlyMap<Oid, Buffer>
    },
  ): Promise<void> {
    for (const [oid, content] of made.blobs) await records.overlays.addBlob(oid, content)
    await records.overlays.addRevision(made.revision, made.changes)
    await request.record?.(records, made.revision.number)
    this.#needs.steps.reached('revision.recording')
  }

  /** `made`: the newest tree, where the caller has it. */
  async #catchUp(made: Tree | null = null): Promise<void> {
    const newest = await this.#needs.records.overlays.newestRevision(this.environment)
    if (!newest || newest.number === this.#state?.revision) return
    const states = await replayRevisions({
      records: this.#needs.records,
      log: this.#needs.log,
      repository: this.repository,
      environment: this.environment,
      from: this.#state,
      newest,
      made,
    })
    for (const state of states) this.#show(state)
  }

  #show(state: OverlayState): void {
    if (this.#state !== null) this.#former.add(this.#state, state)
    this.#state = state
    this.events.emit('switched', state)
    this.#needs.steps.reached('revision.shown')
  }
}

/** What a plan really changes, with the ids and the new texts. */
export function effectiveChanges(
  tree: Tree,
  plan: OverlayPlan,
): { changes: ReadonlyMap<string, Oid | null>; blobs: ReadonlyMap<Oid, Buffer> } {
  const changes = new Map<string, Oid | null>()
  const blobs = new Map<Oid, Buffer>()
  for (const [path, file] of plan) {
    const oid = file === null ? null : 'oid' in file ? file.oid : objectId('blob', file.content)
    if (oid === (lookup(tree, path)?.oid ?? null)) continue
    changes.set(path, oid)
    if (oid !== null && file !== null && 'content' in file) blobs.set(oid, file.content)
  }
  return { changes, blobs }
}
