/** What pages are made of. `/components` shows every one of them. */
import { createHash } from 'node:crypto'
import { html } from './html.ts'
import type { Html, HtmlValue } from './html.ts'
import { sizeText } from '../size-text.ts'
import { distance } from './relative-time.ts'

// ------------------------------------------------------------------------------------------------ words and values

/** How a state is to be taken. Each has a shape of its own besides its colour. */
export type Tone = 'good' | 'waiting' | 'bad' | 'held' | 'urgent' | 'quiet'

/** A state: a word, and a shape for those who see no colours. */
export function state(tone: Tone, word: string): Html {
  return html`<span class="state ${tone}"><span class="shape" aria-hidden="true"></span>${word}</span>`
}

/** Text of somebody else's making: letters that turn the direction of writing cannot reach beyond it. */
export function theirs(text: string): Html {
  return html`<bdi>${text}</bdi>`
}

/** `3 minutes ago`, with the exact time on hover; what is to come is `in 3 minutes`. A dash for null. */
export function time(at: string | null, now: Date): Html {
  if (at === null) return html`<span class="none">–</span>`
  const seconds = (now.getTime() - Date.parse(at)) / 1000
  const exact = `${at.slice(0, 19).replace('T', ' ')} UTC`
  return html`<time datetime="${at}" title="${exact}">${distance(seconds)}</time>`
}

/** Bytes in binary units: `1.2 MiB`, with the exact number on hover. */
export function size(bytes: number): Html {
  return html`<span class="size" title="${String(bytes)} bytes">${sizeText(bytes)}</span>`
}

/** The beginning of a digest or id, with a button that copies the whole. */
export function digest(hex: string, length = 12): Html {
  return html`<span class="digest"
    ><code title="${hex}">${hex.slice(0, length)}${hex.length > length ? '…' : ''}</code
    >${copyButton(hex)}</span
  >`
}

/** Hidden until the script finds it: without one it would do nothing. `name` is what it is called by those who hear it. */
export function copyButton(text: string, name = text): Html {
  return html`<button type="button" class="copy" data-copy="${text}" aria-label="Copy ${name}" hidden>
    copy
  </button>`
}

/** Text in a typewriter's letters that keeps its lines, with a button that copies it. */
export function block(text: string, label: string): Html {
  return html`<figure class="block">
    <figcaption>${label}${copyButton(text, label)}</figcaption>
    <pre tabindex="0" aria-label="${label}"><code>${text}</code></pre>
  </figure>`
}

/** More lines cost the hub more time than a page may, and nobody reads them. */
const MOST_DIFF_LINES = 20_000

/** A difference of texts in the unified form, as `unifiedDiff` gives it: what its signs say is seen in its colours too. */
export function diff(text: string, label: string): Html {
  const lines = text.replace(/\n$/, '').split('\n')
  const more = lines.length - MOST_DIFF_LINES
  const shown = lines.slice(0, MOST_DIFF_LINES).map((line, at) => {
    // The first two lines name the file.
    const kind = at < 2 ? 'place' : (DIFF_SIGNS[line.charAt(0)] ?? 'same')
    return html`<span class="${kind}">${`${line}\n`}</span>`
  })
  return html`<figure class="block diff">
    <figcaption>${theirs(label)}</figcaption>
    <pre tabindex="0" aria-label="${label}"><code>${shown}</code></pre>
    ${more > 0 && html`<p class="beside">${String(more)} lines more are not shown.</p>`}
  </figure>`
}

const DIFF_SIGNS: Readonly<Record<string, string>> = { '+': 'added', '-': 'removed', '@': 'place' }

// ------------------------------------------------------------------------------------------------ groups of values

/** Pairs of a name and a value; those whose value is nothing are left out. */
export function facts(pairs: readonly (readonly [name: string, value: HtmlValue])[]): Html {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== false)
  return html`<dl class="facts">
    ${shown.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`
}

