/** The frame around every page: head, navigation, search, what was just done, and who is signed in. */
import { html } from './html.ts'
import type { Html } from './html.ts'

interface Place {
  readonly address: string
  readonly name: string
  /** Offered to administrators alone: nobody else may look at it. */
  readonly isForAdministrators?: true
}

/** The places of the navigation, in their order. */
export const SECTIONS = {
  board: { address: '/', name: 'Board' },
  apps: { address: '/apps', name: 'Apps' },
  environments: { address: '/environments', name: 'Environments' },
  promotions: { address: '/promotions', name: 'Promotions' },
  nodes: { address: '/nodes', name: 'Nodes' },
  audit: { address: '/audit', name: 'Audit', isForAdministrators: true },
  people: { address: '/people', name: 'People', isForAdministrators: true },
  tokens: { address: '/tokens', name: 'Tokens', isForAdministrators: true },
  webhooks: { address: '/webhooks', name: 'Webhooks', isForAdministrators: true },
  storage: { address: '/storage', name: 'Storage', isForAdministrators: true },
  health: { address: '/health', name: 'Health', isForAdministrators: true },
} as const satisfies Readonly<Record<string, Place>>
export type Section = keyof typeof SECTIONS

/** Where the browser finds styles, script and icon: addresses with a digest, which never change what they are. */
export interface AssetAddresses {
  readonly style: string
  readonly script: string
  readonly icon: string
  /** The script of the pages that upload: it is large. */
  readonly upload: string
}

/** Who looks at the page. */
export interface Visitor {
  readonly name: string
  /** What a form sends along, to show that this page made it. */
  readonly csrf: string
  /** They may administer the hub. */
  readonly administers: boolean
}

/** Something to be told above the content: what was done, or what was refused. */
export interface Notice {
  readonly kind: 'done' | 'refused'
  readonly text: string
}

export interface Frame {
  readonly assets: AssetAddresses
  /** What the page is about: the window's title, and unless `heading` says otherwise the first heading. */
  readonly title: string
  /** null: of no section, and signed out there is no navigation at all. */
  readonly section: Section | null
  readonly visitor: Visitor | null
  readonly notice?: Notice | null
  /** The newest event that the page can know of: its live parts follow those after it. */
  readonly eventsAfter?: number | null
  /** It has the form that uploads. */
  readonly uploads?: boolean
  /** The version of the hub, for the foot of the page. */
  readonly version: string
}

/**
 * htmx adds no styles of its own: the Content-Security-Policy takes those of our file alone. What somebody has opened, and
 * what the script has shown, stays so when a part of the page follows the hub.
 */
const HTMX_CONFIG = JSON.stringify({
  includeIndicatorCSS: false,
  history: false,
  morphIgnore: ['data-htmx-powered', 'open', 'hidden'],
})

/** A whole document. `content` brings its own h1. */
export function page(frame: Frame, content: Html): Html {
  const { assets, title, visitor } = frame
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="htmx-config" content="${HTMX_CONFIG}" />
        <title>${title} · Portage Hub</title>
        <link rel="icon" href="${assets.icon}" type="image/svg+xml" />
        <link rel="stylesheet" href="${assets.style}" />
        <script src="${assets.script}" defer></script>
        ${frame.uploads === true && html`<script src="${assets.upload}" defer></script>`}
      </head>
      <body class="${visitor ? 'framed' : 'bare'}" data-after="${frame.eventsAfter ?? ''}">
        <a class="skip" href="#content">Skip to the content</a>
        ${header(frame)} ${visitor && navigation(frame)}
        <main id="content" tabindex="-1">${frame.notice && noticeOf(frame.notice)} ${content}</main>
        <footer>
          <small>Portage Hub ${frame.version} · <a href="/docs">API</a></small>
        </footer>
      </body>
    </html> `
}

function header({ visitor }: Frame): Html {
  return html`<header class="top">
    <a class="brand" href="/">${MARK}<span>Portage Hub</span></a>
    ${
      visitor &&
      html`${searchBox()}
        <a class="account" href="/account"><bdi>${visitor.name}</bdi></a>
        <button class="menu-button" type="button" popovertarget="menu">Menu</button>`
    }
  </header>`
}

/** Without the script a plain form. `go`: words that name one thing lead to it. */
function searchBox(): Html {
  return html`<form class="search" action="/search" role="search">
    <input type="hidden" name="go" value="true" />
    <input
      type="search"
      name="q"
      aria-label="Search everything"
      placeholder="Search everything  /"
      autocomplete="off"
      autocapitalize="off"
      spellcheck="false"
      maxlength="200"
      aria-keyshortcuts="/ Control+K"
      hx-get="/search?part=options"
      hx-trigger="input changed delay:150ms"
      hx-target="#found"
      hx-select="#found-options"
      hx-sync="this:replace"
    />
    <div id="found" class="found" hidden></div>
    <p id="found-count" class="unseen" role="status"></p>
  </form>`
}

function navigation({ section, visitor }: Frame): Html {
  const places = Object.entries<Place>(SECTIONS)
  const itemsOf = (isForAdministrators: boolean) =>
    places
      .filter(([, place]) => (place.isForAdministrators ?? false) === isForAdministrators)
      .map(
        ([key, { address, name }]) =>
          html`<li><a href="${address}" ${key === section && CURRENT}>${name}</a></li>`,
      )
  return html`<nav id="menu" class="sections" aria-label="Sections" popover>
    <ul>
      ${itemsOf(false)}
      ${
        visitor?.administers === true &&
        html`<li class="group">
          <span id="administration">Administration</span>
          <ul aria-labelledby="administration">
            ${itemsOf(true)}
          </ul>
        </li>`
      }
    </ul>
  </nav>`
}

const CURRENT = html`aria-current="page"`

/** A box that stands open: the mark of the hub. */
const MARK = html`<svg class="mark" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
  <path d="M12 2 3 6.5v11L12 22l9-4.5v-11z" />
  <path d="m3 6.5 9 4.5 9-4.5M12 11v11" />
</svg>`

function noticeOf({ kind, text }: Notice): Html {
  return html`<div class="notice ${kind}" role="${kind === 'done' ? 'status' : 'alert'}">
    <p>${text}</p>
  </div>`
}
