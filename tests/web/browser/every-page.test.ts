/** What holds for every page: it fits every screen, is silent, and asks nobody else. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { everyRoute } from '../../openapi/real-routes.ts'
import { WIDTHS, whatIsTooWide } from '../../support/chromium.ts'
import { testWith } from '../../support/programs.ts'
import { createTestHub } from '../../support/test-hub.ts'
import { addressOf, NO_PAGES, PAGES } from './pages.ts'
import { twoWindows } from './place.ts'

const inChromium = testWith('chromium')
const openPlace = twoWindows()

test('every route of the hub that answers with a page is looked at', async () => {
  await using hub = await createTestHub()
  const routes = everyRoute(hub.hub)
    .filter((call) => call.startsWith('GET ') && !/ \/(?:api|assets)\//.test(call))
    .map((call) => call.slice('GET '.length))
    .filter((route) => !NO_PAGES.includes(route))
  expect(routes.toSorted()).toEqual(Object.keys(PAGES).toSorted())
})

for (const [route, addresses] of Object.entries(PAGES))
  inChromium(`${route} fits every screen in light and dark, and says nothing to the console`, async () => {
    const { lived, windows } = await openPlace()
    const window = windows.of(route)
    window.faults.length = 0
    const found: string[] = []
    for (const address of addresses)
      found.push(...(await look(window.page, addressOf(address, lived.parameters))))
    expect([...found, ...window.faults]).toEqual([])
  })

async function look(page: Page, address: string): Promise<readonly string[]> {
  const found: string[] = []
  await page.setViewportSize({ width: 1280, height: 900 })
  const answer = await page.goto(address)
  if (answer?.status() !== 200) found.push(`${address}: ${String(answer?.status())}`)
  if ((await page.locator('h1').count()) !== 1) found.push(`${address}: not one h1`)
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 })
      const where = `${address} at ${String(width)} in ${colorScheme}`
      found.push(...(await whatIsTooWide(page)).map((what) => `${where}: ${what}`))
    }
  }
  return found
}
