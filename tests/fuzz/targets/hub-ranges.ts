/** Ranges and conditions of distfiles and of what binhosts have, held against a plain reading of RFC 9110. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { judgeAnswer } from '../support/exchange.ts'
import type { Answer } from '../support/exchange.ts'
import type { FuzzedHub } from '../support/hub-process.ts'
import { mutatedText } from '../support/mutate.ts'
import { same } from '../support/same.ts'
import { target } from '../support/target.ts'
import type { Target } from '../support/target.ts'

export function ranges(hub: FuzzedHub): Target {
  const { name, sha512 } = (hub.known.build as { readonly tarball: Readonly<Record<string, string>> }).tarball
  return rangesOf(hub, {
    paths: [`/distfiles/staging/${String(name)}`, '/api/v1/apps/shop/builds/2/tarball'],
    ...{ whole: hub.known.tarball, etag: `"sha512-${String(sha512)}"`, share: 50, takesRanges: true },
  })
}

/** A package as Portage fetches it, and as its node does. */
export function binhostPackages(hub: FuzzedHub): Target {
  const { node, point, path, signed } = hub.known.fleet.packed
  const etag = `"sha512-${createHash('sha512').update(signed).digest('hex')}"`
  return rangesOf(hub, {
    paths: [
      `/binhost/nodes/${node}/${path}`,
      `/api/v1/nodes/${node}/restore-points/${point}/binpkgs/${hub.known.fleet.shop.name}`,
    ],
    ...{ whole: signed, etag, share: 15, takesRanges: true },
  })
}

/** The index is small and new each time: it comes whole, or not at all. */
export function binhostIndexes(hub: FuzzedHub): Target {
  const { node, packages } = hub.known.fleet.packed
  const timestamp = /^TIMESTAMP: (\d+)$/m.exec(packages.toString())?.[1] ?? ''
  return rangesOf(hub, {
    paths: [`/binhost/nodes/${node}/Packages`],
    ...{ whole: packages, etag: `"Packages-${timestamp}"`, share: 10, takesRanges: false },
  })
}

interface Ranged {
  readonly paths: readonly string[]
  readonly whole: Buffer
  readonly etag: string
  readonly share: number
  readonly takesRanges: boolean
}

function rangesOf(hub: FuzzedHub, { paths, whole, etag, share, takesRanges }: Ranged): Target {
  const path = fc.constantFrom(...paths)
  const number = fc.oneof(
    fc.integer({ min: 0, max: whole.length + 5 }),
    fc.constantFrom(0, 1, whole.length - 1, whole.length, 2 ** 31, 2 ** 53, 1e21),
  )
  const simple = fc
    .tuple(fc.option(number), fc.option(number))
    .map(([first, last]) => `bytes=${shown(first)}-${shown(last)}`)
  const odd = mutatedText(
    ['bytes=0-1', 'bytes=-5', 'bytes=3-', 'bytes=0-0,2-3', 'BYTES=1-2', 'bytes = 1-2'],
    ['-', ',', '=', ' ', '0', '9'.repeat(30), 'bytes', '*', '/', '\t'],
  ).map((text) => text.replace(/[^\t\x20-\x7e]/g, ''))
  const validator = fc.oneof(
    fc.constantFrom(
      etag,
      `W/${etag}`,
      '"x"',
      '*',
      '',
      `${etag}, "x"`,
      `"x",${etag}`,
      etag.slice(1),
      ',,',
      'Thu, 01 Jan 1970 00:00:00 GMT',
    ),
    mutatedText([etag, 'Thu, 01 Jan 2026 00:00:00 GMT'], ['"', ',', 'W/', ' ', '*']).map((text) =>
      text.replace(/[^\t\x20-\x7e]/g, ''),
    ),
  )
  const headers = fc.record(
    {
      Range: fc.oneof(simple, simple, odd),
      'If-Range': validator,
      'If-None-Match': validator,
      'If-Modified-Since': validator,
    },
    { requiredKeys: ['Range'] },
  )
  return target({
    name: '',
    share,
    cases: fc.record({ path, method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD'), headers }),
    check: async (wanted) => {
      const answer = await hub.ask(wanted)
      const verdict = judgeAnswer(answer, wanted)
      if (wanted.method === 'GET') compare(answer, wanted.headers, { whole, etag, takesRanges })
      return verdict
    },
  })
}

type Conditions = { readonly Range: string } & Readonly<
  Partial<Record<'If-Range' | 'If-None-Match' | 'If-Modified-Since', string>>
>

function compare(
  answer: Answer,
  asked: Conditions,
  { whole, etag, takesRanges }: Pick<Ranged, 'whole' | 'etag' | 'takesRanges'>,
): void {
  const { status, headers, body } = answer
  if (status === 304) {
    same(body.length, 0, 'the length of what has not changed')
    if (asked['If-None-Match'] === undefined && asked['If-Modified-Since'] === undefined)
      throw new Error('304 to no condition')
    return
  }
  same(headers['content-length'], String(body.length), 'the length told')
  if (asked['If-None-Match'] === etag) throw new Error(`status ${status} for the very ETag`)
  const wanted = takesRanges ? wantedRange(asked, whole.length, etag) : [0]
  if (status === 200) same(body.equals(whole), true, 'the whole')
  if (status === 206) {
    const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers['content-range'] ?? '') ?? []
    same(Number(size), whole.length, 'the size told')
    same(body.equals(whole.subarray(Number(first), Number(last) + 1)), true, 'the range told')
  }
  if (status === 416) same(headers['content-range'], `bytes */${whole.length}`, 'the size told')
  if (wanted === null) return
  same(status, wanted.length === 0 ? 416 : wanted.length === 2 ? 206 : 200, `the status for ${asked.Range}`)
  if (wanted.length === 2)
    same(body.equals(whole.subarray(wanted[0], (wanted[1] ?? 0) + 1)), true, 'the range asked for')
}

/** First and last byte; none: nothing of the file; one number: the whole; null: a form that may be answered either way. */
function wantedRange(asked: Conditions, sizeBytes: number, etag: string): readonly number[] | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(asked.Range)
  const condition = asked['If-Range']
  if (condition !== undefined && condition !== etag) return [0]
  if (!match || (match[1] === '' && match[2] === '')) return null
  if (match[1] === '') return suffixOf(Number(match[2]), sizeBytes)
  const first = Number(match[1])
  const last = match[2] === '' ? Infinity : Number(match[2])
  if (last < first) return [0]
  return first >= sizeBytes ? [] : [first, Math.min(last, sizeBytes - 1)]
}

function suffixOf(bytes: number, sizeBytes: number): readonly number[] {
  return bytes === 0 ? [] : [Math.max(0, sizeBytes - bytes), sizeBytes - 1]
}

function shown(number: number | null): string {
  return number === null ? '' : BigInt(number).toString()
}
