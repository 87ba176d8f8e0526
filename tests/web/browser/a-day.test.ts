/** A day of two people who answer for production, each in a browser of their own: with keys alone. */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { addSomebody, ALL, CHEAP, PASSWORD } from '../../support/browser.ts'
import { openChromium, openWindow } from '../../support/chromium.ts'
import type { Window } from '../../support/chromium.ts'
import { packageOf, reportOf } from '../../support/node-reports.ts'
import { testWith } from '../../support/programs.ts'
import { announcementOf, enrolNode, pointsOf } from '../../support/restore-points.ts'
import { tarball } from '../../support/tarballs.ts'
import { createTestHub } from '../../support/test-hub.ts'
import type { TestHub } from '../../support/test-hub.ts'
import { keyboardOf } from './keyboard.ts'

const inChromium = testWith('chromium')

inChromium(
  'a release goes from the upload to production and back, with keys alone',
  async () => {
    await using hub = await createTestHub({}, CHEAP)
    await using stack = new AsyncDisposableStack()
    const chromium = stack.adopt(await openChromium(), async (browser) => await browser.close())
    const [ada, eve] = [await openWindow(chromium, hub), await openWindow(chromium, hub)]
    await addSomebody(hub, 'ada')
    await addSomebody(hub, 'eve', [{ role: 'approver', ...ALL }])
    await prepare(hub)
    await signInByKeys(ada, 'ada')
    await signInByKeys(eve, 'eve')

    const digest = await uploaded(ada)
    await acceptanceRefuses(ada, hub)
    await approvedBySecond(ada, eve)
    await compared(ada)
    await foundByDigest(ada, digest)
    await rolledBack(ada, hub)
    expect([...ada.faults, ...eve.faults]).toEqual([])
  },
  120_000,
)

const POLICY = {
  ...{ promote: 'request', approvals: { count: 1, roles: ['approver'] } },
  checks: { commit: [], acceptance: ['functional'], manual: [] },
}
const DUMP = { kind: 'dump', name: 'shop.dump', bytes: Buffer.alloc(2048, 'x') } as const
const BUILD_2 = '/apps/shop/builds/2'

const filesOf = (build: number) => ({
  'shop/run': '#!/bin/sh\nexec shop\n',
  'shop/etc/shop.toml': `workers = ${String(build)}\n`,
})

/** Build 1 is in staging and on web1, which keeps a restore point of it. */
async function prepare(hub: TestHub): Promise<void> {
  const reply = await hub.upload('shop', tarball(filesOf(1)), { build: '1', version: '1.0.0' })
  const { cpv } = reply.body as { cpv: string }
  await hub.as().put('/api/v1/environments/production/policy').send(POLICY)
  const token = await enrolNode(hub, 'web1')
  const points = pointsOf(hub, 'web1', token)
  await points.announce(announcementOf([DUMP], { cpv, encrypted: true }))
  await points.put(DUMP)
  await points.complete()
  const packages = [packageOf('app-hub/shop-1.1.0_p2')]
  await hub.as(token).post('/api/v1/nodes/web1/report').send(reportOf([], { packages }))
}

async function signInByKeys({ page }: Window, name: string): Promise<void> {
  const keys = keyboardOf(page)
  await page.goto('/')
  await keys.write(page.getByLabel('Name'), name)
  await keys.write(page.getByLabel('Password'), PASSWORD)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Board' }).waitFor()
}

/** From the list of apps to the form, and on to the build when it is archived; it reaches staging by itself. */
async function uploaded({ page }: Window): Promise<string> {
  const keys = keyboardOf(page)
  await keys.press(page.getByRole('link', { name: 'Apps', exact: true }).first())
  await keys.press(page.getByRole('link', { name: 'Upload a build' }))
  const chooser = page.waitForEvent('filechooser')
  await keys.press(page.getByLabel('Tarball'))
  const bytes = tarball(filesOf(2))
  await (await chooser).setFiles({ name: 'shop.tar', mimeType: 'application/x-tar', buffer: bytes })
  await keys.write(page.getByRole('combobox', { name: /^App/ }), 'shop')
  await keys.write(page.getByLabel('Build number'), '2')
  await keys.write(page.getByLabel('Version'), '1.1.0')
  await keys.press(page.getByRole('button', { name: 'Upload' }))
  await keys.press(page.getByRole('link', { name: 'shop build 2' }))
  await page.getByRole('heading', { name: 'shop build 2', level: 1 }).waitFor()
  await page.locator('#in-staging').getByText('released', { exact: true }).waitFor()
  return createHash('sha512').update(bytes).digest('hex')
}

