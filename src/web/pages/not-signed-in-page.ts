/** What somebody sees who comes back from the OpenID provider and is not signed in. */
import { html } from '../html.ts'
import type { Html } from '../html.ts'

export function notSignedInPage(refusal: {
  readonly title: string
  readonly detail: string
  /** For whoever looks into the hub's log. */
  readonly requestId: string
}): Html {
  const { title, detail, requestId } = refusal
  return html`<h1>${title}</h1>
    <p role="alert">${detail}</p>
    <p><a href="/sign-in/openid">Try again</a> · <a href="/sign-in">Sign in another way</a></p>
    <p><small>Request ${requestId}</small></p>`
}
