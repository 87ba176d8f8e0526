/** The pages by which somebody comes in and goes out, and the one about themselves. None needs a script. */
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import type { Grant } from '../../access/rights.ts'
import type { PersonRow } from '../../records/people.ts'
import type { SessionRow } from '../../records/sessions.ts'
import { wordsOfGrant } from './words.ts'

export function signInPage(given: {
  readonly name: string
  /** Where to go then, a path of the hub. */
  readonly next: string
  /** How people call the OpenID provider; null where there is none. */
  readonly openid: string | null
}): Html {
  const { next, openid } = given
  return html`<h1>Sign in</h1>
    ${
      openid !== null &&
      html`<p>
        <a role="button" href="/sign-in/openid?next=${encodeURIComponent(next)}">Sign in with ${openid}</a>
      </p>`
    }
    <form method="post" action="/sign-in">
      <input type="hidden" name="next" value="${next}" />
      <label
        >Name
        <input name="name" value="${given.name}" autocomplete="username" autocapitalize="none" required />
      </label>
      <label
        >Password <input type="password" name="password" autocomplete="current-password" required
      /></label>
      <button>Sign in</button>
    </form>
    <p>No password yet, or forgotten? An administrator of the hub makes you a link.</p>`
}

/** A button, since programs that look at links before people do would use it up. */
export function linkPage(secret: string): Html {
  return html`<h1>Sign in</h1>
    <p>This link signs you in once. Set a password then.</p>
    <form method="post" action="/sign-in/${secret}"><button>Sign in</button></form>`
}

export function signOutPage(csrf: string): Html {
  return html`<h1>Sign out</h1>
    ${signOutForm(csrf)}`
}

/** Somebody's own account. `sessions` are those that hold, newest first. */
export function accountPage({
  person,
  grants,
  session,
  sessions,
  csrf,
}: {
  readonly person: PersonRow
  readonly grants: readonly Grant[]
  readonly session: SessionRow
  readonly sessions: readonly SessionRow[]
  readonly csrf: string
}): Html {
  const needsCurrent = person.password !== null && session.way !== 'link'
  return html`<h1><bdi>${person.fullName ?? person.name}</bdi></h1>
    <p>Signs in as <bdi>${person.name}</bdi>.</p>
    <section>
      <h2>What you may do</h2>
      ${
        grants.length === 0
          ? html`<p>Nothing yet: ask an administrator.</p>`
          : html`<ul>
              ${grants.map((grant) => html`<li>${wordsOfGrant(grant)}</li>`)}
            </ul>`
      }
    </section>
    <section>
      <h2>Password</h2>
      <form method="post" action="/account/password">
        ${csrfField(csrf)} ${nameForBrowsers(person.name)}
        ${
          needsCurrent &&
          html`<label
            >The one you have now
            <input type="password" name="current" autocomplete="current-password" required />
          </label>`
        }
        <label
          >The new one
          <input
            type="password"
            name="password"
            autocomplete="new-password"
            minlength="12"
            aria-describedby="rule"
            required
          />
        </label>
        <small id="rule">Twelve characters or more; a few words by chance will do. Other sessions end.</small>
        <button>Set password</button>
      </form>
    </section>
    <section>
      <h2>Sessions</h2>
      <ul>
        ${sessions.map((one) => sessionItem(one, session.id, csrf))}
      </ul>
      <div class="actions">
        ${signOutForm(csrf)}
        <form method="post" action="/sign-out">
          ${csrfField(csrf)}<input type="hidden" name="everywhere" value="true" />
          <button class="plain">Sign out everywhere</button>
        </form>
      </div>
    </section>`
}

function sessionItem(session: SessionRow, current: string, csrf: string): Html {
  const { id, address, userAgent, seenAt } = session
  const seen = html`last used
    <time datetime="${seenAt}">${seenAt.replace('T', ' ').replace('Z', ' UTC')}</time>`
  return html`<li>
    <bdi>${userAgent ?? 'a browser that does not say its name'}</bdi> from ${address ?? 'an unknown address'},
    ${seen}
    ${
      id === current
        ? html`(this one)`
        : html`<form method="post" action="/account/sessions/${id}/end">
            ${csrfField(csrf)}<button class="plain">End it</button>
          </form>`
    }
  </li>`
}

function signOutForm(csrf: string): Html {
  return html`<form method="post" action="/sign-out">${csrfField(csrf)}<button>Sign out</button></form>`
}

function csrfField(csrf: string): Html {
  return html`<input type="hidden" name="csrf" value="${csrf}" />`
}

/** Nobody sees it: whatever keeps passwords for people learns whose this one is. */
function nameForBrowsers(name: string): Html {
  return html`<input
    class="unseen"
    name="username"
    value="${name}"
    autocomplete="username"
    tabindex="-1"
    aria-hidden="true"
    readonly
  />`
}
