/**
 * HTML out of values. The tag escapes everything that is put in, but what it made itself, for the two places in which a
 * value may stand: text, and an attribute in double quotes. A value never stands anywhere else: not as a name, not without
 * quotes, not in a script or a style.
 */

/** HTML that this tag made. No other text becomes one. */
export class Html {
  readonly #text: string

  /** @internal `html` alone calls it. */
  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

/** What may be put in. null, undefined and false are nothing; the items of a list follow each other. */
export type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[]

/** html`<a href="${address}">${name}</a>` */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let text = parts[0] ?? ''
  for (const [at, value] of values.entries()) text += rendered(value) + (parts[at + 1] ?? '')
  return new Html(text)
}

function rendered(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return ''
  if (value instanceof Html) return value.toString()
  if (typeof value === 'object') return value.map(rendered).join('')
  return escaped(String(value))
}

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
  // A parser would drop NUL, and what follows would mean something else.
  '\0': '\u{fffd}',
}

function escaped(text: string): string {
  return text.toWellFormed().replaceAll(/[&<>"'\0]/g, (character) => ENTITIES[character] ?? character)
}
