/** Uploading from a browser: in pieces, paused, taken up again by a page that was loaded anew, and by dropping a file. */
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { temporaryFolder } from '../../git/support.ts'
import { addSomebody, CHEAP } from '../../support/browser.ts'
import { openChromium, openWindow, signIn } from '../../support/chromium.ts'
import { testWith } from '../../support/programs.ts'
import { tarball, tarOf } from '../../support/tarballs.ts'
import { createTestHub } from '../../support/test-hub.ts'

const inChromium = testWith('chromium')
const MIB = 2 ** 20

/** So many bytes a second leave the browser; -1: as many as can. */
async function throttle(page: Page, uploadThroughput: number): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const unchanged = { offline: false, latency: 0, downloadThroughput: -1 }
  await session.send('Network.enable')
  await session.send('Network.emulateNetworkConditions', { ...unchanged, uploadThroughput })
}

inChromium('an upload is paused, and goes on where it was after the page was loaded again', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await using folder = await temporaryFolder()
  await using stack = new AsyncDisposableStack()
  const chromium = stack.adopt(await openChromium(), async (browser) => await browser.close())
  const { page, faults } = await openWindow(chromium, hub)
  await addSomebody(hub, 'ada')
  const bytes = tarOf({ name: 'shop/data', content: randomBytes(16 * MIB) })
  const path = join(folder.path, 'shop.tar')
  await writeFile(path, bytes)
  await signIn({ page }, 'ada', '/upload?app=shop')
  await page.getByLabel('Tarball').setInputFiles(path)
  await page.getByLabel('Build number').fill('7')
  await page.getByLabel('Version').fill('1.2.3')
  await throttle(page, MIB)
  await page.getByRole('button', { name: 'Upload' }).click()
  await page.getByText(/^[1-9]\d? %: .* of 16\.0 MiB, .*\/s, \d+ s left$/).waitFor()
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.getByText('Paused. What was sent stays with the hub for a day.').waitFor()

  await page.reload()
  await throttle(page, -1)
  await page.getByText('shop.tar was not sent to its end').waitFor()
  await page.getByLabel('Tarball').setInputFiles(path)
  await page.getByText('shop.tar goes on where it was when you press Upload.').waitFor()
  expect(await page.getByLabel('Build number').inputValue()).toBe('7')
  expect(await page.getByLabel('Version').inputValue()).toBe('1.2.3')
  const sent: (readonly [method: string, offset: number])[] = []
  page.on('request', (request) => {
    if (new URL(request.url()).pathname.startsWith('/api/v1/uploads'))
      sent.push([request.method(), Number(request.headers()['upload-offset'] ?? -1)])
  })
  await page.getByRole('button', { name: 'Upload' }).click()
  await page.getByRole('link', { name: 'shop build 7' }).waitFor()
  // Nothing was begun anew: it was asked how much is there, and the rest was sent.
  expect(sent.map(([method]) => method)).toEqual(['HEAD', 'PATCH'])
  expect(sent[1]?.[1]).toBeGreaterThan(0)
  const { body } = await hub.as().get('/api/v1/apps/shop/builds/7')
  expect(body).toMatchObject({
    version: '1.2.3',
    tarball: { sha512: createHash('sha512').update(bytes).digest('hex') },
  })
  expect(faults).toEqual([])
})

inChromium('a file that is dropped is uploaded, and a refusal tells what to do', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await using stack = new AsyncDisposableStack()
  const chromium = stack.adopt(await openChromium(), async (browser) => await browser.close())
  const { page } = await openWindow(chromium, hub)
  await addSomebody(hub, 'ada')
  await signIn({ page }, 'ada', '/upload?app=shop')
  const drop = async (name: string, bytes: Buffer) => {
    const dataTransfer = await page.evaluateHandle<unknown>(`(() => {
      const transfer = new DataTransfer()
      const bytes = Uint8Array.from(atob(${JSON.stringify(bytes.toString('base64'))}), (one) => one.charCodeAt(0))
      transfer.items.add(new File([bytes], ${JSON.stringify(name)}))
      return transfer
    })()`)
    await page.dispatchEvent('.drop', 'drop', { dataTransfer })
    await page.getByText(`${name}, `).waitFor()
  }
  await page.getByLabel('Build number').fill('1')
  await drop('notes.txt', Buffer.from('no archive at all'))
  await page.getByRole('button', { name: 'Upload' }).click()
  await page.locator('[data-refused] code', { hasText: 'archive.' }).waitFor()
  await drop('shop.tar', tarball({ 'shop/run': 'a shop\n' }))
  await page.getByRole('button', { name: 'Upload' }).click()
  await page.getByRole('link', { name: 'shop build 1' }).waitFor()
  expect((await hub.as().get('/api/v1/apps/shop/builds/1')).status).toBe(200)
})
