/**
 * Outside text on its way into bash, comments and metadata files.
 * Sources: bash manual, "Single Quotes" and "ANSI-C Quoting"; PMS "Ebuild-defined variables" (DESCRIPTION). The rule
 * for clean text is ours: what a reviewer sees must be what the machine reads.
 */
import { HubError } from '../errors.ts'
import { shown } from './version.ts'

const LINE_BREAKS_AND_SPACE = /[\s\u0085\u2028\u2029]+/g
// Bidirectional controls and invisible characters reorder or hide text in front of a reviewer ("Trojan Source").
// U+200C and U+200D stay: Persian, Indic scripts and emoji need them.
const INVISIBLE =
  /[\u200b\u200e\u200f\u061c\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\u{e0000}-\u{e007f}]/gu

// To put a run of combining marks in order takes time by its square; no writing has so many on one letter. The limit is
// that of UAX #15 "Stream-Safe Text Format".
const TOO_MANY_MARKS = /(\p{M}{30})\p{M}+/gu

const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g

/**
 * Quotes a text as one bash word in single quotes, in which bash interprets nothing; `'` becomes `'\''`.
 * @throws {HubError} `ebuild.unsafe` if the text has a NUL, which no bash word can hold.
 */
export function quoteShell(text: string): string {
  refuseNul(text)
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/**
 * Quotes a text as one bash word on one line: as `quoteShell` does, or in `$'…'` if it has a newline or a tab.
 * @throws {HubError} `ebuild.unsafe` if the text has a NUL or another control character.
 */
export function quoteShellLine(text: string): string {
  if (!/[\n\t]/.test(text)) return quoteShell(refuseControls(text))
  const escaped = text
    .replaceAll('\\', String.raw`\\`)
    .replaceAll("'", String.raw`\'`)
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('\t', String.raw`\t`)
  return `$'${refuseControls(escaped)}'`
}

/**
 * Makes free text harmless and fit to show: one line, NFC, no control, bidirectional or invisible characters, runs of
 * white space as one space, at most 30 combining marks on a letter, no word starting with '-' in front (bash's `echo` in Portage would take `-n` or `-e` for an
 * option), at most `maxChars` code points. May return an empty text. Idempotent.
 */
export function cleanText(text: string, maxChars: number): string {
  const visible = text
    .replace(/\p{Surrogate}/gu, '') // before all others: what stood between two halves would join them when it goes
    .replace(INVISIBLE, '') // before white space: JavaScript counts U+FEFF as white space
    .replace(LINE_BREAKS_AND_SPACE, ' ')
    .replace(CONTROLS, '')
    .replace(TOO_MANY_MARKS, '$1')
    .normalize('NFC')
    .replace(TOO_MANY_MARKS, '$1') // some marks are several when taken apart
    .replace(/\s+/g, ' ')
    .replace(/^(?: |-\S*(?: |$))+/, '')
  return Array.from(visible).slice(0, maxChars).join('').trim()
}

/** True if the text has characters that no reviewer sees as they are: controls (newline and tab included), bidi, zero width. */
export function hasHiddenCharacters(text: string): boolean {
  return (
    text.search(CONTROLS) >= 0 || text.search(INVISIBLE) >= 0 || /[\u2028\u2029]|\p{Surrogate}/u.test(text)
  )
}

function refuseNul(text: string): void {
  if (text.includes('\0')) throw new HubError('ebuild.unsafe', `a NUL cannot be quoted: ${shown(text)}`)
}

function refuseControls(text: string): string {
  if (text.search(CONTROLS) < 0) return text
  throw new HubError('ebuild.unsafe', `a control character cannot stand in an ebuild: ${shown(text)}`)
}
