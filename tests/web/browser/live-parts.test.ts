/** Parts of pages that follow the hub while somebody works in them. */
import { expect } from 'vitest'
import { openWindow, signIn } from '../../support/chromium.ts'
import { reportOf } from '../../support/node-reports.ts'
import { testWith } from '../../support/programs.ts'
import { onePlace } from './place.ts'

const inChromium = testWith('chromium')
const openPlace = onePlace(undefined, async (chromium, { hub }) => {
  const window = await openWindow(chromium, hub)
  await signIn(window, 'ada')
  return window
})

inChromium(
  'what somebody has opened and typed stays, with the focus, when the page tells of a change',
  async () => {
    const { lived, windows } = await openPlace()
    const { page, faults } = windows
    await page.goto('/apps/shop/builds/4')
    await page.getByText('Hold…', { exact: true }).click()
    const why = page.locator('form[action$="/hold"]').getByLabel('Why')
    await why.pressSequentially('not on a Fri')
    const check = { stage: 'acceptance', name: 'performance', status: 'failed', summary: 'too slow by half' }
    await lived.hub.as().post('/api/v1/apps/shop/builds/4/checks').send(check)
    await page.getByText('too slow by half').first().waitFor()
    await page.keyboard.type('day')
    expect(await why.inputValue()).toBe('not on a Friday')
    expect(await why.isVisible()).toBe(true)
    await page.keyboard.press('Enter')
    await page.getByRole('status').getByText('It is held').waitFor()
    expect(faults).toEqual([])
  },
)

inChromium('events of another app are not the business of a page', async () => {
  const { lived, windows } = await openPlace()
  const { page } = windows
  await page.goto('/apps/cart/builds/1')
  const asked: string[] = []
  page.on('request', (request) => {
    const { pathname } = new URL(request.url())
    if (pathname.startsWith('/apps/')) asked.push(pathname)
  })
  const tell = async (app: string, build: number, name: string) => {
    const check = { stage: 'acceptance', name, status: 'passed' }
    await lived.hub
      .as()
      .post(`/api/v1/apps/${app}/builds/${String(build)}/checks`)
      .send(check)
  }
  await tell('shop', 4, 'of another app')
  await tell('cart', 1, 'of this app')
  await page.getByText('of this app').first().waitFor()
  // Had the first told anything, the page would have asked before the second was there.
  expect(asked).toEqual(['/apps/cart/builds/1'])
})

inChromium('the forms of a promotion go when it has ended', async () => {
  const { lived, windows } = await openPlace()
  const { page } = windows
  await page.goto(`/promotions/${lived.parameters['promotion'] ?? ''}`)
  await page.getByText('Cancel…').waitFor()
  const path = `/api/v1/promotions/${lived.parameters['promotion'] ?? ''}/cancel`
  expect((await lived.hub.as().post(path).send({ reason: 'another one comes' })).status).toBe(200)
  await page.getByText('Cancel…').waitFor({ state: 'detached' })
  expect(await page.locator('main').textContent()).toContain('another one comes')
})

inChromium('the page that enrols a node sees it come, and report', async () => {
  const { lived, windows } = await openPlace()
  const { page } = windows
  const { hub } = lived
  await page.goto('/nodes/enrol')
  await page.getByLabel('Environment').selectOption('staging')
  await page.getByLabel(/^Name/).fill('web7')
  await page.getByRole('button', { name: 'Make the token' }).click()
  const secret = (await page.locator('pre[aria-label="The token alone"]').textContent()) ?? ''
  // What the page answered with is in no address that somebody might pass on.
  expect(page.url()).not.toContain(secret)
  const node = await hub.as(secret).post('/api/v1/nodes').send({ name: 'web7', environment: 'staging' })
  expect(node.status, node.text).toBe(201)
  const arrival = page.locator('#arrival')
  await arrival.getByText('web7 is a node now').waitFor()
  await hub
    .as((node.body as { token: string }).token)
    .post('/api/v1/nodes/web7/report')
    .send(reportOf(['app-hub/shop-1.4.0_p4']))
  await arrival.getByText('it reports').waitFor()
})
