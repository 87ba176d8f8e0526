/**
 * Identifiers of records: `<kind>_<time><random>`, base 32 (Crockford), sorted as text in the order of creation, so
 * that a list can be paged by id alone.
 */
import { randomBytes } from 'node:crypto'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** Makes an id such as `rel_06c1v5w2k0` + 12 random characters; `now` gives the millisecond it sorts by. */
export function newId(kind: string, now: Date): string {
  let time = ''
  for (let rest = now.getTime(), i = 0; i < 10; i++, rest = Math.floor(rest / 32)) {
    time = ALPHABET.charAt(rest % 32) + time
  }
  const random = Array.from(randomBytes(12), (byte) => ALPHABET.charAt(byte % 32)).join('')
  return `${kind}_${time}${random}`
}
