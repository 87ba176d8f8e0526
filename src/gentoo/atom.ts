/**
 * Atoms and dependency strings of EAPI 8: `>=net-libs/nodejs-22:0=[ssl,-test(+)]`, `|| ( a/b c/d )`.
 * Source: PMS "Dependency specification format" and "Package dependency specifications". What only REQUIRED_USE or
 * SRC_URI may hold (`^^`, `??`, `->`, URIs) and Portage's own additions (`::repository`, build ids) are refused.
 */
import { HubError } from '../errors.ts'
import { parseCategory, parsePn, pf, splitPf } from './cpv.ts'
import type { Category, Pn } from './cpv.ts'
import { shown } from './version.ts'
import type { Pvr } from './version.ts'

/** One package dependency. `pvr` is there exactly when `operator` is not empty; `=*` is `=category/pn-pvr*`. */
export interface Atom {
  readonly blocker: '' | '!' | '!!'
  readonly operator: '' | '=' | '=*' | '<' | '<=' | '>=' | '>' | '~'
  readonly category: Category
  readonly pn: Pn
  readonly pvr?: Pvr
  readonly slot?: SlotDependency
  readonly use: readonly UseDependency[]
}

/** `:slot/subslot` with or without operator `=`, or one operator alone. Never empty. */
export interface SlotDependency {
  readonly slot?: string
  readonly subslot?: string
  readonly operator?: '=' | '*'
}

/** One entry of `[a,-b,c?,!c?,d=,!d=]`; `missing` is the default `(+)` or `(-)` for a package without the flag. */
export interface UseDependency {
  readonly flag: string
  readonly form: UseForm
  readonly missing?: '+' | '-'
}

type UseForm = '' | '-' | '?' | '!?' | '=' | '!='

/** A dependency tree. parseDependencies gives a group of kind `all` for the whole text. */
export type Dependency =
  | { readonly kind: 'atom'; readonly atom: Atom }
  | { readonly kind: 'all'; readonly items: readonly Dependency[] }
  | { readonly kind: 'any'; readonly items: readonly Dependency[] }
  | {
      readonly kind: 'use'
      readonly flag: string
      readonly negated: boolean
      readonly items: readonly Dependency[]
    }

const MAX_ATOM_CHARS = 2048
const MAX_CHARS = 32 * 1024
const MAX_DEPTH = 16 // no real dependency nests deeper; the parser and the formatter recurse once per group

const NAME = '[A-Za-z0-9+_.-]+'
const SLOT = '[A-Za-z0-9_][A-Za-z0-9+_.-]*'
const FLAG = '[A-Za-z0-9][A-Za-z0-9+_@-]*'
const ATOM_SHAPE = new RegExp(
  `^(?<blocker>!{0,2})(?<operator>[<>]=?|[=~]|)(?<category>${NAME})/(?<name>${NAME})(?<glob>\\*?)` +
    '(?::(?<slot>[^:[\\]]+))?(?:\\[(?<use>[^[\\]]+)\\])?$',
)
const SLOT_SHAPE = new RegExp(`^(?:(?<slot>${SLOT})(?:/(?<subslot>${SLOT}))?)?(?<operator>[=*]?)$`)
const USE_SHAPE = new RegExp(`^(?<before>[!-]?)(?<flag>${FLAG})(?:\\((?<missing>[+-])\\))?(?<after>[?=]?)$`)
const USE_FORMS: readonly string[] = ['', '-', '?', '!?', '=', '!='] satisfies UseForm[]
const CONDITION_SHAPE = new RegExp(`^(?<not>!?)(?<flag>${FLAG})\\?$`)

/**
 * Parses one atom of EAPI 8. Also takes `:slot/subslot=`, which Portage itself writes for installed packages.
 * @throws {HubError} `request.invalid`
 */
export function parseAtom(text: string): Atom {
  const groups = text.length <= MAX_ATOM_CHARS ? ATOM_SHAPE.exec(text)?.groups : undefined
  if (groups === undefined) throw refusal(text, 'is not an atom', 'send one such as >=dev-db/postgresql-16:*')
  const slot = groups['slot'] === undefined ? undefined : parseSlot(groups['slot'], text)
  return {
    blocker: groups['blocker'] as Atom['blocker'],
    ...parsePackage(groups, text),
    ...(slot === undefined ? {} : { slot }),
    use: groups['use'] === undefined ? [] : parseUse(groups['use'], text),
  }
}

