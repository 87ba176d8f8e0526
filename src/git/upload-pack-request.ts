/**
 * The body of `POST …/git-upload-pack`, taken apart strictly: a request that git would choke on is refused
 * here, so that no process is started for it. Source: gitprotocol-v2(5), gitprotocol-pack(5) and git's
 * upload-pack.c.
 */
import { HubError } from '../errors.ts'
import type { LsRefs, ProtocolVersion } from './advertisement.ts'
import { HEAD_TARGET } from './advertisement.ts'
import { parseOid } from './objects.ts'
import type { Oid } from './objects.ts'
import { decodePkts, pktText } from './pkt-line.ts'
import type { Pkt } from './pkt-line.ts'

/** A version 2 `fetch`, each id once and in the order sent. */
export interface FetchRequest {
  readonly wants: readonly Oid[]
  readonly haves: readonly Oid[]
  /** Commits whose parents the client lacks. */
  readonly shallows: readonly Oid[]
  readonly depth: number | null
  readonly done: boolean
  readonly thinPack: boolean
  /** Arguments that only git itself answers: filters, deepening by time or by ref, waiting for `done`. */
  readonly unusual: boolean
}

export type UploadPackRequest =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'ls-refs'; readonly refs: LsRefs }
  | { readonly kind: 'fetch'; readonly fetch: FetchRequest; readonly normal: string }
  /** A `fetch` of version 0 or 1. */
  | { readonly kind: 'fetch-v0'; readonly normal: string }

/**
 * Filters that name no object or file (`sparse:` does). Git writes the parts of a `combine:` with `%3A` for
 * `:`.
 */
const FILTER_PART = String.raw`(?:blob(?::|%3A)(?:none|limit=\d{1,12}[kmg]?)|tree(?::|%3A)\d{1,6}|object(?::|%3A)type=(?:blob|tree|commit|tag))`
const FILTER = new RegExp(`^(?:${FILTER_PART}|combine:${FILTER_PART}(?:\\+${FILTER_PART}){0,8})$`, 'i')
/** Git's own number for "all of it", and the largest that it reads. */
const MAX_DEPTH = 0x7fffffff
const DEEPEN_NOT = new Set(['HEAD', 'main', 'heads/main', HEAD_TARGET])
const FLAGS = new Set([
  'thin-pack',
  'no-progress',
  'include-tag',
  'ofs-delta',
  'done',
  'deepen-relative',
  'wait-for-done',
])
const UNUSUAL = ['deepen-relative', 'wait-for-done', 'deepen-since', 'deepen-not', 'filter']

/**
 * Takes a request apart. `normal` is the request without what tells clients apart but changes no answer
 * (agent and session), to keep answers by.
 * @throws {HubError} `request.invalid` for anything that the protocol does not have or the hub did not offer.
 */
export function parseUploadPackRequest(body: Buffer, version: ProtocolVersion): UploadPackRequest {
  const pkts = decodePkts(body)
  if (pkts.length === 0 || (pkts.length === 1 && pkts[0] === 'flush')) return { kind: 'nothing' }
  return version === 2 ? parseV2(pkts) : parseV0(pkts)
}

function refused(line: string): HubError {
  return new HubError(
    'request.invalid',
    `The git request has ${JSON.stringify(line.slice(0, 100))} where it does not belong.`,
  )
}

function textOf(pkt: Pkt | undefined): string {
  if (!(pkt instanceof Buffer)) throw refused(typeof pkt === 'string' ? pkt : 'an early end')
  return pktText(pkt)
}

function parseV2(pkts: readonly Pkt[]): UploadPackRequest {
  if (pkts.at(-1) !== 'flush') throw refused('an early end')
  const delim = pkts.indexOf('delim')
  const end = pkts.length - 1
  const command = parseCapabilities(pkts.slice(0, delim < 0 ? end : delim).map(textOf))
  const args = delim < 0 ? [] : pkts.slice(delim + 1, end).map(textOf)
  if (command === 'ls-refs') return { kind: 'ls-refs', refs: parseLsRefs(args) }
  if (command === 'fetch') return { kind: 'fetch', fetch: parseFetch(args), normal: args.join('\n') }
  throw refused(`command=${command}`)
}

