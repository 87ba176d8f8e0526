/**
 * Which passwords the hub takes: long ones, of any characters, that are not among the first a program would guess. NIST
 * SP 800-63B, "Memorized Secrets": length and a list of refusals, and no rules about kinds of characters.
 */
import { HubError } from '../errors.ts'
import type { PersonRow } from '../records/people.ts'

export const LEAST_CHARACTERS = 12
const MOST_CHARACTERS = 256
const FEWEST_DIFFERENT = 5

/** What long passwords are made of that everybody thinks of. */
const GUESSED_FIRST = [
  'password',
  'passwort',
  'letmein',
  'qwerty',
  'qwertz',
  'welcome',
  'administrator',
  'changeme',
]
const RUNS = ['abcdefghijklmnopqrstuvwxyz', '01234567890123456789', 'qwertyuiop', 'qwertzuiop', 'asdfghjkl']

/** @throws {HubError} `password.unfit` with all `reasons`. */
export function refuseUnfit(
  password: string,
  person: Pick<PersonRow, 'name' | 'fullName'>,
  publicUrl: string,
): void {
  const reasons = faultsOf(password, [
    person.name,
    ...(person.fullName?.split(/\s+/) ?? []),
    ...person.name.split(/[@._+-]/),
    ...['portage-hub', 'portagehub', new URL(publicUrl).hostname],
  ])
  if (reasons.length > 0) throw new HubError('password.unfit', reasons.join('; '), { reasons })
}

function faultsOf(password: string, known: readonly string[]): readonly string[] {
  const characters = Array.from(password.normalize('NFC'))
  if (characters.length < LEAST_CHARACTERS)
    return [
      `it has less than ${LEAST_CHARACTERS} characters: a few words that do not belong together will do`,
    ]
  if (characters.length > MOST_CHARACTERS) return [`it has more than ${MOST_CHARACTERS} characters`]
  const left = withoutGuesses(password.toLowerCase(), known)
  return [
    ...(new Set(characters).size < FEWEST_DIFFERENT ? ['it has too few different characters'] : []),
    ...(Array.from(left).length < LEAST_CHARACTERS / 2
      ? ['most of it is your name, the name of the hub, or what everybody tries first']
      : []),
  ]
}

/** What remains of a password when the pieces that a guesser begins with, and what joins them, are taken out. */
function withoutGuesses(password: string, known: readonly string[]): string {
  const pieces = [...known.map((piece) => piece.toLowerCase()), ...GUESSED_FIRST].filter(
    ({ length }) => length > 2,
  )
  let left = password
  for (const piece of pieces) left = left.replaceAll(piece, '')
  for (const run of RUNS)
    for (let length = run.length; length > 3; length--)
      for (let at = 0; at + length <= run.length; at++) left = left.replaceAll(run.slice(at, at + length), '')
  return left.replaceAll(/[\s\p{P}]/gu, '')
}