/** The atom as text; parseAtom reads it back to the same value. */
export function formatAtom(atom: Atom): string {
  const operator = atom.operator === '=*' ? '=' : atom.operator
  const name = atom.pvr === undefined ? atom.pn : pf({ pn: atom.pn, pvr: atom.pvr })
  const glob = atom.operator === '=*' ? '*' : ''
  const use = atom.use.length === 0 ? '' : `[${atom.use.map(formatUse).join(',')}]`
  return `${atom.blocker}${operator}${atom.category}/${name}${glob}${formatSlot(atom.slot)}${use}`
}

/**
 * Parses what may stand in DEPEND, RDEPEND, BDEPEND or IDEPEND of an EAPI 8 ebuild: atoms, `( )`, `|| ( )` and
 * `flag? ( )`, separated by spaces, on one line. The empty text is a group of nothing.
 * PDEPEND additionally forbids `:=`, which is not checked here.
 * @throws {HubError} `request.invalid` if the text is anything else, nests more than 16 deep, has an empty group, `:=`
 *   inside `|| ( )`, or `:slot/subslot=`, which is only for installed packages.
 */
export function parseDependencies(text: string): Dependency {
  // Portage would also take tabs and line ends; one line of plain ASCII is all that goes into an ebuild here.
  if (text.length > MAX_CHARS || !/^[ -~]*$/.test(text)) {
    throw refusal(
      text,
      'is not a dependency',
      `send one line of printable ASCII, at most ${MAX_CHARS} characters`,
    )
  }
  const cursor: Cursor = { text, tokens: text.split(' ').filter((token) => token !== ''), next: 0 }
  const items = parseItems(cursor, { depth: 0, inAnyOf: false })
  if (cursor.next < cursor.tokens.length)
    throw refusal(text, 'closes a group that is not open', 'remove that )')
  return { kind: 'all', items }
}

/** The tree as text with single spaces; parseDependencies reads it back to the same value. */
export function formatDependencies(tree: Dependency): string {
  return tree.kind === 'all' ? tree.items.map(formatItem).join(' ') : formatItem(tree)
}

/** Every atom of a tree, in the order of the text. */
export function atomsOf(tree: Dependency): readonly Atom[] {
  return tree.kind === 'atom' ? [tree.atom] : tree.items.flatMap(atomsOf)
}

/**
 * Says whether a tree speaks of USE flags of the package that has the dependency: `flag? ( )`, or one of `[a?]`, `[!a?]`,
 * `[a=]`, `[!a=]`. Such flags must be in its IUSE.
 */
export function usesUseFlags(tree: Dependency): boolean {
  if (tree.kind === 'use') return true
  if (tree.kind !== 'atom') return tree.items.some(usesUseFlags)
  return tree.atom.use.some(({ form }) => form !== '' && form !== '-')
}

type Groups = Readonly<Record<string, string | undefined>>

function parsePackage(groups: Groups, text: string): Pick<Atom, 'operator' | 'category' | 'pn' | 'pvr'> {
  const { operator = '', category = '', name = '', glob = '' } = groups
  if (glob !== '' && operator !== '=')
    throw refusal(text, 'has a * without the operator =', 'write =category/name-1.4*')
  const split = splitPf(name)
  if (operator === '') {
    if (split !== undefined) throw refusal(text, 'has a version but no operator', 'write = or >= before it')
    return { operator: '', category: parseCategory(category), pn: parsePn(name) }
  }
  if (split === undefined)
    throw refusal(text, 'has an operator but no version', 'write a version after the name')
  const whole = `${operator}${glob}` as Atom['operator']
  return { operator: whole, category: parseCategory(category), pn: parsePn(split.pn), pvr: split.pvr }
}

function parseSlot(slotText: string, text: string): SlotDependency {
  const groups = SLOT_SHAPE.exec(slotText)?.groups
  const { slot, subslot, operator } = groups ?? {}
  if (groups === undefined || (slot !== undefined && operator === '*')) {
    throw refusal(text, 'has a slot that is none', 'write one such as :0, :0/1, :*, := or :0=')
  }
  return {
    ...(slot === undefined ? {} : { slot }),
    ...(subslot === undefined ? {} : { subslot }),
    ...(operator === '=' || operator === '*' ? { operator } : {}),
  }
}

function formatSlot(slot: SlotDependency | undefined): string {
  if (slot === undefined) return ''
  return `:${slot.slot ?? ''}${slot.subslot === undefined ? '' : `/${slot.subslot}`}${slot.operator ?? ''}`
}