export interface Column<T> {
  readonly title: string
  readonly cell: (row: T) => HtmlValue
  /** Numbers stand to the right, below each other. */
  readonly isNumber?: boolean
}

/**
 * A table that scrolls by itself where it is wider than the page. On a phone each row becomes a card whose cells carry
 * their column's title. `empty` is shown when there are no rows. `idOf`, in a part that follows the hub, says which row is
 * which when others come before it.
 */
export function table<T>(
  caption: string,
  columns: readonly Column<T>[],
  rows: readonly T[],
  empty: Html,
  idOf: (row: T) => string | null = () => null,
): Html {
  if (rows.length === 0) return empty
  const heads = columns.map(
    ({ title, isNumber }) => html`<th scope="col" class="${isNumber === true ? 'number' : ''}">${title}</th>`,
  )
  const lines = rows.map(
    (row) =>
      html`<tr ${idOf(row) !== null && html`id="${idOf(row)}"`}>
        ${columns.map(
          ({ title, cell, isNumber }) =>
            html`<td class="${isNumber === true ? 'number' : ''}" data-title="${title}">
              <div>${cell(row)}</div>
            </td>`,
        )}
      </tr>`,
  )
  return html`<div class="table" role="region" aria-label="${caption}" tabindex="0">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${heads}
        </tr>
      </thead>
      <tbody>
        ${lines}
      </tbody>
    </table>
  </div>`
}

/** What stands where there is nothing yet: why, and the very command to type next. */
export function empty(text: string, command: string | null = null): Html {
  return html`<div class="empty">
    <p>${text}</p>
    ${command !== null && block(command, 'Next')}
  </div>`
}

/** From one page of a list to the next, and where there is a way back, to the one before. */
export function pager(next: string | null, label = 'Older', previous: string | null = null): Html {
  return html`<nav class="pager" aria-label="Pages">
    ${previous !== null && html`<a href="${previous}" rel="prev">Newer</a>`}
    ${next !== null && html`<a href="${next}" rel="next">${label}</a>`}
  </nav>`
}

/** A part of a page below a heading of its own, with what can be done there beside it. */
export function section(heading: string, content: HtmlValue, actions: HtmlValue = null): Html {
  return html`<section class="part">
    <div class="heading">
      <h2>${heading}</h2>
      ${actions}
    </div>
    ${content}
  </section>`
}

/**
 * A part of a page that follows the hub: when one of these kinds of event comes, it is asked for again. `address` is that of
 * the page. What is the same stays as it is, with the focus and with what somebody has typed; without script all does.
 */
export function live(
  id: string,
  address: string,
  events: readonly string[],
  content: HtmlValue,
  /** Events of another app do not concern it. */
  app: string | null = null,
): Html {
  return html`<div
    id="${id}"
    data-live="${events.join(' ')}"
    ${app !== null && html`data-app="${app}"`}
    hx-get="${address}"
    hx-select="#${id}"
    hx-trigger="hub:changed throttle:1s"
    hx-swap="outerMorph"
  >
    ${content}
  </div>`
}

/** The first heading, below the way to it: each step an address and a name. */
export function heading(
  title: HtmlValue,
  way: readonly (readonly [address: string, name: string])[] = [],
  beside: HtmlValue = null,
): Html {
  const steps = way.map(
    ([address, name]) =>
      html`<li>
        <a href="${address}"><bdi>${name}</bdi></a>
      </li>`,
  )
  return html`<div class="heading">
    <div>
      ${
        steps.length > 0 &&
        html`<nav class="way" aria-label="You are in">
          <ol>
            ${steps}
          </ol>
        </nav>`
      }
      <h1>${title}</h1>
    </div>
    ${beside}
  </div>`
}

// ------------------------------------------------------------------------------------------------ what can be done

