/* The search box answers as somebody types: a combobox with a list of links (ARIA Authoring Practices, "Combobox Pattern"). */
'use strict'

function enhanceSearch() {
  const box = document.querySelector('header .search input[type=search]')
  if (!box) return
  const panel = document.getElementById('found')
  const count = document.getElementById('found-count')
  const form = box.form
  let current = -1

  const options = () => [...panel.querySelectorAll('[role=option]')]

  box.setAttribute('role', 'combobox')
  box.setAttribute('aria-autocomplete', 'list')

  const choose = (index) => {
    current = index
    options().forEach((option, at) => option.setAttribute('aria-selected', String(at === index)))
    const option = options()[index]
    if (option) box.setAttribute('aria-activedescendant', option.id)
    else box.removeAttribute('aria-activedescendant')
    option?.scrollIntoView({ block: 'nearest' })
  }

  const show = (isOpen) => {
    panel.hidden = !isOpen
    const list = panel.querySelector('[role=listbox]')
    box.setAttribute('aria-expanded', String(isOpen && list !== null))
    if (list) box.setAttribute('aria-controls', list.id)
    else box.removeAttribute('aria-controls')
    choose(-1)
  }

  const isFilled = () => box.value.trim() !== '' && panel.childElementCount > 0

  show(false)

  box.addEventListener('htmx:after:swap', () => {
    // An answer to words that are gone meanwhile.
    if (!isFilled() || document.activeElement !== box) return show(false)
    count.textContent = panel.querySelector('[data-count]')?.dataset.count ?? ''
    show(true)
  })

  box.addEventListener('input', () => {
    if (box.value.trim() === '') show(false)
  })
  box.addEventListener('focus', () => show(isFilled()))
  box.addEventListener('click', () => panel.hidden && show(isFilled()))
  form.addEventListener('focusout', ({ relatedTarget }) => {
    if (!form.contains(relatedTarget)) show(false)
  })
  // The box keeps the focus: a click on an option must not close the panel before it has led anywhere.
  panel.addEventListener('mousedown', (event) => event.preventDefault())

  const move = (step) => {
    if (panel.hidden) show(isFilled())
    const { length } = options()
    // Beyond the last and before the first is the box itself.
    if (length > 0) choose(((current + 1 + step + length + 1) % (length + 1)) - 1)
  }

  box.addEventListener('keydown', (event) => {
    if (event.isComposing) return
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      move(event.key === 'ArrowDown' ? 1 : -1)
    } else if (event.key === 'Enter' && !panel.hidden && current >= 0) {
      event.preventDefault()
      options()[current]?.click()
    } else if (event.key === 'Escape' && !panel.hidden) {
      event.preventDefault()
      show(false)
    }
  })

  /** `/` leads here from everywhere but where somebody types, and Ctrl+K from there too. */
  document.addEventListener('keydown', (event) => {
    const isSlash = event.key === '/' && !event.ctrlKey && !event.metaKey && !event.altKey
    const isShortcut = event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey) && !event.altKey
    const isTyping = event.target instanceof Element && event.target.closest('input, textarea, select')
    if (!isShortcut && (!isSlash || isTyping)) return
    event.preventDefault()
    box.focus()
    box.select()
  })
}

document.addEventListener('DOMContentLoaded', enhanceSearch)
