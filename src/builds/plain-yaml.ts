/**
 * YAML as people write it in a recipe: one document of YAML 1.2 in the core schema, without tags of its own, each key
 * once, few aliases. The text is somebody else's, so what makes the `yaml` package slow is kept from it: it takes seconds
 * for 256 KiB of brackets, of faults (it describes each), of keys (it compares each with all others) or of aliases (it
 * looks for each among all anchors).
 */
import { Composer, isScalar, Lexer, LineCounter, Parser, visit, YAMLError } from 'yaml'
import type { Document, Pair } from 'yaml'

/** More than any recipe needs whose lists are as long as they may be. */
const MAX_TOKENS = 60_000
const MAX_DEPTH = 32
const MAX_PROPERTIES = 100
const MAX_ALIAS_USES = 20
const MAX_MESSAGE_CHARS = 200
/** Anchors, aliases, tags and directives by their first character. */
const PROPERTIES = '&*!%'
/** Stands before the text of a scalar among the tokens. */
const SCALAR = '\x1f'
/** What begins a nested node of a block; a scalar or the end of the line ends a row of them. */
const INDICATORS = ['-', '?', ':']

/** Tokens between documents that cannot be a fault; there may be a hundred thousand. */
const HARMLESS: ReadonlySet<string> = new Set(['comment', 'newline', 'space'])

/** Why a text is not taken; the message reads on from "is no YAML of the plain kind: ". */
export class YamlFault extends Error {
  override readonly name = 'YamlFault'
}

/**
 * Reads a text of some 256 KiB at most in a fraction of a second.
 * @throws {YamlFault} for anything else than one plain document.
 */
export function readPlainYaml(text: string): unknown {
  refuseExcess(text)
  const lines = new LineCounter()
  try {
    const document = compose(text, lines)
    refuseTwins(document, lines)
    return document.toJS({ maxAliasCount: MAX_ALIAS_USES }) as unknown
  } catch (error) {
    throw error instanceof YamlFault ? error : faultOf(error, lines)
  }
}

/** One pass over the tokens, which costs little whatever they are. */
function refuseExcess(text: string): void {
  let [tokens, blanks, depth, row, properties] = [0, 0, 0, 0, 0]
  let isText = false
  for (const token of new Lexer().lex(text)) {
    const first = isText ? SCALAR : token.charAt(0)
    isText = token === SCALAR && !isText
    if (isText || first === ' ' || first === '\t') continue
    if (token === '[' || token === '{') depth++
    else if (token === ']' || token === '}') depth--
    row = INDICATORS.includes(token) ? row + 1 : 0
    if (PROPERTIES.includes(first)) properties++
    if ('\n\r#'.includes(first)) blanks++
    else tokens++
    if (depth > MAX_DEPTH || row > MAX_DEPTH) throw new YamlFault('it nests too deep')
    if (depth < 0) throw new YamlFault(`it has a ${token} that closes nothing`)
    if (properties > MAX_PROPERTIES)
      throw new YamlFault(`it has more than ${MAX_PROPERTIES} anchors and aliases`)
    if (blanks > MAX_TOKENS) throw new YamlFault(`it has more than ${MAX_TOKENS} comments and line ends`)
    if (tokens > MAX_TOKENS) throw new YamlFault(`it has more than ${MAX_TOKENS} words and signs`)
  }
}

/** As the package's `parseDocument` does it, but no further than the first fault. */
function compose(text: string, lines: LineCounter): Document {
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    stringKeys: true,
    resolveKnownTags: false,
    logLevel: 'error',
    uniqueKeys: false,
  })
  const documents: Document[] = []
  for (const token of new Parser(lines.addNewLine).parse(text)) {
    if (token.type === 'error') throw new YamlFault(located(token.message, token.offset, lines))
    if (!HARMLESS.has(token.type)) refuseFirst(composer)
    documents.push(...composer.next(token))
    if (documents.length > 1) break
  }
  refuseFirst(composer)
  documents.push(...composer.end(true, text.length))
  const [document, second] = documents
  if (document === undefined || second !== undefined) throw new YamlFault('it has several documents')
  return document
}

/** The composer gathers faults in these lists, of which it makes new ones with each document. */
function refuseFirst(composer: Composer): void {
  const { errors, warnings } = composer.streamInfo()
  for (const list of [errors, warnings]) {
    list.push = (fault) => {
      throw fault
    }
  }
}

/** The package's own check of keys takes time by the square of their number. */
function refuseTwins(document: Document, lines: LineCounter): void {
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>()
      for (const { key } of items as readonly Pair[]) {
        if (!isScalar(key)) continue
        if (seen.has(key.value))
          throw new YamlFault(located('Map keys must be unique', key.range?.[0] ?? 0, lines))
        seen.add(key.value)
      }
    },
  })
}

/** Nesting without end exhausts the stack of the package: a RangeError, and a fault of the sender all the same. */
function faultOf(error: unknown, lines: LineCounter): YamlFault {
  if (error instanceof RangeError) return new YamlFault('it nests too deep', { cause: error })
  const { message } = error as Error
  const reason = error instanceof YAMLError ? located(message, error.pos[0], lines) : shortened(message)
  return new YamlFault(reason, { cause: error })
}

function located(message: string, offset: number, lines: LineCounter): string {
  const { line, col } = lines.linePos(offset)
  return `${shortened(message)} at line ${line}, column ${col}`
}

/** Some messages repeat what they are about, be it the whole text, and control characters with it. */
function shortened(message: string): string {
  return message
    .split('\n', 1)
    .join('')
    .slice(0, MAX_MESSAGE_CHARS)
    .replace(/[\0-\x1f\x7f-\x9f]/g, ' ')
}