function parseCapabilities(lines: readonly string[]): string {
  const commands: string[] = []
  for (const line of lines) {
    if (line.startsWith('command=')) commands.push(line.slice('command='.length))
    else if (!/^(agent|session-id)=/.test(line) && line !== 'object-format=sha1') throw refused(line)
  }
  if (commands.length !== 1) throw refused(`${commands.length} commands`)
  return commands[0] as string
}

function parseLsRefs(args: readonly string[]): LsRefs {
  const prefixes: string[] = []
  const flags = new Set<string>()
  for (const arg of args) {
    if (arg.startsWith('ref-prefix ')) prefixes.push(arg.slice('ref-prefix '.length))
    else if (['peel', 'symrefs', 'unborn'].includes(arg)) flags.add(arg)
    else throw refused(arg)
  }
  return { symrefs: flags.has('symrefs'), unborn: flags.has('unborn'), prefixes }
}

/** `name value` lines of either version; the flags are lines of one word. */
function parseFetch(args: readonly string[]): FetchRequest {
  const ids = { want: new Set<Oid>(), have: new Set<Oid>(), shallow: new Set<Oid>() }
  const seen = new Set<string>()
  let depth: number | null = null
  for (const arg of args) {
    const space = arg.indexOf(' ')
    const name = space < 0 ? arg : arg.slice(0, space)
    const value = space < 0 ? null : arg.slice(space + 1)
    if (value !== null && (name === 'want' || name === 'have' || name === 'shallow'))
      ids[name].add(parseOid(value))
    else if (value !== null && name === 'deepen') depth = parseDepth(arg, value)
    else if (!isKnownArgument(name, value) || (name === 'filter' && seen.has(name))) throw refused(arg)
    seen.add(name)
  }
  // Git would end with a complaint that no client hears.
  if (seen.has('deepen') && (seen.has('deepen-since') || seen.has('deepen-not')))
    throw refused(`deepen ${depth ?? 0} beside another limit`)
  return {
    wants: [...ids.want],
    haves: [...ids.have],
    shallows: [...ids.shallow],
    depth,
    done: seen.has('done'),
    thinPack: seen.has('thin-pack'),
    unusual: UNUSUAL.some((name) => seen.has(name)),
  }
}

function parseDepth(arg: string, value: string): number {
  if (!/^[1-9]\d{0,9}$/.test(value) || Number(value) > MAX_DEPTH) throw refused(arg)
  return Number(value)
}

function isKnownArgument(name: string, value: string | null): boolean {
  if (value === null) return FLAGS.has(name)
  if (name === 'deepen-since') return /^\d{1,15}$/.test(value)
  if (name === 'deepen-not') return DEEPEN_NOT.has(value)
  return name === 'filter' && FILTER.test(value)
}

/**
 * Version 0: `want` (the first one with capabilities), `shallow`, `deepen…`, `filter`; flush; `have` lines
 * with flushes between; perhaps `done`.
 */
function parseV0(pkts: readonly Pkt[]): UploadPackRequest {
  const needs = pkts.indexOf('flush')
  const [first, ...lines] = pkts.slice(0, needs < 0 ? 0 : needs).map(textOf)
  const want = /^(want [0-9a-f]{40})( ?[\x20-\x7e]*)$/.exec(first ?? '')
  if (!want) throw refused(first ?? 'an early end')
  const capabilities = (want[2] ?? '').split(' ').filter((word) => !/^(agent|session-id)=|^$/.test(word))
  const negotiation = pkts.slice(needs).map((pkt) => (pkt === 'flush' ? pkt : textOf(pkt)))
  for (const line of negotiation) if (!/^(flush|have [0-9a-f]{40}|done)$/.test(line)) throw refused(line)
  if (negotiation.at(-1)?.startsWith('have')) throw refused('an early end')
  for (const line of lines)
    if (!/^(want|shallow|deepen|deepen-since|deepen-not|filter) /.test(line)) throw refused(line)
  parseFetch(lines)
  const filter = lines.find((line) => line.startsWith('filter '))
  if (filter !== undefined && !capabilities.includes('filter')) throw refused(filter)
  return { kind: 'fetch-v0', normal: [want[1], ...capabilities, ...lines, ...negotiation].join('\n') }
}
