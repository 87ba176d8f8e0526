/** What somebody looks for, as they typed it: the words, and what else they may mean. */

export interface SearchWords {
  /** All of it, in one line. */
  readonly text: string
  readonly words: readonly string[]
  /** A build's number, and part of its app's name or nothing: `45`, `shop 45`, `shop/45`, `shop build 45`. */
  readonly numbered: { readonly app: string; readonly build: number } | null
  /** Packages with the beginning of a version, as Portage writes them: `shop-1.4`, `app-hub/shop-1.4.0_rc2`. */
  readonly versioned: readonly { readonly app: string; readonly version: string }[]
  /** The beginning of a commit. */
  readonly commit: string | null
  /** The beginning of a digest. */
  readonly digest: string | null
  readonly promotion: string | null
}

const MOST_CHARACTERS = 200
const MOST_WORDS = 10

export function readSearchWords(given: string): SearchWords {
  const characters = Array.from(given.toWellFormed().replaceAll('\0', ' '))
  const text = characters.slice(0, MOST_CHARACTERS).join('').replaceAll(/\s+/gu, ' ').trim()
  const words = text === '' ? [] : text.split(' ').slice(0, MOST_WORDS)
  const hex = text.toLowerCase()
  return {
    ...{ text, words, numbered: numberedOf(text), versioned: versionedOf(text) },
    commit: words.length === 1 && text.length >= 6 ? text : null,
    digest: /^[0-9a-f]{8,128}$/.test(hex) ? hex : null,
    promotion: /^pro_[0-9a-z]{4,}$/.test(text) ? text : null,
  }
}

function numberedOf(text: string): SearchWords['numbered'] {
  const [, spaced, joined, number] =
    /^(?:(\S+)(?: build)? |(\S+)[/#])?(?:#|build )?([1-9]\d{0,14})$/i.exec(text) ?? []
  return number === undefined ? null : { app: spaced ?? joined ?? '', build: Number(number) }
}

/** The name of a package may have hyphens and digits as well: every place where a version can begin is tried. */
function versionedOf(text: string): SearchWords['versioned'] {
  const pf = text.slice(text.lastIndexOf('/') + 1)
  return [...pf.matchAll(/-(?=\d)/g)]
    .map(({ index }) => ({ app: pf.slice(0, index), version: pf.slice(index + 1) }))
    .filter(({ app }) => /^[a-zA-Z0-9_][a-zA-Z0-9_+-]*$/.test(app))
    .slice(0, MOST_WORDS)
}

export type Marks = readonly (readonly [from: number, to: number])[]

/** Where the words stand in a text, whatever their case; what touches is one. */
export function marksOf(text: string, words: readonly string[]): Marks {
  const marks: [number, number][] = []
  const places = words.flatMap((word) => placesOf(text, word)).sort(([a], [b]) => a - b)
  for (const [from, to] of places) {
    const last = marks.at(-1)
    if (last && from <= last[1]) last[1] = Math.max(last[1], to)
    else marks.push([from, to])
  }
  return marks
}

function placesOf(text: string, word: string): [number, number][] {
  if (word === '') return []
  const pattern = new RegExp(word.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`), 'giu')
  return [...text.matchAll(pattern)].map(({ index, 0: { length } }) => [index, index + length])
}
