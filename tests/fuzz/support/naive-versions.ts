/**
 * The seven algorithms of PMS "Version comparison", written down as the text has them, step by step and with no regard to
 * speed: what `comparePvr` is held against.
 */
const SUFFIXES = ['alpha', 'beta', 'pre', 'rc', '', 'p']
const SHAPE =
  /^(?<numbers>[0-9.]+)(?<letter>[a-z]?)(?<suffixes>(?:_[a-z]+[0-9]*)*)(?:-r(?<revision>[0-9]+))?$/

/** Algorithm 1: the top-level logic. */
export function naiveCompare(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)]
  return (
    numbers(left.numbers, right.numbers) ||
    ascii(left.letter, right.letter) ||
    suffixes(left.suffixes, right.suffixes) ||
    integers(left.revision, right.revision)
  )
}

function partsOf(version: string) {
  const groups = SHAPE.exec(version)?.groups
  if (!groups) throw new Error(`no version: ${version}`)
  const { numbers = '', letter = '', suffixes = '', revision = '0' } = groups
  return { numbers: numbers.split('.'), letter, suffixes: suffixes.split('_').slice(1), revision }
}

/** Algorithms 2 and 3. */
function numbers(a: readonly string[], b: readonly string[]): number {
  const first = integers(a[0] ?? '', b[0] ?? '')
  if (first !== 0) return first
  for (let at = 1; at < Math.min(a.length, b.length); at++) {
    const [left = '', right = ''] = [a[at], b[at]]
    const fraction = left.startsWith('0') || right.startsWith('0')
    const order = fraction ? ascii(stripped(left), stripped(right)) : integers(left, right)
    if (order !== 0) return order
  }
  return Math.sign(a.length - b.length)
}

function stripped(digits: string): string {
  let text = digits
  while (text.endsWith('0')) text = text.slice(0, -1)
  return text
}

/** Algorithms 5 and 6; where one version has no more suffixes, the other wins by a `p` and loses by any other. */
function suffixes(a: readonly string[], b: readonly string[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const [left, right] = [suffix(a[at] ?? ''), suffix(b[at] ?? '')]
    const order = Math.sign(left.rank - right.rank) || integers(left.number, right.number)
    if (order !== 0) return order
  }
  return 0
}

function suffix(text: string): { readonly rank: number; readonly number: string } {
  const word = text.replace(/[0-9]/g, '')
  return { rank: SUFFIXES.indexOf(word), number: text.slice(word.length) || '0' }
}

function integers(a: string, b: string): number {
  const [left, right] = [BigInt(a), BigInt(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

function ascii(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
