import { expect, test } from 'vitest'
import { CHEAP } from '../support/browser.ts'
import { createTestHub } from '../support/test-hub.ts'
import { cliOf } from './support.ts'

test('people are added, granted, linked, signed out, disabled and listed', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const cli = cliOf(hub)
  const dry = await cli('people', 'add', 'anna', '--dry-run')
  expect(dry.stdout).toBe('anna would be added: nothing.\n')
  const grants = ['--grant', 'release-manager:apps=shop,cart:environments=staging', '--grant', 'reader']
  const added = await cli('people', 'add', 'anna', '--full-name', 'Anna Berg', ...grants)
  expect(added.stdout, added.stderr).toBe('anna is added: release-manager of shop cart in staging; reader.\n')
  const link = (await cli('people', 'link', 'anna', '--quiet')).stdout.trim()
  expect((await hub.as(null).post('/api/v1/sign-in/link').send({ link })).status).toBe(200)
  expect((await cli('people', 'sign-out', 'anna')).stdout).toBe('1 sessions of anna were ended.\n')
  expect((await cli('people', 'grant', 'anna', '--grant', 'approver')).stdout).toBe('anna is: approver.\n')
  expect((await cli('people', 'disable', 'anna')).stdout).toBe('anna is disabled and signed out.\n')
  expect((await cli('people', 'list')).stdout).toMatch(/anna {2}disabled .* approver\n$/)
  expect((await cli('people', 'enable', 'anna')).stdout).toBe('anna is enabled.\n')
  expect((await cli('people', 'grant', 'anna', '--grant', 'reader:everywhere')).status).toBe(2)
})
