/**
 * What an overlay's repository says of itself: capabilities and its only refs, HEAD and refs/heads/main.
 * Source: gitprotocol-v2(5), gitprotocol-http(5), gitprotocol-capabilities(5). The lists name what the git
 * that answers the unusual questions (`git upload-pack --stateless-rpc`) does too, and no more.
 */
import type { Oid } from './objects.ts'
import { encodePkt, FLUSH_PKT } from './pkt-line.ts'

export type ProtocolVersion = 0 | 1 | 2

export const HEAD_TARGET = 'refs/heads/main'

const NO_OID = '0'.repeat(40)

const V0_CAPABILITIES = [
  'multi_ack thin-pack side-band side-band-64k ofs-delta shallow deepen-since deepen-not deepen-relative',
  'no-progress include-tag multi_ack_detailed allow-tip-sha1-in-want allow-reachable-sha1-in-want no-done filter',
].join(' ')

/**
 * The highest version that a `Git-Protocol` header asks for (`version=2`, keys parted by colons); without
 * one, 0.
 */
export function parseProtocolVersion(header: string | undefined): ProtocolVersion {
  const asked = new Set(header?.split(':'))
  if (asked.has('version=2')) return 2
  return asked.has('version=1') ? 1 : 0
}

/**
 * Body of the answer to `GET …/info/refs?service=git-upload-pack`; `tip` is null before the first revision.
 */
export function encodeAdvertisement(tip: Oid | null, version: ProtocolVersion, agent: string): Buffer {
  if (version === 2) return encodeCapabilities(agent)
  return Buffer.concat([
    encodePkt('# service=git-upload-pack\n'),
    FLUSH_PKT,
    ...(version === 1 ? [encodePkt('version 1\n')] : []),
    ...encodeRefsV0(tip, agent),
    FLUSH_PKT,
  ])
}

function encodeCapabilities(agent: string): Buffer {
  const lines = [
    'version 2',
    `agent=${agent}`,
    'ls-refs=unborn',
    'fetch=shallow wait-for-done filter',
    'object-format=sha1',
  ]
  return Buffer.concat([...lines.map((line) => encodePkt(`${line}\n`)), FLUSH_PKT])
}

function encodeRefsV0(tip: Oid | null, agent: string): Buffer[] {
  if (tip === null)
    return [encodePkt(`${NO_OID} capabilities^{}\0${V0_CAPABILITIES} object-format=sha1 agent=${agent}\n`)]
  const capabilities = `${V0_CAPABILITIES} symref=HEAD:${HEAD_TARGET} object-format=sha1 agent=${agent}`
  return [encodePkt(`${tip} HEAD\0${capabilities}\n`), encodePkt(`${tip} ${HEAD_TARGET}\n`)]
}

/** Arguments of a version 2 `ls-refs`; no prefixes: every ref. */
export interface LsRefs {
  readonly symrefs: boolean
  readonly unborn: boolean
  readonly prefixes: readonly string[]
}

/** Body of the answer to `ls-refs`. */
export function encodeLsRefs(tip: Oid | null, { symrefs, unborn, prefixes }: LsRefs): Buffer {
  const asked = (name: string): boolean =>
    prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix))
  const target = symrefs ? ` symref-target:${HEAD_TARGET}` : ''
  const lines: string[] = []
  if (asked('HEAD') && (tip !== null || (unborn && symrefs))) lines.push(`${tip ?? 'unborn'} HEAD${target}`)
  if (asked(HEAD_TARGET) && tip !== null) lines.push(`${tip} ${HEAD_TARGET}`)
  return Buffer.concat([...lines.map((line) => encodePkt(`${line}\n`)), FLUSH_PKT])
}
