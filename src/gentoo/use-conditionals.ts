/**
 * Dependency strings of a built package as its index has them: without the conditions, which its USE has decided.
 * Source: PMS "Dependency specification format"; Portage lib/portage/dbapi/bintree.py `_eval_use_flags`, whose results
 * these are (tests/golden/use-reduced.tsv), but for a rare bracket that says nothing, which Portage leaves.
 */
import { HubError } from '../errors.ts'
import { shown } from './version.ts'

/** What is left of a dependency: a word, or a group of what all or any of is needed. */
type Left = string | { readonly kind: 'all' | 'any'; readonly items: readonly Left[] }

const MOST_CHARS = 128 * 1024
/** No real dependency nests deeper; the reader calls itself once for each group. */
const DEEPEST = 64
const NOTHING_IS_ENOUGH = '__const__/empty-any-of'
const CONDITION = /^(!?)([A-Za-z0-9][A-Za-z0-9+_@-]*)\?$/
const USE_ENTRY = /^([!-]?)([A-Za-z0-9][A-Za-z0-9+_@-]*(?:\([+-]\))?)([?=]?)$/

/**
 * Reduces a value of `*DEPEND`, LICENSE, RESTRICT or PROPERTIES by the flags that are on: groups whose condition does not
 * hold go, those that are left lose brackets that say nothing, and atoms lose the conditions of their USE dependencies.
 * @throws {HubError} `request.invalid` for brackets that do not match, a condition or `||` without a group, an empty
 *   group, or more than 64 groups in each other.
 */
export function reduceByUse(text: string, use: ReadonlySet<string>): string {
  if (text.length > MOST_CHARS) throw refusal(text, `has more than ${MOST_CHARS} characters`)
  const words = text.split(/\s+/).filter((word) => word !== '')
  const reader = new Reader(text, words, use)
  return reader.readAll().map(formatted).join(' ')
}

class Reader {
  readonly #text: string
  readonly #words: readonly string[]
  readonly #use: ReadonlySet<string>
  #at = 0
  #depth = 0

  constructor(text: string, words: readonly string[], use: ReadonlySet<string>) {
    this.#text = text
    this.#words = words
    this.#use = use
  }

  readAll(): readonly Left[] {
    const left = this.#items('all')
    if (this.#at < this.#words.length) throw refusal(this.#text, 'closes a group that is not open')
    return left
  }

  /** Up to the bracket that closes the group, or to the end; `within` says what the group is. */
  #items(within: 'all' | 'any'): readonly Left[] {
    const left: Left[] = []
    for (let word = this.#words[this.#at]; word !== undefined && word !== ')'; word = this.#words[this.#at]) {
      this.#at++
      left.push(...this.#item(word, within))
    }
    return left
  }

  #item(word: string, within: 'all' | 'any'): readonly Left[] {
    if (word === '||') return anyOf(this.#group('any'), within)
    if (word === '(') {
      this.#at--
      return allOf(this.#group('all'), within)
    }
    const [, not, flag] = CONDITION.exec(word) ?? []
    if (flag !== undefined) {
      const group = this.#group('all')
      return this.#use.has(flag) === (not === '') ? allOf(group, within) : []
    }
    if (word.endsWith('?')) throw refusal(this.#text, `has the condition ${shown(word)}, which is none`)
    return [this.#evaluated(word)]
  }

  #group(kind: 'all' | 'any'): readonly Left[] {
    if (this.#words[this.#at] !== '(') throw refusal(this.#text, 'has a || or a condition without a group')
    if (this.#words[++this.#at] === ')') throw refusal(this.#text, 'has an empty group')
    if (++this.#depth > DEEPEST) throw refusal(this.#text, `has more than ${DEEPEST} groups in each other`)
    const left = this.#items(kind)
    if (this.#words[this.#at++] !== ')') throw refusal(this.#text, 'has a group that is not closed')
    this.#depth--
    return left
  }

  /** `a/b[c?,!d=]` by the flags that are on; any other word as it is. */
  #evaluated(word: string): string {
    // By places: a pattern would try every slash of a long word with every bracket.
    const open = word.endsWith(']') ? word.lastIndexOf('[') : -1
    const before = word.slice(0, Math.max(0, open))
    const entries = word.slice(open + 1, -1)
    if (!before.includes('/') || entries === '' || entries.includes(']')) return word
    const left = entries.split(',').flatMap((entry) => this.#useEntry(entry))
    return left.length === 0 ? before : `${before}[${left.join(',')}]`
  }

  /** PMS "2-style and 4-style USE dependencies". */
  #useEntry(entry: string): readonly string[] {
    const [, before, flag = '', after] = USE_ENTRY.exec(entry) ?? []
    if (after === undefined)
      throw refusal(this.#text, `has the USE dependency ${shown(entry)}, which is none`)
    if (after === '') return [entry]
    const isOn = this.#use.has(flag.replace(/\(.\)$/, ''))
    const wanted = before === '!' ? !isOn : isOn
    if (after === '=') return [wanted ? flag : `-${flag}`]
    return wanted ? [before === '!' ? `-${flag}` : flag] : []
  }
}

/** A group of which all is needed: brackets matter only where one of it and its neighbours is enough. */
function allOf(items: readonly Left[], within: 'all' | 'any'): readonly Left[] {
  if (within === 'all') return items
  const [only, ...others] = items
  if (only === undefined) return []
  return others.length > 0 ? [{ kind: 'all', items }] : spread(only, 'any')
}

/** A group of which one is enough; of one thing that thing. Of nothing none is enough: no package has that name. */
function anyOf(items: readonly Left[], within: 'all' | 'any'): readonly Left[] {
  const [only, ...others] = items
  if (only === undefined) return [NOTHING_IS_ENOUGH]
  if (others.length === 0) return spread(only, within)
  return within === 'any' ? items : [{ kind: 'any', items }]
}

/** What stands alone in a group that goes: of its own kind's neighbours it is one. */
function spread(left: Left, within: 'all' | 'any'): readonly Left[] {
  return typeof left !== 'string' && left.kind === within ? left.items : [left]
}

function formatted(left: Left): string {
  if (typeof left === 'string') return left
  const items = left.items.map(formatted).join(' ')
  return left.kind === 'any' ? `|| ( ${items} )` : `( ${items} )`
}

function refusal(text: string, what: string): HubError {
  return new HubError('request.invalid', `${shown(text)} is no dependency: it ${what}`)
}
