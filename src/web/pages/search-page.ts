/** Everything by one line of words: the page, and what the search box of every page shows as somebody types. */
import type { Found, Searched } from '../../http/openapi/search.ts'
import { empty, field, filters, heading, section, theirs, time } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { marked } from '../marked.ts'

const KINDS: Readonly<Record<Found['kind'], string>> = {
  ...{ app: 'Apps', build: 'Builds', commit: 'Commits', tarball: 'Tarballs', promotion: 'Promotions' },
  ...{ node: 'Nodes', revision: 'Revisions of overlays', binpkg: 'Binary packages', dump: 'Dumps' },
  ...{ file: 'Files in tarballs', person: 'People', token: 'Tokens' },
}

/** Of a digest or commit no more is shown than tells it from others, or was typed. */
const SHOWN_DIGITS = 24
const DIGITS = new Set(['sha512', 'sha256', 'blake2b', 'commit'])

export interface SearchView {
  readonly searched: Searched
  /** The address with which more of each kind are shown; null: no more are. */
  readonly more: string | null
  readonly now: Date
}

export function searchPage({ searched, more, now }: SearchView): Html {
  const { q, groups } = searched
  const box = field('Search for', { name: 'q', value: q, type: 'search' })
  return html`${heading('Search')}
    <div class="words">${filters('/search', box)}</div>
    ${q === '' ? EXPLAINED : groups.length === 0 ? nothing(q) : groups.map((group) => groupOf(group, more, now))}`
}

const EXPLAINED = html`<p>What it finds, as far as you may see it:</p>
  <dl class="facts">
    ${[
      ['Apps and nodes', 'part of the name: ', 'shop'],
      ['Builds', 'number, version or branch: ', 'shop 45', 'shop-1.4.0', 'main'],
      ['Commits', 'the beginning, of builds and of overlays: ', 'c0ffee'],
      ['Tarballs, packages, dumps', 'the beginning of a digest, 8 digits or more: ', 'cf83e135'],
      ['Files in tarballs', 'part of the path: ', 'etc/shop.toml'],
      ['Promotions', 'the id: ', 'pro_01m83m3xnfxbbczdmzr8b0'],
    ].map(
      ([name, how, ...examples]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${how}${examples.map((example) => html`<code>${example}</code> `)}</dd>
        </div>`,
    )}
  </dl>
  <p class="beside">Press <kbd>/</kbd> or <kbd>Ctrl</kbd>+<kbd>K</kbd> on any page to search.</p>`

function nothing(q: string): Html {
  const isShort = q.split(' ').some((word) => Array.from(word).length < 3)
  const hint = isShort
    ? 'Versions, branches and files are looked for by words of three letters or more.'
    : 'Fewer words, or less of each, find more.'
  return empty(`Nothing that you may see has this. ${hint}`)
}

function groupOf({ kind, items, more }: Searched['groups'][number], address: string | null, now: Date): Html {
  const list = html`<ul class="hits">
    ${items.map(
      (one) =>
        html`<li>
          <div class="hit">
            <a href="${one.page}">${nameOf(one)}</a>
            <span class="about">${aboutOf(one)}</span>
            ${one.at !== null && time(one.at, now)}
          </div>
          ${whereOf(one)}
        </li>`,
    )}
  </ul>`
  const isCut =
    more &&
    (address === null
      ? html`<p class="beside">There are more: add a word.</p>`
      : html`<a href="${address}">More</a>`)
  return section(KINDS[kind], list, isCut)
}

/** What it is called; marked where that is what matched. */
function nameOf({ name, matched }: Found): Html {
  return matched.text === name ? marked(name, matched.marks) : theirs(name)
}

function aboutOf({ about, matched }: Found): Html {
  return matched.text === about ? marked(about, matched.marks) : theirs(about)
}

/** Where the words are, if neither of these has them. */
function whereOf({ name, about, matched }: Found): Html | false {
  if (matched.text === name || matched.text === about || matched.marks.length === 0) return false
  const shown = cut(matched)
  return html`<p class="where">
    ${`${matched.in} `}<span class="${DIGITS.has(matched.in) ? 'digits' : ''}"
      >${marked(shown.text, shown.marks)}${shown.text.length < matched.text.length ? '…' : ''}</span
    >
  </p>`
}

function cut({ in: where, text, marks }: Found['matched']): Pick<Found['matched'], 'text' | 'marks'> {
  if (!DIGITS.has(where)) return { text, marks }
  return { text: text.slice(0, Math.max(SHOWN_DIGITS, marks.at(-1)?.[1] ?? 0)), marks }
}

/** What stands below the search box: options of a list box, the last of which leads to the page. */
export function searchOptions({ q, groups }: Searched): Html {
  const count = groups.reduce((sum, { items }) => sum + items.length, 0)
  if (q === '') return html`<div id="found-options"></div>`
  const address = `/search?q=${encodeURIComponent(q)}`
  const told = count === 0 ? 'Nothing found' : `${String(count)} found`
  return html`<div id="found-options" data-count="${told}">
    <div role="listbox" id="found-list" aria-label="Found">
      ${groups.map((group, at) => optionsOf(group, at))}
      <a class="all" role="option" id="found-all" tabindex="-1" aria-selected="false" href="${address}"
        >${count === 0 ? 'Nothing found for' : 'All results for'} ${theirs(q)}</a
      >
    </div>
  </div>`
}

function optionsOf({ kind, items }: Searched['groups'][number], at: number): Html {
  const title = `found-group-${String(at)}`
  return html`<div role="group" aria-labelledby="${title}">
    <div class="kind" role="presentation" id="${title}">${KINDS[kind]}</div>
    ${items.map(
      (one, place) =>
        html`<a
          role="option"
          id="found-${at}-${place}"
          tabindex="-1"
          aria-selected="false"
          href="${one.page}"
        >
          <span class="name">${nameOf(one)}</span> <span class="about">${aboutOf(one)}</span>
          ${whereOf(one)}
        </a>`,
    )}
  </div>`
}
