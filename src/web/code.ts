/**
 * Code in colours. What lowlight makes of a text is a tree; its words go through the `html` tag like any other, so that
 * nothing of the text becomes HTML.
 */
import { runInThisContext } from 'node:vm'
import type { Element, ElementContent, Root, RootContent } from 'hast'
import { common, createLowlight } from 'lowlight'
import type { LanguageFn } from 'lowlight'
import { ByteCache } from '../byte-cache.ts'
import { copyButton, theirs } from './components.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'

/** Longer texts stay without colours: each of them takes the hub's time. */
const MOST_CHARACTERS = 60_000

/**
 * Grammars are regular expressions, and there are texts for which these take for ever. Those stay without colours. Ordinary
 * ones take a twentieth of it.
 */
const PATIENCE_MS = 500

/** Of a Manifest; lowlight has none. */
const manifest: LanguageFn = () => ({
  name: 'Manifest',
  contains: [
    { scope: 'keyword', begin: /^(?:DIST|EBUILD|AUX|MISC|DATA|TIMESTAMP)\b/ },
    { scope: 'attr', begin: /\b(?:BLAKE2B|SHA512|SHA256)\b/ },
    { scope: 'string', begin: /\b[0-9a-f]{64,128}\b/ },
    { scope: 'number', begin: / [0-9]+ / },
  ],
})

const GRAMMARS = { ...common, manifest }

/** The grammars that are asked for. */
export type Language =
  | 'bash'
  | 'c'
  | 'cpp'
  | 'css'
  | 'diff'
  | 'go'
  | 'ini'
  | 'java'
  | 'javascript'
  | 'json'
  | 'lua'
  | 'makefile'
  | 'manifest'
  | 'markdown'
  | 'perl'
  | 'php'
  | 'python'
  | 'ruby'
  | 'rust'
  | 'sql'
  | 'typescript'
  | 'xml'
  | 'yaml'

let lowlight = createLowlight(GRAMMARS)

/** Lines by language and text. They are kept because builds never change, and so that a slow text is slow once. */
const known = new ByteCache<readonly Html[]>(8 * 1024 * 1024)

/** Text in colours that keeps its lines, with a button that copies it. null: no colours. */
export function code(text: string, language: Language | null, label: string): Html {
  return html`<figure class="block code">
    <figcaption>${theirs(label)}${copyButton(text, label)}</figcaption>
    <pre tabindex="0" aria-label="${label}"><code>${codeLines(text, language)}</code></pre>
  </figure>`
}

/** The same with a number before each line, which leads to that very line: `#L12`. Whoever wants it whole downloads it. */
export function numberedCode(text: string, language: Language | null, label: string): Html {
  const lines = codeLines(text, language).map((line, at) => {
    const number = String(at + 1)
    return html`<span class="line" id="L${number}"
      ><a href="#L${number}" data-number="${number}" aria-label="Line ${number}"></a>${line}</span
    >`
  })
  return html`<figure class="block code numbered">
    <figcaption>${theirs(label)}</figcaption>
    <pre tabindex="0" aria-label="${label}"><code>${lines}</code></pre>
  </figure>`
}

/** Each line with the line feed at its end. */
function codeLines(text: string, language: Language | null): readonly Html[] {
  const key = `${language ?? ''}\n${text}`
  const before = known.get(key)
  if (before) return before
  const lines = linesOf(wordsOf(text, language))
  known.set(key, lines, 4 * key.length)
  return lines
}

/** A piece of the text, and what the grammar says that it is. */
interface Word {
  readonly scope: string | null
  readonly text: string
}

function wordsOf(text: string, language: Language | null): readonly Word[] {
  const tree = language === null || text.length > MOST_CHARACTERS ? null : highlighted(text, language)
  return tree ? wordsIn(tree) : [{ scope: null, text }]
}

/** null: it took too long, or was too much for the grammar. */
function highlighted(text: string, language: Language): Root | null {
  const place = globalThis as { portageHubHighlight?: () => Root }
  place.portageHubHighlight = () => lowlight.highlight(language, text)
  // Reads the grammar, if it is the first text of it.
  lowlight.highlight(language, '')
  try {
    // Nothing else ends a regular expression on the thread that it runs on.
    return runInThisContext('portageHubHighlight()', { timeout: PATIENCE_MS }) as Root
  } catch {
    // It was ended in the middle of whatever it did, which may have been the reading of a grammar.
    lowlight = createLowlight(GRAMMARS)
    return null
  } finally {
    delete place.portageHubHighlight
  }
}

/** The innermost scope of each piece says what it is. A text can be nested too deeply for a function that calls itself. */
function wordsIn(tree: Root): readonly Word[] {
  const words: Word[] = []
  const waiting: [child: ElementContent | RootContent, scope: string | null][] = []
  const wait = ({ children }: Root | Element, scope: string | null): void => {
    for (const child of children.toReversed()) waiting.push([child, scope])
  }
  wait(tree, null)
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [child, scope] = next
    if (child.type === 'text') words.push({ scope, text: child.value })
    else if (child.type === 'element') wait(child, scopeOf(child) ?? scope)
  }
  return words
}

function scopeOf({ properties }: Element): string | null {
  const names = Array.isArray(properties['className']) ? properties['className'] : []
  return names.map(String).find((name) => name.startsWith('hljs-')) ?? null
}

function linesOf(words: readonly Word[]): readonly Html[] {
  const lines: Html[][] = [[]]
  for (const { scope, text } of words)
    for (const piece of text.split(/(?<=\n)/)) {
      lines.at(-1)?.push(scope === null ? html`${piece}` : html`<span class="${scope}">${piece}</span>`)
      if (piece.endsWith('\n')) lines.push([])
    }
  if (lines.at(-1)?.length === 0) lines.pop()
  return lines.map((line) => html`${line}`)
}
