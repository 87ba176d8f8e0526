/**
 * XML of somebody else's making, read by events: well-formed (XML 1.0), UTF-8, bounded in depth and count. Nothing of a
 * document type is ever followed, so there is no entity but the five that XML itself has, and nothing is fetched.
 */
import { setImmediate } from 'node:timers/promises'
import { SaxesParser } from 'saxes'
import { HubError } from '../errors.ts'

export interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
}

/** What a reader of one format does at each step of the document. */
export interface XmlReader {
  open(element: XmlElement, depth: number): void
  text(text: string): void
  close(name: string, depth: number): void
}

const MOST_DEPTH = 64
const MOST_ELEMENTS = 500_000
const MOST_ATTRIBUTES = 64
/** So much is read before others get their turn. */
const PIECE_CHARACTERS = 32 * 1024

/**
 * Reads the document and calls `reader`; its root must be one of `roots`.
 * @throws {HubError} `check.report_invalid`, which names the file, the fault and its line.
 */
export async function readXml(
  name: string,
  bytes: Buffer,
  roots: readonly string[],
  reader: XmlReader,
): Promise<void> {
  const parser = listenTo(name, roots, reader)
  const text = decode(name, bytes)
  for (let at = 0; at < text.length; at += PIECE_CHARACTERS) {
    parser.write(text.slice(at, at + PIECE_CHARACTERS))
    await setImmediate()
  }
  parser.close()
}

function listenTo(name: string, roots: readonly string[], reader: XmlReader): SaxesParser {
  const parser = new SaxesParser({ position: true })
  const refuse = (why: string): never => {
    throw invalidReport(name, `${why} (line ${String(parser.line)})`)
  }
  let depth = 0
  let elements = 0
  parser.on('error', (error) => refuse(error.message.replace(/^\d+:\d+: /, '')))
  parser.on('xmldecl', ({ encoding = 'UTF-8' }) => {
    if (!/^(?:utf-8|us-ascii)$/i.test(encoding))
      refuse(`it is in ${encoding.slice(0, 40)}: write it in UTF-8`)
  })
  parser.on('doctype', (text) => {
    // Many tools name their DTD, which means nothing here. Declarations of one's own are how entities get in.
    if (text.includes('[')) refuse('it declares a document type of its own: leave that out')
  })
  parser.on('opentag', (element) => {
    if (++elements > MOST_ELEMENTS) refuse(`it has more than ${String(MOST_ELEMENTS)} elements`)
    if (++depth > MOST_DEPTH) refuse(`its elements are nested more than ${String(MOST_DEPTH)} deep`)
    if (depth === 1 && !roots.includes(element.name))
      refuse(
        `its root is <${element.name.slice(0, 60)}>, and not ${roots.map((root) => `<${root}>`).join(' or ')}`,
      )
    if (Object.keys(element.attributes).length > MOST_ATTRIBUTES)
      refuse(`an element has more than ${String(MOST_ATTRIBUTES)} attributes`)
    reader.open(element as XmlElement, depth)
  })
  parser.on('text', (text) => {
    reader.text(text)
  })
  parser.on('cdata', (text) => {
    reader.text(text)
  })
  parser.on('closetag', ({ name: closed }) => {
    reader.close(closed, depth)
    depth--
  })
  return parser
}

function decode(name: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw invalidReport(name, 'it is not UTF-8')
  }
}

/** A report that cannot be taken, and why. */
export function invalidReport(name: string, why: string): HubError {
  return new HubError('check.report_invalid', `${JSON.stringify(name)} is refused: ${why}`, { report: name })
}
