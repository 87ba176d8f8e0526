/** What happened to something, newest first, as far as who looks may know of it. */
import type { HubEvent } from '../../events/event.ts'
import { happeningOf } from '../../events/sentence.ts'
import { theirs, time } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'

export function timeline(events: readonly HubEvent[], now: Date): Html {
  return html`<ol class="log" aria-label="Timeline">
    ${events.map(
      (event) =>
        html`<li id="${event.id}">
          <p class="when">${time(event.at, now)}</p>
          <div class="what">
            <p>${theirs(happeningOf(event))}</p>
            <p class="beside">
              by ${theirs(event.actor)}${event.reason !== null && html`: ${theirs(event.reason)}`}
            </p>
          </div>
        </li>`,
    )}
  </ol>`
}
