import { html } from './html.ts'
import type { Html } from './html.ts'

/** Text with the places marked where somebody's words are: from where to where, in order. */
export function marked(text: string, marks: readonly (readonly [from: number, to: number])[]): Html {
  const parts = marks.map(([from, to], at) => {
    const before = text.slice(marks[at - 1]?.[1] ?? 0, from)
    return html`${before}<mark>${text.slice(from, to)}</mark>`
  })
  return html`<bdi>${parts}${text.slice(marks.at(-1)?.[1] ?? 0)}</bdi>`
}
