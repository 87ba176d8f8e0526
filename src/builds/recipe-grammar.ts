/**
 * The grammar of each kind of value in a recipe. Every value is data for a root shell on a node, so each grammar is an
 * allow-list; commands are free text by design, and may only not hide anything.
 * Sources: PMS "Names", "Ebuild-defined variables", "Dependency specification format"; the list of characters in URLs and
 * paths is the hub's own.
 */
import { z } from 'zod'
import { HubError } from '../errors.ts'
import { formatDependencies, parseDependencies, usesUseFlags } from '../gentoo/atom.ts'
import { parseCategory } from '../gentoo/cpv.ts'
import { MAX_DESCRIPTION_CHARS } from '../gentoo/ebuild.ts'
import { cleanText, hasHiddenCharacters } from '../gentoo/quote.ts'

const COMPONENT = /^(?!-)(?!\.{1,2}$)[A-Za-z0-9._+@:-]{1,255}$/
// Kernel and run-time file systems, and places that are emptied: nothing installed there would last.
const UNLASTING = ['/proc', '/sys', '/dev', '/run', '/tmp', '/var/tmp', '/var/run', '/var/lock']
const URL_CHARACTERS = /^https?:\/\/[A-Za-z0-9._~:/@!&*+,;=%-]+$/
const MAX_COMMAND_BYTES = 8 * 1024
const MAX_PATH_CHARS = 1024
const SECONDS = { s: 1, m: 60, h: 3600 } as const
const MAX_DURATION_SEC = 86_400

/** A text; a YAML number or truth value is refused with the hint to quote it (`mode: 0640` is the number 640). */
export const text = z.string({
  error: ({ input }) =>
    input === undefined
      ? 'is required'
      : `must be a text, not ${kindOf(input)}${isBare(input) ? ': put it in quotes' : ''}`,
})

export const category = text.superRefine(accepts(parseCategory))
/** Cleaned when read: one visible line of at most 80 characters. */
export const description = text
  .overwrite((value) => cleanText(value, MAX_DESCRIPTION_CHARS))
  .refine((value) => value !== '', 'has no visible character')
export const homepage = text.refine(isPlainUrl, 'must be an http(s) URL without user, query or fragment')
export const license = text.regex(/^[A-Za-z0-9_][A-Za-z0-9+_.-]{0,99}$/, 'must be the name of one licence')
export const slot = text.regex(
  /^[A-Za-z0-9_][A-Za-z0-9+_.-]{0,63}(\/[A-Za-z0-9_][A-Za-z0-9+_.-]{0,63})?$/,
  'must be a slot such as "0"',
)
export const keyword = text.regex(/^~?[a-z0-9][a-z0-9_-]{0,31}$/, 'must be a keyword such as amd64 or ~amd64')
export const dependency = text.superRefine(accepts(parseOwnDependencies))
export const absolutePath = text.superRefine(accepts(checkAbsolutePath))
export const relativePath = text.refine(
  (value) => value.length <= MAX_PATH_CHARS && value.split('/').every((part) => COMPONENT.test(part)),
  'must be a path inside the tarball, of letters, digits and . _ + @ : -, without ..',
)
/** What a symbolic link holds: an absolute path, or one relative to the link, which may start with `../`. */
export const linkTarget = text.superRefine((value, context) => {
  if (value.startsWith('/')) accepts(checkPathCharacters)(value, context)
  else if (!relativePath.safeParse(value.replace(/^(\.\.\/)+/, '')).success) {
    context.addIssue({ code: 'custom', message: 'must be an absolute path, or one relative to the link' })
  }
})
const MODE_FORM = 'must be four octal digits in quotes, such as "0640", without set-id bits'
// Its own message for numbers: unquoted, YAML 1.2 reads 0640 as six hundred and forty.
export const mode = z.string({ error: MODE_FORM }).regex(/^[01][0-7]{3}$/, MODE_FORM)
export const userName = text.regex(/^[a-z_][a-z0-9_-]{0,30}$/, 'must be a user name of a-z, 0-9, _ and -')
export const owner = text.regex(
  /^[a-z_][a-z0-9_-]{0,30}:[a-z_][a-z0-9_-]{0,30}$/,
  'must be user:group, such as root:shop',
)
export const fileName = text.regex(COMPONENT, 'must be a file name of letters, digits and . _ + @ : -')
/** Kept as it is sent; `durationSec` gives its length. */
export const duration = text.refine(
  (value) => /^[1-9][0-9]{0,5}[smh]$/.test(value) && durationSec(value) <= MAX_DURATION_SEC,
  'must be a time such as 30s, 10m or 1h, at most 24h',
)
export const command = text
  .refine((value) => value.trim() !== '', 'must not be empty')
  .refine(
    (value) => Buffer.byteLength(value) <= MAX_COMMAND_BYTES,
    `must be at most ${MAX_COMMAND_BYTES} bytes`,
  )
  .refine(
    (value) => !hasHiddenCharacters(value.replace(/[\n\t]/g, ' ')),
    'has control or invisible characters other than newline and tab',
  )

/** Seconds in a duration of the recipe's form: `10m` is 600. The text must have been validated. */
export function durationSec(value: string): number {
  return Number(value.slice(0, -1)) * SECONDS[value.at(-1) as keyof typeof SECONDS]
}

/** The dependency as it goes into an ebuild: single spaces. The text must have been validated. */
export function normalisedDependency(value: string): string {
  return formatDependencies(parseOwnDependencies(value))
}

function parseOwnDependencies(value: string): ReturnType<typeof parseDependencies> {
  const tree = parseDependencies(value)
  if (formatDependencies(tree) === '') throw new HubError('request.invalid', 'must not be empty')
  if (usesUseFlags(tree)) {
    throw new HubError('request.invalid', 'must not depend on USE flags of the app itself: it has none')
  }
  return tree
}

function checkAbsolutePath(value: string): void {
  checkPathCharacters(value)
  const unlasting = UNLASTING.find((root) => value === root || value.startsWith(`${root}/`))
  if (unlasting) throw new HubError('request.invalid', `must not be below ${unlasting}: nothing lasts there`)
}

function checkPathCharacters(value: string): void {
  const [first, ...parts] = value.split('/')
  if (first === '' && value.length <= MAX_PATH_CHARS && parts.every((part) => COMPONENT.test(part))) return
  throw new HubError(
    'request.invalid',
    'must be an absolute path of letters, digits and . _ + @ : -, without .. or //',
  )
}

function isPlainUrl(value: string): boolean {
  if (value.length > 500 || !URL_CHARACTERS.test(value) || !URL.canParse(value)) return false
  const { username, password } = new URL(value)
  return username === '' && password === ''
}

// Parsers of the library refuse by throwing; here a refusal becomes one issue among others.
function accepts(
  parse: (value: string) => unknown,
): (value: string, context: z.RefinementCtx<string>) => void {
  return (value, context) => {
    try {
      parse(value)
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      context.addIssue({ code: 'custom', message: error.message })
    }
  }
}

function kindOf(input: unknown): string {
  if (input === null) return 'nothing'
  if (Array.isArray(input)) return 'a list'
  if (typeof input === 'object') return 'a group of keys'
  return typeof input === 'boolean' ? 'true or false' : `a ${typeof input}`
}

function isBare(input: unknown): boolean {
  return typeof input === 'number' || typeof input === 'boolean'
}
