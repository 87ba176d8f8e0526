/**
 * Decides whether a version 2 `fetch` can be answered from the revisions held in memory, and with what.
 * Source: gitprotocol-v2(5), "fetch"; the decisions are those of git's upload-pack.c for a history without
 * branches.
 */
import { commitParents } from './objects.ts'
import type { Oid } from './objects.ts'
import { DELIM_PKT, encodePkt, encodeSideBand, FLUSH_PKT } from './pkt-line.ts'
import type { Tree } from './tree.ts'
import type { FetchRequest } from './upload-pack-request.ts'

/** A published revision whose whole tree is in memory. */
export interface HeldRevision {
  readonly commit: Oid
  /** Content of the commit object, signature and all. */
  readonly commitBytes: Buffer
  readonly tree: Tree
}

/** What to send. Equal `key`s have equal answers, whatever the overlay or the client. */
export interface FetchPlan {
  readonly key: string
  /** Commits that the client gets, oldest first. */
  readonly revisions: readonly HeldRevision[]
  /** The client's newest tree that we know: nothing of it is sent. Null: it has nothing. */
  readonly base: Tree | null
  /** Ids to acknowledge; null when the client ended the negotiation or has nothing. */
  readonly acknowledged: readonly Oid[] | null
  /** Commits at which the client's history ends from now on; null: the answer has no such section. */
  readonly newShallows: readonly Oid[] | null
  readonly thinPack: boolean
}

export type Held = (oid: Oid) => HeldRevision | undefined

/**
 * The plan of an answer, or null when git itself has to answer: filters, depths other than 1, several wants,
 * or clients whose revisions are not in memory (git finds their common ground on disk).
 */
export function planFetch(request: FetchRequest, held: Held): FetchPlan | null {
  const { wants, haves, shallows, depth, done } = request
  const want = wants.length === 1 ? held(wants[0] as Oid) : undefined
  if (!want || request.unusual || (depth !== null && depth !== 1)) return null
  const common = haves.filter((oid) => held(oid) !== undefined)
  if (haves.length > 0 && common.length === 0) return null
  const path = depth === 1 ? tipAlone(want, common, held) : historyTo(want, common, shallows, held)
  if (!path) return null
  const plan = {
    ...path,
    acknowledged: done || haves.length === 0 ? null : common,
    newShallows:
      depth === 1 ? [want.commit].filter((oid) => !shallows.includes(oid)) : shallows.length > 0 ? [] : null,
    thinPack: request.thinPack,
  }
  return { ...plan, key: planKey(want.commit, plan) }
}

type Path = Pick<FetchPlan, 'revisions' | 'base'>

function tipAlone(want: HeldRevision, common: readonly Oid[], held: Held): Path {
  if (common.includes(want.commit)) return { revisions: [], base: want.tree }
  // Clients name their newest commit first.
  const newest = common[0] === undefined ? undefined : held(common[0])
  return { revisions: [want], base: newest?.tree ?? null }
}

/**
 * Every commit from the wanted one down to one that the client has, or to the first; null if one is not held.
 */
function historyTo(
  want: HeldRevision,
  common: readonly Oid[],
  shallows: readonly Oid[],
  held: Held,
): Path | null {
  const has = new Set(common)
  const revisions: HeldRevision[] = []
  let at: HeldRevision | undefined = want
  while (at) {
    if (has.has(at.commit)) return { revisions: revisions.reverse(), base: at.tree }
    if (shallows.includes(at.commit)) return null
    revisions.push(at)
    const parents = commitParents(at.commitBytes)
    if (parents.length === 0 && common.length === 0) return { revisions: revisions.reverse(), base: null }
    at = parents.length === 1 ? held(parents[0] as Oid) : undefined
  }
  return null
}

function planKey(want: Oid, plan: Omit<FetchPlan, 'key'>): string {
  const sent = plan.revisions.map((revision) => revision.commit)
  return JSON.stringify([want, sent, plan.base?.oid, plan.acknowledged, plan.newShallows, plan.thinPack])
}

/** Body of the answer: the sections of the plan, then the pack. */
export function encodeFetchAnswer(plan: FetchPlan, packParts: readonly Buffer[]): Buffer {
  const parts: Buffer[] = []
  if (plan.acknowledged) {
    const acknowledgments = [...plan.acknowledged.map((oid) => `ACK ${oid}`), 'ready']
    parts.push(...encodeSection('acknowledgments', acknowledgments), DELIM_PKT)
  }
  if (plan.newShallows) {
    const shallows = plan.newShallows.map((oid) => `shallow ${oid}`)
    parts.push(...encodeSection('shallow-info', shallows), DELIM_PKT)
  }
  parts.push(encodePkt('packfile\n'), encodeSideBand(1, Buffer.concat(packParts)), FLUSH_PKT)
  return Buffer.concat(parts)
}

function encodeSection(name: string, lines: readonly string[]): Buffer[] {
  return [name, ...lines].map((line) => encodePkt(`${line}\n`))
}
