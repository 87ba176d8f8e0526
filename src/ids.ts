/**
 * Identifiers of records: `<kind>_<time><random>`, base 32 (Crockford), sorted as text in the order of creation, so
 * that a list can be paged by id alone.
 */
import { randomBytes } from 'node:crypto'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** What the last id had after its kind: of those made within one millisecond, each is the one before plus one. */
let last = { time: '', random: '' }

/**
 * Makes an id such as `rel_06c1v5w2k0` + 12 random characters; `now` gives the millisecond it sorts by. After a clock
 * that went back ids go on from the last one: their order says what came first, not when it was.
 */
export function newId(kind: string, now: Date): string {
  let time = ''
  for (let rest = now.getTime(), i = 0; i < 10; i++, rest = Math.floor(rest / 32)) {
    time = ALPHABET.charAt(rest % 32) + time
  }
  last = time > last.time ? { time, random: randomStart() } : { ...last, random: successor(last.random) }
  return `${kind}_${last.time}${last.random}`
}

/** From now on ids sort after `id`, whatever the clock of the process that made it said. */
export function makeIdsAfter(id: string): void {
  const body = id.slice(id.indexOf('_') + 1)
  if (body > last.time + last.random) last = { time: body.slice(0, 10), random: body.slice(10) }
}

/** Randomness is asked for in stock: asking anew for each request is a few percent of a small answer. */
const RANDOM_CHARACTERS = 12
let stock: Buffer = Buffer.alloc(0)
let stockAt = 0

/** Begins in the lower half, so that a millisecond never runs out of successors. */
function randomStart(): string {
  if (stockAt + RANDOM_CHARACTERS > stock.length) {
    stock = randomBytes(256 * RANDOM_CHARACTERS)
    stockAt = 0
  }
  let text = ALPHABET.charAt((stock[stockAt] ?? 0) % 16)
  for (let at = 1; at < RANDOM_CHARACTERS; at++) text += ALPHABET.charAt((stock[stockAt + at] ?? 0) % 32)
  stockAt += RANDOM_CHARACTERS
  return text
}

function successor(text: string): string {
  const head = text.slice(0, -1)
  const next = ALPHABET.charAt(ALPHABET.indexOf(text.slice(-1)) + 1)
  return next === '' ? successor(head) + ALPHABET.charAt(0) : head + next
}
