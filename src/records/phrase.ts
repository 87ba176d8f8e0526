/** Text for SQLite's FTS5, in which every character stands for itself. */

/** A trigram needs as many characters; a shorter text is in no index of them. */
const INDEXED_CHARACTERS = 3

/** The text as a phrase of a full-text query. */
export function phraseOf(text: string): string {
  return `"${text.replaceAll('"', '""').replaceAll('\0', '')}"`
}

/** Whether the index of trigrams knows texts of this length. */
export function isIndexed(text: string): boolean {
  return Array.from(text).length >= INDEXED_CHARACTERS
}

/** Whether there are any, and it knows all of them. */
export function areIndexed(texts: readonly string[]): boolean {
  return texts.length > 0 && texts.every(isIndexed)
}
