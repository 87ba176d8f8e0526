/**
 * Bytes and texts that were good once: bits flipped, cut off, spliced with another, blocks doubled and swapped. Places are
 * fractions of the length, so that a case stays meaningful while it is made smaller.
 */
import fc from 'fast-check'

const BLOCK_BYTES = 512
const WHOLE = 1 << 20

/** A change of some bytes. `donor` is another piece of the corpus. */
type Change = (bytes: Buffer, donor: Buffer) => Buffer

const place = fc.nat(WHOLE)

/** What parsers of bytes stumble over: limits of numbers, ends of texts, separators. */
export const oddBytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom(
      '\0',
      '\xff\xff\xff\xff',
      '\x80',
      '/',
      '../',
      '\n',
      ' ',
      '%',
      '-1',
      '99999999999999999999',
      '\u202e',
    )
    .map((text) => Buffer.from(text, 'latin1')),
)

const changeOfBytes: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ at: place, bit: fc.nat(7) }).map(({ at, bit }): Change => {
    return (bytes) => {
      if (bytes.length === 0) return bytes
      const index = scaled(at, bytes.length - 1)
      bytes[index] = (bytes[index] ?? 0) ^ (1 << bit)
      return bytes
    }
  }),
  fc.record({ at: place, piece: oddBytes }).map(({ at, piece }): Change => {
    return (bytes) => {
      piece.copy(bytes, scaled(at, bytes.length))
      return bytes
    }
  }),
  fc.record({ at: place, piece: oddBytes }).map(({ at, piece }): Change => {
    return (bytes) => {
      const index = scaled(at, bytes.length)
      return Buffer.concat([bytes.subarray(0, index), piece, bytes.subarray(index)])
    }
  }),
  fc.record({ at: place }).map(({ at }): Change => {
    return (bytes) => bytes.subarray(0, scaled(at, bytes.length))
  }),
  fc.record({ from: place, to: place }).map(({ from, to }): Change => {
    return (bytes) => {
      const [start, end] = [scaled(from, bytes.length), scaled(to, bytes.length)].sort((a, b) => a - b) as [
        number,
        number,
      ]
      return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)])
    }
  }),
  fc.record({ at: place, from: place }).map(({ at, from }): Change => {
    return (bytes, donor) =>
      Buffer.concat([bytes.subarray(0, scaled(at, bytes.length)), donor.subarray(scaled(from, donor.length))])
  }),
)

const changeOfBlocks: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ from: place, to: place }).map(({ from, to }): Change => {
    return (bytes) => {
      const blocks = blocksOf(bytes)
      const [a, b] = [scaled(from, blocks.length - 1), scaled(to, blocks.length - 1)]
      return Buffer.concat(blocks.with(a, blockAt(blocks, b)).with(b, blockAt(blocks, a)))
    }
  }),
  fc.record({ from: place, to: place }).map(({ from, to }): Change => {
    return (bytes, donor) => {
      const blocks = blocksOf(bytes)
      const donated = blocksOf(donor)
      return Buffer.concat(
        blocks.toSpliced(scaled(to, blocks.length), 0, blockAt(donated, scaled(from, donated.length - 1))),
      )
    }
  }),
  fc.record({ at: place }).map(({ at }): Change => {
    return (bytes) => {
      const blocks = blocksOf(bytes)
      return Buffer.concat(blocks.toSpliced(scaled(at, blocks.length - 1), 1))
    }
  }),
)

/** The pieces of a corpus, each changed a few times; `more` are changes that know the format. */
export function mutated(
  corpus: readonly Buffer[],
  more: readonly fc.Arbitrary<Change>[] = [],
  inBlocks = false,
): fc.Arbitrary<Buffer> {
  const change = fc.oneof(...more, ...more, changeOfBytes, ...(inBlocks ? [changeOfBlocks] : []))
  return fc
    .tuple(fc.constantFrom(...corpus), fc.constantFrom(...corpus), fc.array(change, { maxLength: 4 }))
    .map(([bytes, donor, changes]) =>
      shownAsBase64(changes.reduce<Buffer>((now, apply) => apply(now, donor), Buffer.from(bytes))),
    )
}

/** The same of texts, by their characters, and with pieces that mean something in them. */
export function mutatedText(corpus: readonly string[], pieces: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.constantFrom(...pieces),
    fc.string({ unit: 'binary', maxLength: 4 }),
    fc.constantFrom('\0', '\ud800', '\u0301', '\u00df', '\u202e', '\ufeff', '__proto__', '%00'),
  )
  const change = fc.record({ from: place, to: place, piece, times: fc.constantFrom(1, 1, 1, 1, 3, 40) })
  return fc
    .tuple(fc.constantFrom(...corpus), fc.array(change, { maxLength: 4 }))
    .map(([text, changes]) => changes.reduce(replaceIn, text))
}

function replaceIn(
  text: string,
  change: { readonly from: number; readonly to: number; readonly piece: string; readonly times: number },
): string {
  const start = scaled(change.from, text.length)
  // Mostly a few characters go; what is cut from a text is seldom interesting.
  const end = Math.min(text.length, start + (change.to % 4))
  return text.slice(0, start) + change.piece.repeat(change.times) + text.slice(end)
}

/** One fragment many times over, alone or inside a text: what is quadratic shows. */
export function flooded(
  fragments: readonly string[],
  most: number,
  around: readonly (readonly [string, string])[] = [['', '']],
): fc.Arbitrary<string> {
  return fc
    .record({
      fragment: fc.oneof(
        fc.constantFrom(...fragments),
        fc.array(fc.constantFrom(...fragments), { minLength: 2, maxLength: 4 }).map((all) => all.join('')),
      ),
      chars: fc.oneof(fc.nat(200), fc.nat(most)),
      around: fc.constantFrom(...around),
    })
    .map(({ fragment, chars, around: [before, after] }) => {
      const room = Math.max(0, Math.min(chars, most) - before.length - after.length)
      return before + fragment.repeat(Math.floor(room / fragment.length)) + after
    })
}

/** A failure prints bytes so that `base64 -d` brings them back. */
export function shownAsBase64(bytes: Buffer): Buffer {
  return Object.assign(Buffer.from(bytes), {
    [fc.toStringMethod]: () => `base64:${bytes.toString('base64')}`,
  })
}

export function scaled(at: number, length: number): number {
  return Math.max(0, Math.floor((at / WHOLE) * length))
}

export { place }
export type { Change }

function blocksOf(bytes: Buffer): readonly Buffer[] {
  const count = Math.max(1, Math.ceil(bytes.length / BLOCK_BYTES))
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES),
  )
}

function blockAt(blocks: readonly Buffer[], index: number): Buffer {
  return blocks[index] ?? Buffer.alloc(0)
}
