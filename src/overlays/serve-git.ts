/**
 * Answers git clients of an overlay. Nodes ask the same few questions over and over; those are answered from
 * the trees in memory, and each answer is made once. Only unusual questions (full history, filters, clients
 * of forgotten revisions) start a git process, and its answers are kept too.
 * Source: gitprotocol-http(5).
 */
import { setImmediate } from 'node:timers/promises'
import { ByteCache } from '../byte-cache.ts'
import { encodeAdvertisement, encodeLsRefs } from '../git/advertisement.ts'
import type { ProtocolVersion } from '../git/advertisement.ts'
import { encodeTreeDelta } from '../git/delta.ts'
import { encodeFetchAnswer, planFetch } from '../git/fetch-plan.ts'
import type { FetchPlan, Held, HeldRevision } from '../git/fetch-plan.ts'
import type { ObjectType, Oid } from '../git/objects.ts'
import { encodePack, packDelta, packObject } from '../git/pack.ts'
import type { PackEntry } from '../git/pack.ts'
import { newObjects } from '../git/tree-diff.ts'
import type { NewTree } from '../git/tree-diff.ts'
import { parseUploadPackRequest } from '../git/upload-pack-request.ts'
import type { GitRepository } from '../storage/git-repository.ts'
import { GitProcessAnswers } from './git-process-answers.ts'
import { Flights } from './shared-answers.ts'

const MIB = 1024 * 1024
/** Smaller trees are sent whole: nothing is won by a delta. */
const MIN_DELTA_BYTES = 1024
/** So many objects are packed between two looks at the other requests. */
const OBJECTS_PER_TURN = 200

/** A node's shallow clone names the one commit that it has; who names many is asked about by git. */
const MOST_RECALLED = 4

/** The part of an overlay that lives in memory. */
export interface ServedOverlay {
  /** Null before the first revision. */
  readonly tip: HeldRevision | null
  /** Revisions before the tip whose clients are answered from memory too, newest first. */
  readonly former: readonly HeldRevision[]
  /** Makes one that is not held any more, from the records; null when it cannot. */
  readonly recall?: (commit: Oid) => Promise<HeldRevision | null>
}

export interface GitQuestion {
  readonly overlay: ServedOverlay
  /** Content of a blob of one of the held trees. */
  readonly blob: (oid: Oid) => Promise<Buffer> | Buffer
  readonly repository: GitRepository
  /** Body of the request, without its content encoding. */
  readonly body: Buffer
  readonly protocolVersion: ProtocolVersion
  /** Aborted when the client has left. */
  readonly signal?: AbortSignal
}

export interface GitAnswer {
  readonly contentType: string
  /** Whole, or a stream when it is too large to keep; the stream must be read to its end or closed. */
  readonly body: Buffer | AsyncIterable<Buffer>
}

export interface GitServerOptions {
  /** What clients see of the hub, `name/version`. */
  readonly agent?: string
  readonly cacheBytes?: number
  readonly objectCacheBytes?: number
  readonly maxKeptAnswerBytes?: number
  readonly maxProcesses?: number
}

export class GitServer {
  readonly #agent: string
  readonly #answers: ByteCache<Buffer>
  readonly #objects: ByteCache<PackEntry>
  readonly #flights = new Flights<Buffer>()
  readonly #processes: GitProcessAnswers

