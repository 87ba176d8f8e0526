/**
 * Lines of git's wire protocol: four hexadecimal digits of length, then the data.
 * Source: gitprotocol-common(5), "pkt-line Format"; the special packets are those of gitprotocol-v2(5).
 */
import { HubError } from '../errors.ts'

export type Pkt = Buffer | 'flush' | 'delim' | 'response-end'

const SPECIAL = ['flush', 'delim', 'response-end'] as const
const MAX_PKT_BYTES = 65520
/** Git sends at most some 16,000 `have` lines of 50 bytes in one request. */
const MAX_PKTS = 100_000

export const FLUSH_PKT = Buffer.from('0000')
export const DELIM_PKT = Buffer.from('0001')

/**
 * Takes a whole body apart.
 * @throws {HubError} `request.invalid` for a length that is none, that runs past the end, or for too many
 * lines.
 */
export function decodePkts(body: Buffer): Pkt[] {
  const pkts: Pkt[] = []
  let at = 0
  while (at < body.byteLength) {
    if (pkts.length === MAX_PKTS)
      throw new HubError('request.invalid', `The request has more than ${MAX_PKTS} lines.`)
    const length = pktLength(body, at)
    const special = SPECIAL[length]
    pkts.push(special ?? body.subarray(at + 4, at + length))
    at += special ? 4 : length
  }
  return pkts
}

function pktLength(body: Buffer, at: number): number {
  const digits = body.toString('latin1', at, at + 4)
  const length = /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN
  if (length === 3 || !(length <= MAX_PKT_BYTES) || at + Math.max(length, 4) > body.byteLength) {
    throw new HubError(
      'request.invalid',
      `Byte ${at} of the request does not begin a line of git's protocol.`,
    )
  }
  return length
}

/** Text of a line without its line feed, which is optional. */
export function pktText(pkt: Buffer): string {
  const end = pkt.at(-1) === 0x0a ? pkt.byteLength - 1 : pkt.byteLength
  return pkt.toString('utf8', 0, end)
}

/** One line; give text its line feed. */
export function encodePkt(data: string | Buffer): Buffer {
  const bytes = Buffer.from(data)
  if (bytes.byteLength + 4 > MAX_PKT_BYTES)
    throw new Error(`A line of ${bytes.byteLength} bytes is too long.`)
  return Buffer.concat([Buffer.from((bytes.byteLength + 4).toString(16).padStart(4, '0')), bytes])
}

/** Data as lines of one side band (1: the pack), each as long as may be. */
export function encodeSideBand(band: 1 | 2 | 3, data: Buffer): Buffer {
  const room = MAX_PKT_BYTES - 5
  const parts: Buffer[] = []
  for (let at = 0; at < data.byteLength; at += room) {
    const piece = data.subarray(at, at + room)
    parts.push(Buffer.from((piece.byteLength + 5).toString(16).padStart(4, '0')), Buffer.from([band]), piece)
  }
  return Buffer.concat(parts)
}
