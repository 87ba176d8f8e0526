/** What every page has around it: who looks, what was just done, and the way to sign in for those who have not. */
import { STATUS_CODES } from 'node:http'
import { urlencoded } from 'express'
import type { Request, RequestHandler, Response } from 'express'
import { may } from '../../access/rights.ts'
import type { Principal } from '../../access/rights.ts'
import { ERRORS, HubError } from '../../errors.ts'
import type { Hub } from '../../hub.ts'
import { HUB_VERSION } from '../../version.ts'
import { readAssets } from '../../web/assets.ts'
import { html } from '../../web/html.ts'
import type { Html } from '../../web/html.ts'
import { page } from '../../web/page.ts'
import type { Notice, Section, Visitor } from '../../web/page.ts'
import { refuseForged, sessionCsrf } from '../session.ts'
import type { SignedIn } from '../session.ts'

const { addresses } = readAssets()

export interface PageAnswer {
  readonly title: string
  readonly section?: Section
  readonly status?: number
  readonly notice?: Notice | null
  /** It has the form that uploads. */
  readonly uploads?: boolean
}

/** Answers with the page. Without another notice it tells what `?done=` names. */
export function answerPage(
  request: Request,
  response: Response,
  { title, section, status = 200, notice = doneNotice(request), uploads = false }: PageAnswer,
  content: Html,
): void {
  const visitor = visitorOf(response)
  const eventsAfter = (response.locals['eventsAfter'] as number | undefined) ?? null
  const frame = {
    ...{ assets: addresses, title, section: section ?? null, visitor, notice },
    ...{ eventsAfter, uploads, version: HUB_VERSION },
  }
  response.status(status).set('Cache-Control', 'no-store').type('text/html; charset=utf-8')
  response.send(page(frame, content).toString())
}

/** The address of the page after this one; null after the last. */
export function nextPage(request: Request, cursor: string | null): string | null {
  if (cursor === null) return null
  const query = new URLSearchParams(request.query as Record<string, string>)
  query.delete('part')
  query.set('cursor', cursor)
  return `${request.path}?${query.toString()}`
}

/** null: nobody has signed in. Who comes with a token looks, and has no form to send. */
export function visitorOf(response: Response): Visitor | null {
  const principal = response.locals['principal'] as Principal | undefined
  if (!principal) return null
  const signedIn = response.locals['signedIn'] as SignedIn | undefined
  return {
    name: principal.name,
    csrf: signedIn ? sessionCsrf(signedIn) : '',
    administers: may(principal, { to: 'administer' }),
  }
}

/** Sends whoever has not signed in to do so, and to come back. */
export const requireVisitor: RequestHandler = (request, response, next) => {
  if (response.locals['principal'] !== undefined) next()
  else response.redirect(303, `/sign-in?next=${encodeURIComponent(request.originalUrl)}`)
}

/** Reads the form of a page, which must have come from one. */
export function readForm(hub: Pick<Hub, 'config'>): RequestHandler[] {
  return [
    urlencoded({ extended: false, limit: '64kb', parameterLimit: 200 }),
    (request, response, next) => {
      const form = (request.body ?? {}) as Readonly<Record<string, unknown>>
      refuseForged(hub, request, response, form['csrf'])
      next()
    },
  ]
}

/** The fields of a form that say something. */
export function fieldsOf(request: Request): Readonly<Record<string, string | undefined>> {
  const given = Object.entries((request.body ?? {}) as Readonly<Record<string, unknown>>)
  return Object.fromEntries(
    given.filter((pair): pair is [string, string] => typeof pair[1] === 'string' && pair[1] !== ''),
  )
}

export type Refusal = Pick<PageAnswer, 'status' | 'notice'>

/** What a page tells of a refusal. @throws whatever is none. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof HubError)) throw error
  return { status: ERRORS[error.code].status, notice: { kind: 'refused', text: error.message } }
}

/** Does what a form asks for. Where that is refused the page is shown again, and tells why. */
export async function orShowAgain(
  change: () => Promise<void>,
  show: (refusal: Refusal) => void | Promise<void>,
): Promise<void> {
  try {
    await change()
  } catch (error) {
    await show(refusalOf(error))
  }
}

/**
 * Does what a form asks for. Then the browser goes to the address that `change` gives, with the word of what was done; if it
 * was refused, `again` shows the page once more, with the reason.
 */
export function changeByForm(
  hub: Pick<Hub, 'config'>,
  change: (request: Request, response: Response) => Promise<readonly [address: string, done: Done]>,
  again: (request: Request, response: Response, refusal: Refusal) => Promise<void>,
): RequestHandler[] {
  return [
    requireVisitor,
    ...readForm(hub),
    async (request, response) => {
      await orShowAgain(
        async () => {
          const [address, done] = await change(request, response)
          response.redirect(303, `${address}?done=${done}`)
        },
        async (refusal) => {
          await again(request, response, refusal)
        },
      )
    },
  ]
}

/** What a page tells after a change, by the word in its address: no text of an address is ever shown. */
const DONE = {
  released: 'It is released.',
  requested: 'It was asked for, and waits.',
  approved: 'You have approved it.',
  rejected: 'You have rejected it.',
  cancelled: 'It is cancelled.',
  held: 'It is held: nothing promotes it until the hold is lifted.',
  lifted: 'The hold is lifted.',
  yanked: 'It is yanked: masked in every overlay that has it.',
  unyanked: 'It is no longer yanked.',
  pinned: 'It is pinned: retention leaves it alone.',
  unpinned: 'It is no longer pinned.',
  withdrawn: 'It is withdrawn.',
  'rolled-back': 'The node will go back at its next contact.',
  archived: 'It is archived.',
  changed: 'It is changed.',
  removed: 'It is gone.',
  sent: 'It is sent again.',
  granted: 'What they may do is changed, from their next request on.',
  disabled: 'The account is disabled: they are signed out everywhere, and cannot come back.',
  enabled: 'The account is enabled again.',
  'signed-out': 'They are signed out everywhere.',
  revoked: 'The token is revoked: it opens nothing any more.',
  followed: 'The chain was followed.',
  following: 'The chain is being followed; load the page again to see how far.',
} as const satisfies Readonly<Record<string, string>>
export type Done = keyof typeof DONE

function doneNotice(request: Request): Notice | null {
  const { done: word } = request.query
  return typeof word === 'string' && Object.hasOwn(DONE, word)
    ? { kind: 'done', text: DONE[word as Done] }
    : null
}

export interface ShownProblem {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
}

/** Whether a browser asks for something to look at: then a refusal is a page too. */
export function wantsPage(request: Request): boolean {
  if (request.originalUrl.startsWith('/api/')) return false
  return request.accepts(['application/json', 'text/html']) === 'text/html'
}

/** A refusal, or a fault, as a page. */
export function answerProblemPage(
  request: Request,
  response: Response,
  { status, code, title, detail }: ShownProblem,
): void {
  const requestId = String(response.getHeader('X-Request-Id') ?? '')
  const content = html`<h1>${title}</h1>
    <p>${detail}</p>
    <p class="beside">
      ${String(status)} ${STATUS_CODES[status]} · <code>${code}</code> · request <code>${requestId}</code>
    </p>`
  answerPage(request, response, { title, status, notice: null }, content)
}
