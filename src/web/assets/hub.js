/* What pages are nicer with. Every page works without it. */
'use strict'

/** Buttons that copy, where the browser lets them. */
function showCopyButtons(root) {
  if (!navigator.clipboard) return
  for (const button of root.querySelectorAll('button[data-copy][hidden]')) button.hidden = false
}

document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest('button[data-copy]') : null
  if (!button) return
  navigator.clipboard.writeText(button.dataset.copy).then(
    () => {
      button.textContent = 'copied'
      setTimeout(() => (button.textContent = 'copy'), 2000)
    },
    () => (button.hidden = true),
  )
})

/**
 * Parts that follow the hub: `data-live="promotion.moved release.published"` names the events that concern it. When one comes
 * the part asks for itself again, through htmx (`hx-trigger="hub:changed throttle:1s"`).
 */
function followEvents() {
  const parts = () => [...document.querySelectorAll('[data-live]')]
  const typesOf = (part) => part.dataset.live.split(' ')
  const types = [...new Set(parts().flatMap(typesOf))]
  if (types.length === 0) return
  // From what the page knows on, so that nothing is missed between the two.
  const events = new EventSource(
    `/api/v1/events?type=${types.join(',')}&after=${document.body.dataset.after}`,
  )
  const wake = ({ type, data }) => {
    const { app } = JSON.parse(data)
    const isAbout = (part) => !part.dataset.app || app === null || part.dataset.app === app
    for (const part of parts())
      if (typesOf(part).includes(type) && isAbout(part)) part.dispatchEvent(new CustomEvent('hub:changed'))
  }
  for (const type of types) events.addEventListener(type, wake)
  addEventListener('pagehide', () => events.close())
}

document.addEventListener('DOMContentLoaded', () => {
  showCopyButtons(document)
  followEvents()
})
document.addEventListener('htmx:after:swap', () => showCopyButtons(document))
