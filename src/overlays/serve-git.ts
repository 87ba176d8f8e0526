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
const POLLS_BYTES = 4 * MIB
/** Of a question and of its answer: those of a node with nothing new have some hundred bytes. */
const MAX_POLL_BYTES = 4096
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
  /** Content of blobs of the held trees, at most some hundreds at a time. */
  readonly blobs: (oids: readonly Oid[]) => Promise<ReadonlyMap<Oid, Buffer>>
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
  /** Short answers by the very bytes of their questions: nodes that find nothing new all ask the same. */
  readonly #polls = new ByteCache<Buffer>(POLLS_BYTES)
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
    const key = pollKey(question)
    const kept = key === null ? undefined : this.#polls.get(key)
    const body = kept ?? (await this.#answer(question))
    if (key !== null && kept === undefined && Buffer.isBuffer(body) && body.byteLength <= MAX_POLL_BYTES) {
      this.#polls.set(key, body, key.length + body.byteLength)
    }
    return { contentType: 'application/x-git-upload-pack-result', body }
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

  async #fromMemory(plan: FetchPlan, { blobs, signal }: GitQuestion): Promise<Buffer> {
    const kept = this.#answers.get(plan.key)
    if (kept) return kept
    return this.#flights.join(plan.key, signal, async (left) => {
      const objects = await this.#packPlan(plan, blobs, left)
      const answer = encodeFetchAnswer(plan, encodePack(objects).parts)
      this.#answers.set(plan.key, answer, answer.byteLength)
      return answer
    })
  }

  async #packPlan(plan: FetchPlan, read: GitQuestion['blobs'], left: AbortSignal): Promise<PackEntry[]> {
    const packed = new Map<Oid, PackEntry>()
    let known = plan.base
    // Deltas between revisions of one pack could go round in a circle when a change was taken back.
    const withDeltas = plan.thinPack && plan.revisions.length === 1
    for (const { commit, commitBytes, tree } of plan.revisions) {
      const { trees, blobs } = newObjects(known, tree)
      packed.set(commit, await packObject('commit', commit, commitBytes))
      for (const some of inTurns(trees)) {
        for (const step of some) packed.set(step.tree.oid, await this.#packTree(step, withDeltas))
        await setImmediate(undefined, { signal: left })
      }
      for (const some of inTurns(blobs)) {
        for (const blob of await this.#packBlobs(some, read)) packed.set(blob.oid, blob)
        await setImmediate(undefined, { signal: left })
      }
      known = tree
    }
    return [...packed.values()]
  }

  /** All of them are read at once: a question each costs several times what packing it does. */
  async #packBlobs(oids: readonly Oid[], read: GitQuestion['blobs']): Promise<PackEntry[]> {
    const missing = oids.filter((oid) => this.#objects.get(oid) === undefined)
    const contents = missing.length === 0 ? new Map<Oid, Buffer>() : await read(missing)
    const content = (oid: Oid): Buffer => {
      const found = contents.get(oid)
      if (found === undefined) throw new Error(`the text ${oid} was not read`)
      return found
    }
    return await Promise.all(oids.map(async (oid) => await this.#packKept('blob', oid, content)))
  }

  async #packTree({ tree, base }: NewTree, withDelta: boolean): Promise<PackEntry> {
    if (withDelta && base && tree.sizeBytes >= MIN_DELTA_BYTES) {
      const delta = encodeTreeDelta(base, tree)
      if (delta.byteLength < tree.sizeBytes / 2) return packDelta(tree.oid, base.oid, delta)
    }
    return this.#packKept('tree', tree.oid, () => tree.content)
  }

  async #packKept(type: ObjectType, oid: Oid, content: (oid: Oid) => Buffer): Promise<PackEntry> {
    const kept = this.#objects.get(oid)
    if (kept) return kept
    const packed = await packObject(type, oid, content(oid))
    this.#objects.set(oid, packed, packed.bytes.byteLength)
    return packed
  }
}

/** The same question about the same newest commit has the same answer. Null where it is too long to be a poll. */
function pollKey({ overlay, body, protocolVersion }: GitQuestion): string | null {
  if (body.byteLength > MAX_POLL_BYTES) return null
  return `${overlay.tip?.commit ?? ''} ${protocolVersion} ${body.toString('latin1')}`
}

function* inTurns<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += OBJECTS_PER_TURN) yield items.slice(at, at + OBJECTS_PER_TURN)
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