function parseUse(useText: string, text: string): readonly UseDependency[] {
  const use = useText.split(',').map((entry) => parseUseEntry(entry, text))
  const defaults = new Map<string, string | undefined>()
  for (const { flag, missing } of use) {
    // Portage refuses one flag with two defaults, and one that has a default only sometimes.
    if (defaults.has(flag) && defaults.get(flag) !== missing) {
      throw refusal(text, `gives the flag ${flag} two defaults`, 'write the same (+) or (-) each time')
    }
    defaults.set(flag, missing)
  }
  return use
}

function parseUseEntry(entry: string, text: string): UseDependency {
  const { before = '', flag, missing, after = '' } = USE_SHAPE.exec(entry)?.groups ?? {}
  const form = before + after
  if (flag === undefined || !USE_FORMS.includes(form)) {
    throw refusal(text, 'has a USE dependency that is none', 'write them such as [ssl,-test(+)]')
  }
  return { flag, form: form as UseForm, ...(missing === undefined ? {} : { missing: missing as '+' | '-' }) }
}

function formatUse({ flag, form, missing }: UseDependency): string {
  const before = form.startsWith('!') || form === '-' ? form[0] : ''
  const after = form.endsWith('?') || form.endsWith('=') ? form.at(-1) : ''
  return `${before}${flag}${missing === undefined ? '' : `(${missing})`}${after}`
}

interface Cursor {
  readonly text: string
  readonly tokens: readonly string[]
  next: number
}

interface Place {
  readonly depth: number
  readonly inAnyOf: boolean
}

/** Reads items up to the end of the text or a `)`, which it leaves for the caller. */
function parseItems(cursor: Cursor, place: Place): readonly Dependency[] {
  const items: Dependency[] = []
  while (cursor.next < cursor.tokens.length && cursor.tokens[cursor.next] !== ')') {
    items.push(parseItem(cursor, place))
  }
  return items
}

function parseItem(cursor: Cursor, place: Place): Dependency {
  const token = cursor.tokens[cursor.next]!
  if (token === '(') return { kind: 'all', items: parseGroup(cursor, place) }
  cursor.next++
  if (token === '||') return { kind: 'any', items: parseGroup(cursor, { ...place, inAnyOf: true }) }
  const { not, flag } = CONDITION_SHAPE.exec(token)?.groups ?? {}
  if (flag !== undefined) return { kind: 'use', flag, negated: not === '!', items: parseGroup(cursor, place) }
  return { kind: 'atom', atom: parseEbuildAtom(token, place) }
}

function parseGroup(cursor: Cursor, place: Place): readonly Dependency[] {
  if (place.depth >= MAX_DEPTH)
    throw refusal(cursor.text, 'nests too deep', `use at most ${MAX_DEPTH} levels`)
  if (cursor.tokens[cursor.next] !== '(')
    throw refusal(cursor.text, 'lacks a group', 'write "( … )" with spaces inside')
  cursor.next++
  const items = parseItems(cursor, { ...place, depth: place.depth + 1 })
  if (cursor.tokens[cursor.next] !== ')')
    throw refusal(cursor.text, 'leaves a group open', 'close it with " )"')
  if (items.length === 0)
    throw refusal(cursor.text, 'has an empty group', 'remove it, or write an atom in it')
  cursor.next++
  return items
}

/** The two rules of PMS "Slot dependencies" that hold in ebuilds only. */
function parseEbuildAtom(token: string, place: Place): Atom {
  const atom = parseAtom(token)
  if (atom.slot?.operator !== '=') return atom
  if (place.inAnyOf)
    throw refusal(token, 'stands inside || ( )', 'write it there without the slot operator =')
  if (atom.slot.subslot !== undefined)
    throw refusal(token, 'has a sub-slot before =', 'write :slot= or :slot/subslot')
  return atom
}

function formatItem(item: Dependency): string {
  if (item.kind === 'atom') return formatAtom(item.atom)
  const group = `( ${item.items.map(formatItem).join(' ')} )`
  if (item.kind === 'use') return `${item.negated ? '!' : ''}${item.flag}? ${group}`
  return item.kind === 'any' ? `|| ${group}` : group
}

function refusal(text: string, fault: string, remedy: string): HubError {
  return new HubError('request.invalid', `the dependency ${shown(text)} ${fault}; ${remedy}`)
}
