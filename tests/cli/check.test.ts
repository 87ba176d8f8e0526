import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createTestHub } from '../support/test-hub.ts'
import { tarball } from '../support/tarballs.ts'
import { cliOf, temporaryFolder } from './support.ts'

test('checks are told with their reports, and listed', async () => {
  await using hub = await createTestHub()
  await using folder = await temporaryFolder()
  await hub.upload('shop', tarball({ 'shop/run': 'hi' }), { build: '45' })
  const cli = cliOf(hub)
  const junit = join(folder.path, 'junit.xml')
  await writeFile(
    junit,
    '<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>',
  )
  const dry = await cli('check', 'shop', '45', 'commit', 'unit', '--junit', junit, '--dry-run')
  expect(dry.stdout).toBe(
    'shop build 45: commit check unit would be recorded as failed: junit.xml: 1 passed, 1 failed\n',
  )
  expect((await cli('checks', 'shop', '45')).stderr).toContain('No checks.')
  const told = await cli('check', 'shop', '45', 'commit', 'unit', '--junit', junit, '--status', 'passed')
  expect(told.stderr).toContain('Warning: it was reported as passed with 1 failed tests')
  await cli('check', 'shop', '45', 'commit', 'unit', '--status', 'passed', '--link', 'https://ci.example/2')
  expect((await cli('checks', 'shop', '45')).stdout).toBe(
    [
      'STAGE   NAME  STATUS  REPORTED (UTC)    BY               RESULTS',
      'commit  unit  passed  2026-01-02 03:04  HUB_ADMIN_TOKEN  https://ci.example/2',
      '',
    ].join('\n'),
  )
  expect((await cli('checks', 'shop', '45', '--all')).stdout.split('\n')).toHaveLength(4)
  await writeFile(junit, '<testsuite>')
  const refused = await cli('check', 'shop', '45', 'commit', 'unit', '--junit', junit)
  expect(refused).toMatchObject({ status: 3, stdout: '' })
  expect(refused.stderr).toContain('(check.report_invalid)')
  expect((await cli('check', 'shop', '45', 'later', 'unit')).status).toBe(2)
})
