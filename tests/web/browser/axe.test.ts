/** Every page can be used by everybody, as far as axe-core can judge: WCAG 2.2 AA, and its own best practices. */
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { testWith } from '../../support/programs.ts'
import { addressOf, PAGES } from './pages.ts'
import { twoWindows } from './place.ts'

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
/** The colours of both schemes, and both forms of the page. */
const LOOKS = [
  { colorScheme: 'light', width: 390 },
  { colorScheme: 'dark', width: 1280 },
] as const

const openPlace = twoWindows()

for (const [route, addresses] of Object.entries(PAGES))
  testWith('chromium')(
    `axe finds no fault with ${route}, on a phone in light and on a laptop in dark`,
    async () => {
      const { lived, windows } = await openPlace()
      const { page } = windows.of(route)
      const found: string[] = []
      for (const address of addresses) {
        await page.goto(addressOf(address, lived.parameters))
        for (const { colorScheme, width } of LOOKS) {
          await page.emulateMedia({ colorScheme })
          await page.setViewportSize({ width, height: 900 })
          found.push(...(await faultsOf(page)).map((what) => `${address} at ${String(width)}: ${what}`))
        }
      }
      expect(found).toEqual([])
    },
  )

async function faultsOf(page: Page): Promise<readonly string[]> {
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().withTags(RULES).analyze()
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.slice(0, 3).map(({ html, failureSummary = '' }) => {
      const [, why = ''] = failureSummary.split('\n')
      return `${id}: ${help}: ${html.slice(0, 160)} ${why.trim()}`
    }),
  )
}
