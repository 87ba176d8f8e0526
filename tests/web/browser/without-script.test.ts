/** Every page says the same, and every change can be asked for, where no script runs. */
import { expect } from 'vitest'
import { openWindow, signIn } from '../../support/chromium.ts'
import { testWith } from '../../support/programs.ts'
import { addressOf, PAGES } from './pages.ts'
import { onePlace } from './place.ts'

const inChromium = testWith('chromium')
const openPlace = onePlace(undefined, async (chromium, { hub }) => {
  const withScript = await openWindow(chromium, hub)
  await signIn(withScript, 'ada')
  const without = await openWindow(chromium, hub, { javaScriptEnabled: false })
  await signIn(without, 'ada')
  return { withScript, without }
})

/** Without those that the script makes, or that only work with it. */
const CONTROLS =
  'main a[href], main button:not([data-copy]), main input:not([type=hidden]), main select, main summary'

for (const [route, addresses] of Object.entries(PAGES))
  inChromium(`${route} has all that it has without a script`, async () => {
    const { lived, windows } = await openPlace()
    windows.without.faults.length = 0
    for (const address of addresses) {
      const at = addressOf(address, lived.parameters)
      const controls = await Promise.all(
        [windows.withScript, windows.without].map(async ({ page }) => {
          await page.goto(at)
          return await page.locator(CONTROLS).count()
        }),
      )
      expect(controls[1], at).toBe(controls[0])
    }
    expect(windows.without.faults).toEqual([])
  })

inChromium('a hold is set, seen and lifted by forms alone', async () => {
  const { windows } = await openPlace()
  const { page, faults } = windows.without
  await page.goto('/apps/shop/builds/4')
  await page.getByText('Hold…', { exact: true }).click()
  await page.locator('form[action$="/hold"]').getByLabel('Why').fill('not on a Friday')
  await page.getByRole('button', { name: 'Hold shop build 4' }).click()
  await page.waitForURL('/apps/shop/builds/4?done=held')
  await page.getByRole('status').getByText('It is held').waitFor()
  await page.goto('/apps/shop')
  expect(await page.locator('main').textContent()).toContain('not on a Friday')
  expect(faults).toEqual([])
})
