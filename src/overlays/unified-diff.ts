/** The lines in which two texts differ, in the unified form of diff(1) and git. */

const CONTEXT = 3
/** Above this product of line counts the whole text is shown as removed and added. */
const MOST_CELLS = 4_000_000

interface Line {
  readonly sign: ' ' | '-' | '+'
  readonly text: string
}

/** `null` means that there is no such file. Two equal texts give no lines at all. */
export function unifiedDiff(path: string, before: string | null, after: string | null): string {
  if (before === after) return ''
  const lines = compare(linesOf(before), linesOf(after))
  const header = [
    before === null ? '--- /dev/null' : `--- a/${path}`,
    after === null ? '+++ /dev/null' : `+++ b/${path}`,
  ]
  return `${[...header, ...hunks(lines)].join('\n')}\n`
}

/** A last line without a line feed is another line than the same with one, as for diff(1). */
function linesOf(text: string | null): readonly string[] {
  if (text === null || text === '') return []
  const lines = text.split('\n')
  if (lines.at(-1) === '') return lines.slice(0, -1)
  return [...lines.slice(0, -1), `${lines.at(-1) ?? ''}\n\\ No newline at end of file`]
}

function compare(before: readonly string[], after: readonly string[]): readonly Line[] {
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start++
  let end = 0
  const shorter = Math.min(before.length, after.length) - start
  while (end < shorter && before.at(-1 - end) === after.at(-1 - end)) end++
  const middle = changed(before.slice(start, before.length - end), after.slice(start, after.length - end))
  const same = (lines: readonly string[]): Line[] => lines.map((text) => ({ sign: ' ', text }))
  return [...same(before.slice(0, start)), ...middle, ...same(before.slice(before.length - end))]
}

/** By the longest common subsequence, from the end; whole texts where that would take too much memory. */
function changed(before: readonly string[], after: readonly string[]): readonly Line[] {
  const width = after.length + 1
  if (before.length * after.length > MOST_CELLS) {
    return [...signed('-', before), ...signed('+', after)]
  }
  const common = new Uint32Array((before.length + 1) * width)
  const at = (b: number, a: number): number => common[b * width + a] ?? 0
  for (let b = before.length - 1; b >= 0; b--) {
    for (let a = after.length - 1; a >= 0; a--) {
      const longest = before[b] === after[a] ? at(b + 1, a + 1) + 1 : Math.max(at(b + 1, a), at(b, a + 1))
      common[b * width + a] = longest
    }
  }
  const lines: Line[] = []
  let [b, a] = [0, 0]
  while (b < before.length || a < after.length) {
    if (b < before.length && a < after.length && before[b] === after[a]) {
      lines.push({ sign: ' ', text: before[b++] ?? '' })
      a++
    } else if (a >= after.length || (b < before.length && at(b + 1, a) >= at(b, a + 1))) {
      lines.push({ sign: '-', text: before[b++] ?? '' })
    } else lines.push({ sign: '+', text: after[a++] ?? '' })
  }
  return lines
}

function signed(sign: '-' | '+', texts: readonly string[]): Line[] {
  return texts.map((text) => ({ sign, text }))
}

function* hunks(lines: readonly Line[]): Generator<string> {
  let [before, after] = [1, 1]
  for (let at = 0; at < lines.length;) {
    const first = lines.findIndex(({ sign }, index) => index >= at && sign !== ' ')
    if (first < 0) return
    const begin = Math.max(at, first - CONTEXT)
    const end = endOfHunk(lines, first)
    // What lies between two hunks is the same on both sides.
    before += begin - at
    after += begin - at
    const hunk = lines.slice(begin, end)
    const removed = hunk.filter(({ sign }) => sign !== '+').length
    const added = hunk.filter(({ sign }) => sign !== '-').length
    yield `@@ -${range(before, removed)} +${range(after, added)} @@`
    yield* hunk.map(({ sign, text }) => sign + text)
    before += removed
    after += added
    at = end
  }
}

/** Changes that lie no further apart than their context share a hunk. */
function endOfHunk(lines: readonly Line[], first: number): number {
  let last = first
  for (let at = first; at < lines.length && at <= last + 2 * CONTEXT; at++) {
    if (lines[at]?.sign !== ' ') last = at
  }
  return Math.min(lines.length, last + 1 + CONTEXT)
}

/** An empty side is named by the line before it. */
function range(start: number, count: number): string {
  if (count === 1) return String(start)
  return `${String(count === 0 ? start - 1 : start)},${String(count)}`
}
