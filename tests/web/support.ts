/** How tests look at a page, and send the forms of one. */
import type supertest from 'supertest'
import type { Grant } from '../../src/access/rights.ts'
import type { Browser } from '../support/browser.ts'
import type { TestHub } from '../support/test-hub.ts'

/** What a browser says that it takes. */
export const AS_BROWSER = { Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }

/** A role everywhere, or as far as it is said. */
export function grant(role: Grant['role'], reach: Partial<Grant> = {}): Grant {
  return { role, apps: null, environments: null, ...reach }
}

/** What is to be read on a page, in one line. */
export function textOf(page: string): string {
  return page
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/** Sends a form as the page that has it would; `csrf` among the fields takes the place of the page's own. */
export async function sendForm(
  hub: TestHub,
  browser: Browser,
  path: string,
  fields: Readonly<Record<string, string>>,
): Promise<supertest.Response> {
  return await browser.agent
    .post(path)
    .set({ ...AS_BROWSER, Origin: hub.url, 'Sec-Fetch-Site': 'same-origin' })
    .type('form')
    .send({ csrf: await browser.csrf(), ...fields })
}
