/** A real browser that looks at a hub, and tells of everything that a page should not make it say. */
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { PASSWORD } from './browser.ts'
import { folderOf } from './programs.ts'
import type { TestHub } from './test-hub.ts'

/** Widths in pixels of a telephone, a laptop and a wide screen. */
export const WIDTHS = [390, 1280, 1920] as const

export interface Window extends AsyncDisposable {
  readonly page: Page
  readonly context: BrowserContext
  /** What the console said, what the policy of the page refused, what failed, and what was asked of another host. */
  readonly faults: string[]
}

/** @throws if it is not installed: see `testWith('chromium')`. */
export async function openChromium(): Promise<Browser> {
  const folder = folderOf('chromium')
  if (folder === undefined) throw new Error('chromium is not installed')
  // Its own sandbox needs rights that a container has not; it looks at our own hub alone.
  const args = ['--no-sandbox', '--disable-dev-shm-usage']
  return await chromium.launch({ executablePath: join(folder, 'chromium'), args })
}

const TELL_OF_VIOLATIONS = `
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
    tellOfViolation(violatedDirective + ' ' + blockedURI)
  })`

/** A window of its own, with nobody signed in. The hub's clock is set to the browser's: cookies end by it. */
export async function openWindow(
  browser: Browser,
  hub: TestHub,
  options: BrowserContextOptions = {},
): Promise<Window> {
  hub.clock.set(new Date().toISOString())
  const context = await browser.newContext({
    ...{ baseURL: hub.url, viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' },
    ...options,
  })
  const faults: string[] = []
  await context.exposeBinding('tellOfViolation', (_source, what: string) => {
    faults.push(`Content-Security-Policy: ${what}`)
  })
  await context.addInitScript(TELL_OF_VIOLATIONS)
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  watch(page, hub.url, faults)
  return { page, context, faults, [Symbol.asyncDispose]: async () => await context.close() }
}

function watch(page: Page, origin: string, faults: string[]): void {
  const at = () => new URL(page.url()).pathname
  page.on('console', (message) => faults.push(`console at ${at()}: ${message.type()} ${message.text()}`))
  page.on('pageerror', (error) => faults.push(`error at ${at()}: ${error.message}`))
  page.on('dialog', (dialog) => {
    faults.push(`dialog at ${at()}: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(`${origin}/`) && !url.startsWith('data:'))
      faults.push(`request of another host at ${at()}: ${url}`)
  })
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? ''
    // A page that is left ends what it was still following.
    if (reason !== 'net::ERR_ABORTED') faults.push(`failed at ${at()}: ${request.url()} ${reason}`)
  })
}

/** Signs in by the page for it, and comes to `path`. */
export async function signIn({ page }: Pick<Window, 'page'>, name: string, path = '/'): Promise<void> {
  await page.goto(`/sign-in?next=${encodeURIComponent(path)}`)
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.waitForURL(path)
}

/** What makes the page scroll to the side, if it does. */
export async function whatIsTooWide(page: Page): Promise<readonly string[]> {
  return await page.evaluate<readonly string[]>(`(() => {
    const { scrollWidth, clientWidth } = document.documentElement
    if (scrollWidth <= clientWidth) return []
    const wide = [...document.querySelectorAll('main *')]
      .find((one) => one.getBoundingClientRect().right > clientWidth + 1)
    return [scrollWidth + ' pixels wide, by ' + (wide ? wide.outerHTML.slice(0, 160) : 'something')]
  })()`)
}
