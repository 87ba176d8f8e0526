/**
 * YAML as people write it in a recipe: one document of YAML 1.2 in the core schema, without tags of its own, each key
 * once, few aliases. The text is somebody else's, so what makes the `yaml` package slow is refused before it gets there:
 * it takes seconds for 256 KiB of brackets, of faults (each of which it describes), of keys (each compared with all
 * others) or of aliases (each looked for among all anchors).
 */
import { isScalar, Lexer, LineCounter, parseDocument, visit } from 'yaml'
import type { Document, Pair } from 'yaml'

/** More than any recipe needs whose lists are as long as they may be. */
const MAX_TOKENS = 60_000
const MAX_DEPTH = 32
const MAX_PROPERTIES = 100
const MAX_ALIAS_USES = 20
/** Anchors, aliases, tags and directives by their first character. */
const PROPERTIES = '&*!%'
/** Stands before the text of a scalar among the tokens. */
const SCALAR = '\x1f'
/** What begins a nested node of a block; a scalar or the end of the line ends a row of them. */
const INDICATORS = '-?:'

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
  const document = parse(text, lines)
  const [fault] = [...document.errors, ...document.warnings]
  if (fault) {
    const { line, col } = lines.linePos(fault.pos[0])
    throw new YamlFault(`${fault.message.split('\n', 1).join('')} at line ${line}, column ${col}`)
  }
  refuseTwins(document, lines)
  return valueOf(document)
}

/** One pass over the tokens, which costs little whatever they are. */
function refuseExcess(text: string): void {
  let [tokens, depth, row, properties] = [0, 0, 0, 0]
  let isText = false
  for (const token of new Lexer().lex(text)) {
    const first = isText ? SCALAR : token.charAt(0)
    isText = token === SCALAR && !isText
    if (isText || first === ' ' || first === '\t') continue
    if (token === '[' || token === '{') depth++
    else if (token === ']' || token === '}') depth--
    row = token.length === 1 && INDICATORS.includes(first) ? row + 1 : 0
    if (PROPERTIES.includes(first)) properties++
    if (!'\n\r#'.includes(first)) tokens++
    if (depth > MAX_DEPTH || row > MAX_DEPTH) throw new YamlFault('it nests too deep')
    if (depth < 0) throw new YamlFault(`it has a ${token} that closes nothing`)
    if (properties > MAX_PROPERTIES)
      throw new YamlFault(`it has more than ${MAX_PROPERTIES} anchors and aliases`)
    if (tokens > MAX_TOKENS) throw new YamlFault(`it has more than ${MAX_TOKENS} words and signs`)
  }
}

function parse(text: string, lineCounter: LineCounter): Document {
  try {
    // An unknown tag is only a warning to the library; at any lower level it would not tell of a second document.
    return parseDocument(text, {
      version: '1.2',
      schema: 'core',
      stringKeys: true,
      resolveKnownTags: false,
      logLevel: 'error',
      prettyErrors: false,
      uniqueKeys: false,
      lineCounter,
    })
  } catch (error) {
    throw faultOf(error)
  }
}

/** The library's own check of keys takes time by the square of their number. */
function refuseTwins(document: Document, lines: LineCounter): void {
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>()
      for (const { key } of items as readonly Pair[]) {
        if (!isScalar(key)) continue
        if (seen.has(key.value))
          throw new YamlFault(`Map keys must be unique at line ${lines.linePos(key.range?.[0] ?? 0).line}`)
        seen.add(key.value)
      }
    },
  })
}

function valueOf(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIAS_USES }) as unknown
  } catch (error) {
    throw faultOf(error)
  }
}

/** Nesting without end exhausts the stack of the library: a RangeError, and a fault of the sender all the same. */
function faultOf(error: unknown): YamlFault {
  const reason =
    error instanceof RangeError ? 'it nests too deep' : (error as Error).message.split('\n', 1).join('')
  return new YamlFault(reason, { cause: error })
}