/** Why production does not take it yet is read; when its CI has tested it, it is asked for. */
async function acceptanceRefuses({ page }: Window, hub: TestHub): Promise<void> {
  const keys = keyboardOf(page)
  const verdict = page.locator('#in-production')
  await verdict.getByText('not yet: 2 unmet').waitFor()
  expect(await verdict.textContent()).toContain('The acceptance check "functional" was never reported.')
  const check = { stage: 'acceptance', name: 'functional', status: 'passed' }
  await hub.as().post(`/api/v1${BUILD_2}/checks`).send(check)
  await verdict.getByText('not yet: 1 unmet').waitFor()
  await keys.press(page.getByRole('button', { name: 'Ask to promote shop build 2 to production' }))
  await page.getByRole('status').getByText('It was asked for, and waits.').waitFor()
}

/** eve sees it wait, looks, and approves; ada's page tells without being loaded again. */
async function approvedBySecond(ada: Window, eve: Window): Promise<void> {
  const { page } = eve
  const keys = keyboardOf(page)
  const waiting = page.getByRole('link', { name: 'build 2' }).last()
  await keys.press(waiting)
  await keys.press(page.getByText('Approve…'))
  await keys.write(page.getByLabel('Comment'), 'looked at it')
  await page.keyboard.press('Enter')
  await page.getByRole('status').getByText('You have approved it.').waitFor()
  await ada.page.locator('#in-production').getByText('released', { exact: true }).waitFor()
}

/** With the one before it: what is in the file of settings was changed. */
async function compared({ page }: Window): Promise<void> {
  const keys = keyboardOf(page)
  await keys.press(page.getByRole('link', { name: 'with the build before, or another' }))
  await page.getByRole('heading', { name: 'Build 2 compared with 1' }).waitFor()
  await keys.press(page.locator('summary', { hasText: 'etc/shop.toml' }))
  await page.getByText('+workers = 2').waitFor()
  expect(await page.locator('main').textContent()).toContain('-workers = 1')
}

/** From any page by one key; the arrows go through what is found. */
async function foundByDigest({ page }: Window, digest: string): Promise<void> {
  await page.keyboard.press('/')
  await page.keyboard.type(digest.slice(0, 20))
  await page.getByRole('option', { name: /shop build 2/ }).waitFor()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'shop build 2', level: 1 }).waitFor()
}

/** web1 is to go back; the hub takes it only with the name of the node. */
async function rolledBack({ page, faults }: Window, hub: TestHub): Promise<void> {
  const keys = keyboardOf(page)
  await keys.press(page.getByRole('link', { name: 'Nodes', exact: true }))
  await keys.press(page.getByRole('link', { name: 'web1' }))
  await keys.press(page.getByRole('link', { name: /^Roll back… to/ }))
  expect(await page.locator('main').textContent()).toContain('app-hub/shop-1.0.0_p1')
  const name = page.getByLabel('Name of the node')
  await keys.write(name, 'web2')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').getByText('web1').waitFor()
  // The browser tells of the refusal too.
  expect(faults.splice(0)).toEqual([expect.stringContaining('400 (Bad Request)')])
  await keys.write(name, 'web1')
  await page.keyboard.press('Enter')
  await page.getByRole('status').getByText('The node will go back at its next contact.').waitFor()
  const { body } = await hub.as().get('/api/v1/nodes/web1/rollbacks')
  expect((body as { items: { state: string }[] }).items.map(({ state }) => state)).toEqual(['requested'])
}