/** A button that sends a form: to ask for a change. `fields` go with it. */
export function action(
  {
    address,
    label,
    csrf,
    fields = {},
    tone = 'plain',
  }: {
    readonly address: string
    readonly label: string
    readonly csrf: string
    readonly fields?: Readonly<Record<string, string>>
    readonly tone?: 'plain' | 'main' | 'danger'
  },
  inputs: HtmlValue = null,
): Html {
  const hidden = Object.entries({ csrf, ...fields }).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`,
  )
  // In a part that follows the hub no form becomes another one.
  const id = `do-${createHash('sha256')
    .update([label, address, ...Object.values(fields)].join(' '))
    .digest('hex')
    .slice(0, 12)}`
  return html`<form class="action" id="${id}" method="post" action="${address}">
    ${hidden} ${inputs}
    <button type="submit" class="${tone}">${label}</button>
  </form>`
}

/**
 * An action that opens only when somebody wants it, for what needs a reason or a typed confirmation. `name` is for those who
 * hear it: of several with one label it says which.
 */
export function fold(label: string, content: Html, name = label, isOpen = false): Html {
  return html`<details class="fold" ${isOpen && OPEN}>
    <summary aria-label="${name}">${label}</summary>
    ${content}
  </details>`
}

/** A field with its label, and a word of help below it. */
export function field(
  label: string,
  {
    name,
    value = '',
    type = 'text',
    help = null,
    isRequired = false,
    autocomplete = 'off',
  }: {
    readonly name: string
    readonly value?: string
    readonly type?: 'text' | 'password' | 'search' | 'number' | 'email' | 'date' | 'datetime-local'
    readonly help?: string | null
    readonly isRequired?: boolean
    readonly autocomplete?: string
  },
): Html {
  return html`<label class="field"
    ><span>${label}</span
    ><input
      type="${type}"
      name="${name}"
      value="${value}"
      autocomplete="${autocomplete}"
      ${isRequired && REQUIRED}
    />${help !== null && html`<small>${help}</small>`}</label
  >`
}

/** A field with a list to choose from. */
export function choice(
  label: string,
  name: string,
  options: readonly (readonly [value: string, text: string])[],
  chosen: string,
): Html {
  const items = options.map(
    ([value, text]) => html`<option value="${value}" ${value === chosen && SELECTED}>${text}</option>`,
  )
  return html`<label class="field"
    ><span>${label}</span
    ><select name="${name}">
      ${items}
    </select></label
  >`
}

const REQUIRED = html`required`
const SELECTED = html`selected`
const OPEN = html`open`

/** Fields that narrow a list. A plain GET form: the address says what is shown. */
export function filters(address: string, fields: HtmlValue): Html {
  return html`<form class="filters" method="get" action="${address}">
    ${fields}<button type="submit" class="plain">Show</button>
  </form>`
}

// ------------------------------------------------------------------------------------------------ rules

/** A rule of a verdict, as every door gives it. */
export interface ShownRule {
  readonly state: 'met' | 'unmet' | 'waived'
  readonly detail: string
  readonly since: string | null
  readonly by: string | null
  readonly toMeet: string | null
}

const RULE_STATES = { met: ['good', 'met'], unmet: ['bad', 'not met'], waived: ['urgent', 'waived'] } as const

/** Every rule of a verdict: what is so, since when, by whom, and what would meet it. */
export function rules(list: readonly ShownRule[], now: Date): Html {
  return html`<ul class="rules">
    ${list.map((rule) => {
      const [tone, word] = RULE_STATES[rule.state]
      return html`<li>
        ${state(tone, word)}
        <div>
          <p>${theirs(rule.detail)}</p>
          <p class="beside">
            ${rule.since !== null && html`since ${time(rule.since, now)} `}${
              rule.by !== null && html`by ${theirs(rule.by)}`
            }
          </p>
          ${rule.toMeet !== null && html`<p class="next">${theirs(rule.toMeet)}</p>`}
        </div>
      </li>`
    })}
  </ul>`
}
