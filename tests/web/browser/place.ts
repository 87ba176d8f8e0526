/** A hub that was lived in, and a browser before it: made once for all tests of a file. */
import type { Browser } from 'playwright-core'
import { afterAll } from 'vitest'
import { openChromium, openWindow, signIn } from '../../support/chromium.ts'
import type { Window } from '../../support/chromium.ts'
import { createLivedInHub } from './lived-in-hub.ts'
import type { LivedInHub, Words } from './lived-in-hub.ts'

export interface Place<Windows> {
  readonly lived: LivedInHub
  readonly windows: Windows
}

/** The place is opened by the first test that asks for it: none does where there is no browser. */
export function onePlace<Windows>(
  words: Words | undefined,
  openWindows: (chromium: Browser, lived: LivedInHub) => Promise<Windows>,
): () => Promise<Place<Windows>> {
  const stack = new AsyncDisposableStack()
  let place: Promise<Place<Windows>> | undefined
  afterAll(async () => {
    await stack.disposeAsync()
  })
  const open = async (): Promise<Place<Windows>> => {
    const lived = stack.use(await createLivedInHub(words))
    const chromium = stack.adopt(await openChromium(), async (browser) => {
      await browser.close()
    })
    return { lived, windows: await openWindows(chromium, lived) }
  }
  return () => (place ??= open())
}

/** For each page the window of somebody who may look at it: of an administrator, or of nobody yet. */
export function twoWindows() {
  return onePlace(undefined, async (chromium, { hub }) => {
    const administrator = await openWindow(chromium, hub)
    await signIn(administrator, 'ada')
    const nobody = await openWindow(chromium, hub)
    return { of: (route: string): Window => (route.startsWith('/sign-in') ? nobody : administrator) }
  })
}
