/** Whatever people and machines say of a build, a node or themselves, a page only shows it. */
import { expect } from 'vitest'
import { openWindow, signIn, WIDTHS, whatIsTooWide } from '../../support/chromium.ts'
import { testWith } from '../../support/programs.ts'
import { addressOf, PAGES } from './pages.ts'
import { onePlace } from './place.ts'

/** Each ends what it may stand in, and would run something that could be noticed. */
const HOSTILE = [
  `</bdi></title></script></textarea></code><script>alert(1)</script>"'><img src=x onerror=alert(2)>`,
  `'" onmouseover=alert(3) autofocus onfocus=alert(4) x='<svg onload=alert(5)>`,
  `{{7*7}} \${alert(6)} <a href="javascript:alert(7)">here</a> <!-- ]]> <form action=https://evil.example>`,
  `<div hx-get="/sign-out" hx-trigger="load" data-live="x" style="position:fixed;inset:0">`,
  'W'.repeat(180),
  `<iframe srcdoc="<script>alert(8)</script>"></iframe><base href="https://evil.example/">`,
  `مرحبا <b>שלום</b> \u202etxt.exe`,
]

/** Of file names no more than a part of a path. */
const inPath = (text: string) => text.replaceAll('/', '∕').slice(0, 180)

let said = 0
const words = (plain: string): string => {
  const hostile = HOSTILE[said++ % HOSTILE.length] ?? ''
  const at = plain.lastIndexOf('/')
  return at < 0 ? hostile : `${plain.slice(0, at + 1)}${inPath(hostile)}`
}

const openPlace = onePlace(words, async (chromium, { hub }) => {
  const window = await openWindow(chromium, hub)
  await signIn(window, 'ada')
  return window
})

for (const [route, addresses] of Object.entries(PAGES))
  testWith('chromium')(`${route} shows hostile values and runs none of them`, async () => {
    const { lived, windows: window } = await openPlace()
    // Words that are refused are said plainly; were they all, nothing would be shown here.
    expect(lived.refused.length).toBeLessThan(said / 2)
    window.faults.length = 0
    const found: string[] = []
    for (const address of addresses) {
      await window.page.goto(addressOf(address, lived.parameters))
      for (const width of WIDTHS) {
        await window.page.setViewportSize({ width, height: 900 })
        found.push(...(await whatIsTooWide(window.page)).map((what) => `${String(width)}: ${what}`))
      }
      found.push(...(await window.page.evaluate<readonly string[]>(STRANGERS)))
    }
    expect([...found, ...window.faults]).toEqual([])
  })

/** Elements and attributes that no page of ours has. */
const STRANGERS = `(() => {
  const elements = [...document.querySelectorAll('iframe, base, img[src="x"], script:not([src]), [style], [onload], form:not([action^="/"], [action="#"])')]
  const links = [...document.querySelectorAll('a[href^="javascript:"]')]
  return [...elements, ...links].map((one) => one.outerHTML.slice(0, 160))
})()`