  constructor(options: GitServerOptions = {}) {
    this.#agent = options.agent ?? 'portage-hub'
    this.#answers = new ByteCache(options.cacheBytes ?? 256 * MIB)
    this.#objects = new ByteCache(options.objectCacheBytes ?? 64 * MIB)
    this.#processes = new GitProcessAnswers(
      this.#answers,
      options.maxKeptAnswerBytes ?? 64 * MIB,
      options.maxProcesses ?? 4,
    )
  }

  /** How many git processes were started so far; nodes that poll start none. */
  get processesStarted(): number {
    return this.#processes.started
  }

  /** Answer to `GET …/info/refs?service=git-upload-pack`. */
  advertise(
    tip: Oid | null,
    protocolVersion: ProtocolVersion,
  ): { readonly contentType: string; readonly body: Buffer } {
    return {
      contentType: 'application/x-git-upload-pack-advertisement',
      body: encodeAdvertisement(tip, protocolVersion, this.#agent),
    }
  }

  /**
   * Answer to `POST …/git-upload-pack`. Equal questions at the same time are answered once.
   * @throws {HubError} `request.invalid` for a body that is not of the protocol, or that git refuses.
   */
  async answerUploadPack(question: GitQuestion): Promise<GitAnswer> {
    return { contentType: 'application/x-git-upload-pack-result', body: await this.#answer(question) }
  }

  async #answer(question: GitQuestion): Promise<GitAnswer['body']> {
    const { overlay, body, protocolVersion } = question
    const request = parseUploadPackRequest(body, protocolVersion)
    if (request.kind === 'nothing') return Buffer.alloc(0)
    if (request.kind === 'ls-refs') return encodeLsRefs(overlay.tip?.commit ?? null, request.refs)
    const plan =
      request.kind === 'fetch'
        ? planFetch(request.fetch, await heldRevisions(overlay, request.fetch.haves))
        : null
    if (plan) return this.#fromMemory(plan, question)
    return this.#processes.answer(question, request.normal)
  }

  async #fromMemory(plan: FetchPlan, { blob, signal }: GitQuestion): Promise<Buffer> {
    const kept = this.#answers.get(plan.key)
    if (kept) return kept
    return this.#flights.join(plan.key, signal, async (left) => {
      const objects = await this.#packPlan(plan, blob, left)
      const answer = encodeFetchAnswer(plan, encodePack(objects).parts)
      this.#answers.set(plan.key, answer, answer.byteLength)
      return answer
    })
  }

  async #packPlan(plan: FetchPlan, blob: GitQuestion['blob'], left: AbortSignal): Promise<PackEntry[]> {
    const packed = new Map<Oid, PackEntry>()
    let known = plan.base
    // Deltas between revisions of one pack could go round in a circle when a change was taken back.
    const withDeltas = plan.thinPack && plan.revisions.length === 1
    for (const { commit, commitBytes, tree } of plan.revisions) {
      const { trees, blobs } = newObjects(known, tree)
      const steps = [
        { oid: commit, pack: () => packObject('commit', commit, commitBytes) },
        ...trees.map((step) => ({ oid: step.tree.oid, pack: () => this.#packTree(step, withDeltas) })),
        ...blobs.map((oid) => ({ oid, pack: () => this.#packKept('blob', oid, blob) })),
      ]
      for (const { oid, pack } of steps) {
        if (packed.has(oid)) continue
        packed.set(oid, await pack())
        if (packed.size % OBJECTS_PER_TURN === 0) await setImmediate(undefined, { signal: left })
      }
      known = tree
    }
    return [...packed.values()]
  }

  async #packTree({ tree, base }: NewTree, withDelta: boolean): Promise<PackEntry> {
    if (withDelta && base && tree.content.byteLength >= MIN_DELTA_BYTES) {
      const delta = encodeTreeDelta(base, tree)
      if (delta.byteLength < tree.content.byteLength / 2) return packDelta(tree.oid, base.oid, delta)
    }
    return this.#packKept('tree', tree.oid, () => tree.content)
  }

  async #packKept(
    type: ObjectType,
    oid: Oid,
    content: (oid: Oid) => Promise<Buffer> | Buffer,
  ): Promise<PackEntry> {
    const kept = this.#objects.get(oid)
    if (kept) return kept
    const packed = await packObject(type, oid, await content(oid))
    this.#objects.set(oid, packed, packed.bytes.byteLength)
    return packed
  }
}

/** What is in memory, and of the client's own revisions those that the records give back. */
async function heldRevisions({ tip, former, recall }: ServedOverlay, haves: readonly Oid[]): Promise<Held> {
  const recalled = new Map<Oid, HeldRevision>()
  const inMemory: Held = (oid) => (tip?.commit === oid ? tip : former.find(({ commit }) => commit === oid))
  if (recall && haves.length <= MOST_RECALLED) {
    for (const oid of haves) {
      const revision = inMemory(oid) ? null : await recall(oid)
      if (revision) recalled.set(oid, revision)
    }
  }
  return (oid) => inMemory(oid) ?? recalled.get(oid)
}
