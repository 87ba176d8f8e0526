/**
 * Makes the pictures of docs/tour.md: starts a demo, signs in with Chromium, and looks at one page after the other.
 * usage: npm run tour [-- <name of a picture> …]
 */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { chromium } from 'playwright-core'
import { startDemo } from '../src/demo/demo.ts'

const FOLDER = path.resolve(import.meta.dirname, '../docs/tour')
const CHROMIUM = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]
/** A page of documentation should not be heavy. */
const MOST_BYTES = 200 * 1024

const DESK = { viewport: { width: 1280, height: 800 } }
const DARK = { ...DESK, colorScheme: 'dark' }
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }

/** What is looked at: the picture's name, how, and where; `{…}` is filled in by what the demo has. */
const PICTURES = [
  ['board', DESK, '/'],
  ['board-phone', PHONE, '/'],
  ['app', DESK, '/apps/shop'],
  ['recipe', DARK, '/apps/shop', '#recipe'],
  ['build', DESK, '/apps/shop/builds/54'],
  ['build-yanked', DESK, '/apps/shop/builds/50'],
  ['files', DESK, '/apps/shop/builds/54/files?in=shop-6.4.0-rc.2'],
  ['compare', DESK, '/apps/shop/builds/54/compare/52'],
  ['upload', DESK, '/upload?app=shop'],
  ['promotions', DESK, '/promotions'],
  ['promotion', DESK, '/promotions/{waiting}'],
  ['promotion-phone', PHONE, '/promotions/{waiting}'],
  ['environment', DESK, '/environments/production'],
  ['policy', DESK, '/environments/production', '#policy'],
  ['revision', DARK, '/environments/production/revisions/{revision}'],
  ['tree', DESK, '/environments/production/tree?path=app-acme/shop'],
  ['nodes', DESK, '/nodes'],
  ['node', DARK, '/nodes/sim-web-1'],
  ['enrol', DESK, '/nodes/enrol'],
  ['rollback', DESK, '/nodes/sim-web-1/rollback?app=shop'],
  ['search', DESK, '/search?q=shop'],
  ['audit', DARK, '/audit'],
  ['people', DESK, '/people'],
  ['tokens', DESK, '/tokens'],
  ['webhook', DESK, '/webhooks/{webhook}'],
  ['storage', DESK, '/storage'],
  ['health', DESK, '/health'],
]

async function main(wanted) {
  const executablePath = CHROMIUM.find((file) => file && existsSync(file))
  if (!executablePath) {
    console.log('skipped: there is no Chromium here; set CHROMIUM to the path of one')
    return 0
  }
  const pictures = PICTURES.filter(([name]) => wanted.length === 0 || wanted.includes(name))
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  console.log('A demo is made …')
  await using demo = await startDemo({ port: 0, seed: 1, signal: stop.signal })
  const facts = await factsOf(demo)
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  try {
    const storageState = await signIn(browser, demo.links.admin)
    await mkdir(FOLDER, { recursive: true })
    for (const [name, how, address, place] of pictures) {
      const filled = address.replace(/\{(\w+)\}/g, (_, fact) => facts[fact])
      const bytes = await picture(browser, { how: { ...how, storageState }, url: demo.url + filled, place })
      await writeFile(path.join(FOLDER, `${name}.png`), bytes)
      console.log(`${name}.png  ${(bytes.length / 1024).toFixed(0)} KiB`)
      if (bytes.length > MOST_BYTES) throw new Error(`${name}.png is larger than ${MOST_BYTES} bytes`)
    }
  } finally {
    await browser.close()
  }
  return 0
}

/** What only the demo knows: ids and numbers. */
async function factsOf({ url, adminToken }) {
  const ask = async (address) => {
    const reply = await fetch(`${url}/api/v1${address}`, {
      headers: { Authorization: `Bearer ${adminToken}` },
    })
    return await reply.json()
  }
  const { items } = await ask('/promotions?environment=production&state=open')
  const { overlay } = await ask('/environments/production')
  const webhooks = (await ask('/webhooks')).items
  const shaky = webhooks.find((webhook) => webhook.url.endsWith('/shaky'))
  return { waiting: items[0].id, revision: String(overlay.revision), webhook: shaky.id }
}

/** Gives the cookies of who signed in. */
async function signIn(browser, link) {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(link)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL('**/account')
  const state = await context.storageState()
  await context.close()
  return state
}

async function picture(browser, { how, url, place }) {
  const context = await browser.newContext({ ...how, reducedMotion: 'reduce' })
  const page = await context.newPage()
  const reply = await page.goto(url)
  if (!reply.ok()) throw new Error(`${url} answers ${reply.status()}`)
  if (place) await page.locator(place).evaluate((part) => part.scrollIntoView())
  const bytes = await page.screenshot()
  await context.close()
  return bytes
}

process.exitCode = await main(process.argv.slice(2))
