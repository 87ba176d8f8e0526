/** Somebody who has no mouse: goes from control to control, sees where they are, and presses keys. */
import type { Locator, Page } from 'playwright-core'
import { expect } from 'vitest'

/** More controls than the longest page has. */
const MOST_STEPS = 300

export interface Keyboard {
  /** Presses Tab until the control has the focus, which must be seen. */
  to(control: Locator): Promise<void>
  /** Goes to it and presses a key on it: Enter unless another is named. */
  press(control: Locator, key?: string): Promise<void>
  /** Goes to a field and writes into it what it has not. */
  write(field: Locator, text: string): Promise<void>
}

export function keyboardOf(page: Page): Keyboard {
  const to = async (control: Locator): Promise<void> => {
    await control.waitFor()
    for (let steps = 0; steps < MOST_STEPS; steps++) {
      if (await control.evaluate((one: unknown) => one === document.activeElement)) {
        expect(await control.evaluate(isSeen), `the focus is seen on ${String(control)}`).toBe(true)
        return
      }
      await page.keyboard.press('Tab')
    }
    throw new Error(`no Tab leads to ${String(control)}`)
  }
  return {
    to,
    async press(control, key = 'Enter') {
      await to(control)
      await page.keyboard.press(key)
    },
    async write(field, text) {
      await to(field)
      await page.keyboard.press('ControlOrMeta+a')
      await page.keyboard.type(text)
    },
  }
}

/** What there is in the browser, where the functions that are given to `evaluate` run. */
declare const document: { readonly activeElement: unknown }
declare function getComputedStyle(one: unknown): Readonly<Record<string, string>>

/** Whether something is drawn around what has the focus, by itself or by what is around it. */
function isSeen(one: { readonly parentElement: unknown }): boolean {
  return [one, one.parentElement].some((drawn) => {
    const { outlineStyle, outlineWidth = '', boxShadow } = getComputedStyle(drawn)
    return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none'
  })
}
