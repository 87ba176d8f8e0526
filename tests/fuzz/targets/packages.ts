/** What a binhost is made of in small: its index, the dependencies in it, and the headers of a package's members. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { parsePackagesIndex, renderPackagesIndex } from '../../../src/gentoo/packages-index.ts'
import {
  MOST_EXTENSION_BYTES,
  paddedBytes,
  readExtension,
  readTarBlock,
  renderPadding,
  renderTarHeader,
  TAR_BLOCK_BYTES,
} from '../../../src/gentoo/tar-member.ts'
import { reduceByUse } from '../../../src/gentoo/use-conditionals.ts'
import { gnuLongName, paxHeader, tarEntry } from '../../support/tarballs.ts'
import { flooded, mutated, mutatedText } from '../support/mutate.ts'
import { outcomeNow } from '../support/refusal.ts'
import { same, sameJson } from '../support/same.ts'
import { changeOfExtension, changeOfHeader } from '../support/tar-corpus.ts'
import { target } from '../support/target.ts'
import type { Target } from '../support/target.ts'

const REQUEST = /^request\.invalid$/
const golden = (path: string): string =>
  readFileSync(new URL(`../../golden/${path}`, import.meta.url), 'utf8')

/** What is read and written is read again as the same, and written as the same. */
const indexes = target({
  name: 'packages-index',
  share: 15,
  cases: fc.oneof(
    mutatedText(
      [golden('binhost/Packages'), golden('binpkgs/gpkg-zstd/Packages')],
      ['\n', '\n\n', ': ', 'CPV: a/b-1\n', 'VERSION: 0\n', 'SLOT: 0\n', 'REPO: ', '\r', '\u2028', '\x85'],
    ),
    flooded(['\n', 'CPV: a/b-1\n\n', 'A: b\n', ': ', 'a'], 300_000, [
      ['VERSION: 0\n\n', '\n\n'],
      ['VERSION: 0\n', '\n\n'],
    ]),
  ),
  check: (text) => {
    const read = outcomeNow(REQUEST, () => parsePackagesIndex(text))
    if (read.verdict === 'refused') return 'refused'
    const written = outcomeNow(REQUEST, () => renderPackagesIndex(read.value))
    if (written.verdict === 'refused') return 'refused'
    const again = parsePackagesIndex(written.value)
    same(again.packages.length, read.value.packages.length, 'the number of packages')
    same(renderPackagesIndex(again), written.value, 'the index written again')
    return 'accepted'
  },
})

const USE_WORDS = ['a', 'b', 'ssl', 'doc', 'test', 'x11']
const dependency = fc.letrec<{ item: string; items: string }>((tie) => ({
  item: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('a/b', '>=c/d-1:0=', '!e/f', 'mirror', 'g/h[a?,!b=,ssl(+)]', 'g/h[-doc]', 'i/j[!a?]'),
    tie('items').map((items) => `( ${items} )`),
    tie('items').map((items) => `|| ( ${items} )`),
    fc
      .tuple(fc.constantFrom('', '!'), fc.constantFrom(...USE_WORDS), tie('items'))
      .map(([not, flag, items]) => `${not}${flag}? ( ${items} )`),
  ),
  items: fc.array(tie('item'), { minLength: 1, maxLength: 3 }).map((all) => all.join(' ')),
}))

/** What is reduced has no condition left, and nothing more to reduce. */
const conditions = target({
  name: 'use-conditionals',
  share: 15,
  cases: fc.tuple(
    fc.oneof(
      dependency.items,
      dependency.items.chain((text) =>
        mutatedText([text], ['(', ')', ' ', '||', 'a?', '!', '[', ']', '?', '=', ',', '\n', '\u2028']),
      ),
      flooded(['( ', ') ', 'a? ( ', '|| ( ', 'a/b ', 'a/b[', 'a?,', ']', '[a?] '], 130_000),
      fc.nat(70).map((depth) => `${'( a? ( '.repeat(depth)}a/b${' ) )'.repeat(depth)}`),
    ),
    fc.subarray(USE_WORDS),
  ),
  check: ([text, flags]) => {
    const use = new Set(flags)
    const reduced = outcomeNow(REQUEST, () => reduceByUse(text, use))
    if (reduced.verdict === 'refused') return 'refused'
    if (/(?:^|\s)\S+\?(?:\s|$)/.test(reduced.value)) throw new Error(`a condition is left: ${reduced.value}`)
    same(reduceByUse(reduced.value, use), reduced.value, 'what was reduced, reduced again')
    return 'accepted'
  },
})

const memberName = fc.oneof(
  fc.constantFrom(
    'shop-1/gpkg-1',
    `${'d'.repeat(90)}/${'n'.repeat(90)}`,
    'n'.repeat(101),
    '',
    'a/',
    '/',
    'é/x',
  ),
  mutatedText(['shop-1.0.0_p1/image.tar.zst'], ['/', '\n', '\x7f', 'x'.repeat(60), '\u00e9', '\ud800']),
)

/** What the hub writes it reads as the same, and other programs' headers are one thing or refused. */
const members = target({
  name: 'tar-member',
  share: 15,
  cases: fc.oneof(
    fc.record({
      name: memberName,
      sizeBytes: fc.oneof(fc.nat(5000), fc.constantFrom(0, 0o77777777777, 2 ** 33, 2 ** 40)),
      mtimeSec: fc.oneof(fc.nat(2 ** 31), fc.constant(0)),
    }),
    mutated(
      [
        tarEntry({ name: 'shop/gpkg-1', content: '' }),
        tarEntry({ name: 'shop/Manifest', content: 'DATA', magic: 'gnu' }),
        gnuLongName('shop/'.repeat(30)),
        paxHeader([
          ['path', 'shop/image.tar'],
          ['size', '8589934592'],
        ]),
      ],
      [changeOfHeader, changeOfExtension],
    ),
  ),
  check: (input) => {
    if (!Buffer.isBuffer(input)) {
      const written = outcomeNow(REQUEST, () => renderTarHeader(input))
      if (written.verdict === 'refused') return 'refused'
      const { name, sizeBytes } = input
      const shown = Buffer.from(name).toString()
      sameJson(readTarBlock(written.value), { kind: 'file', name: shown, sizeBytes })
      same(sizeBytes + renderPadding(sizeBytes % 4096).length >= sizeBytes, true, 'the padding')
      return 'accepted'
    }
    const block = outcomeNow(/^archive\.corrupt$/, () => readTarBlock(input.subarray(0, TAR_BLOCK_BYTES)))
    if (block.verdict === 'refused' || block.value.kind === 'end' || block.value.kind === 'file')
      return block.verdict
    const { kind, sizeBytes } = block.value
    same(sizeBytes > 0 && sizeBytes <= MOST_EXTENSION_BYTES, true, 'the size of an extension is bounded')
    same(paddedBytes(sizeBytes) % TAR_BLOCK_BYTES, 0, 'whole blocks')
    const content = input.subarray(TAR_BLOCK_BYTES, TAR_BLOCK_BYTES + sizeBytes)
    return outcomeNow(/^archive\.corrupt$/, () => readExtension(kind, content)).verdict
  },
})

export const PACKAGE_TARGETS: readonly Target[] = [indexes, conditions, members]
