/** Grants as fields of a form, one row for each; `http/pages/people-pages.ts` reads them. */
import type { Grant } from '../../access/rights.ts'
import { choice, field } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'

/** Rows for what may be added at once. */
const SPARE_ROWS = 2

/** Whoever needs more than this sends them to the API. */
export const MOST_GRANT_ROWS = 50

/** A row without a role says nothing. */
export function grantFields(grants: readonly Grant[], roles: readonly string[]): Html {
  const rows = [...grants, ...Array.from({ length: SPARE_ROWS }, () => null)].slice(0, MOST_GRANT_ROWS)
  return html`<fieldset class="grants">
    <legend>What they may do</legend>
    ${rows.map((grant, at) => grantRow(grant, at, roles))}
    <small>
      No apps or no environments named: all of them. Administrators are not limited, developers by apps alone.
    </small>
  </fieldset>`
}

function grantRow(grant: Grant | null, at: number, roles: readonly string[]): Html {
  const role = grant?.role ?? ''
  const options = [['', 'nothing'], ...roles.map((one) => [one, one] as const)] as const
  return html`<div class="row">
    ${choice('Role', `role${String(at)}`, options, role)}
    ${field('Apps', { name: `apps${String(at)}`, value: grant?.apps?.join(' ') ?? '' })}
    ${field('Environments', { name: `environments${String(at)}`, value: grant?.environments?.join(' ') ?? '' })}
  </div>`
}
