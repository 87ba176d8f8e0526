/** `portage-hub nodes`, and the tokens that make nodes. */
import { expect, test } from 'vitest'
import { packageOf, reportOf } from '../support/node-reports.ts'
import { POINT, announcementOf, enrolNode, pointsOf } from '../support/restore-points.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import { cliOf } from './support.ts'

test('an enrolment token is made by one command, for one environment', async () => {
  await using hub = await createTestHub()
  const cli = cliOf(hub)
  const made = await cli('token', 'create', '--role', 'enrol', '--environment', 'staging', '--json')
  expect(made.status, made.stderr).toBe(0)
  const answer = JSON.parse(made.stdout) as { readonly token: string }
  expect(answer).toMatchObject({ name: 'enrol a node in staging', role: 'enrol', environments: ['staging'] })
  expect(answer.token).toMatch(/^phub_[\w-]{43}$/)
  const bound = await cli('token', 'create', '--role', 'enrol', '--environment', 'staging', '--node', 'web1')
  expect(bound.stdout).toContain('  may    enrol web1 in staging\n')
  expect(await cli('token', 'create', '--role', 'enrol')).toMatchObject({ status: 2, stdout: '' })
  const nameless = await cli('token', 'create', '--role', 'reader')
  expect(nameless).toMatchObject({ status: 2, stdout: '' })
  expect(nameless.stderr).toContain("required option '-n, --name <name>' not specified")
})

test('nodes are listed, shown and removed', async () => {
  await using hub = await createTestHub()
  const cli = cliOf(hub)
  expect(await cli('nodes')).toMatchObject({ status: 0, stdout: '', stderr: 'No nodes.\n' })
  for (const build of ['45', '46'])
    await hub.upload('shop', tarball({ a: build }), { build, version: '1.0.0' })
  for (const name of ['web1', 'web2'])
    await hub.as().post('/api/v1/nodes').send({ name, environment: 'staging' })
  const packages = [packageOf('app-hub/shop-1.0.0_p45')]
  await hub.as().post('/api/v1/nodes/web1/report').send(reportOf([], { packages }))
  hub.clock.set('2026-01-02T04:00:00Z')

  expect((await cli('nodes', 'list')).stdout).toBe(
    [
      'NODE  ENVIRONMENT  APPS  STATE        REPORTED (UTC)',
      'web1  staging         1  1 drifted    2026-01-02 03:04',
      'web2  staging         0  as released  -',
      '',
    ].join('\n'),
  )
  const shown = (await cli('nodes', 'show', 'web1')).stdout
  expect(shown).toContain('  reported              2026-01-02 03:04 UTC\n')
  expect(shown).toContain('  /var/lib/portage-hub  1 B free of 2 B\n')
  expect(shown).toMatch(
    /app-hub\/shop-1\.0\.0_p45 {2}app-hub\/shop-1\.0\.0_p46 {2}2026-01-02 03:04 {2}1\.0\.0_p46 is released\n$/,
  )
  const json = JSON.parse((await cli('nodes', 'show', 'web1', '--json')).stdout) as unknown
  expect(json).toMatchObject({ name: 'web1', drifted: true, report: { hubNode: '0.1.0' } })
  expect((await cli('nodes', 'show', 'none')).status).toBe(5)

  expect((await cli('nodes', 'remove', 'web2', '--dry-run')).stdout).toBe('web2 would be removed.\n')
  expect((await cli('nodes', 'remove', 'web2')).stdout).toBe('web2 is removed; its token is dead.\n')
  expect((await cli('nodes')).stdout).not.toContain('web2')
  expect((await cli('nodes', '--state', 'left')).stdout).toMatch(/^web2 .* left /m)
})

test('restore points are listed, and a rollback is shown before it is asked for', async () => {
  await using hub = await createTestHub()
  const cli = cliOf(hub)
  const dump = { kind: 'dump', name: 'shop.dump', bytes: Buffer.from('rows') } as const
  const points = pointsOf(hub, 'web1', await enrolNode(hub, 'web1'))
  expect(await cli('nodes', 'points', 'web1')).toMatchObject({ status: 0, stderr: 'No restore points.\n' })
  await points.announce(announcementOf([dump], { encrypted: true }))
  await points.put(dump)
  await points.complete()
  expect((await cli('nodes', 'points', 'web1')).stdout).toBe(
    [
      'RESTORE POINT               OF                     BEFORE   TAKEN (UTC)       STATE                REHEARSED (UTC)',
      `${POINT}  app-hub/shop-1.0.0_p1  upgrade  2026-01-02 03:04  complete, encrypted  never`,
      '',
    ].join('\n'),
  )
  expect((await cli('nodes', 'show', 'web1')).stdout).toContain(`  never rehearsed  ${POINT}\n`)
  const rehearsed = [{ restorePoint: POINT, at: '2026-01-02T03:05:06Z', ok: false, detail: 'no space' }]
  await hub.as().post('/api/v1/nodes/web1/report').send(reportOf([], { rehearsed }))
  expect((await cli('nodes', 'points', 'web1', '--rehearsed', 'failed')).stdout).toMatch(
    / {2}2026-01-02 03:05 failed\n$/,
  )
  expect((await cli('nodes', 'points', 'web1', '--rehearsed', 'never')).stderr).toBe('No restore points.\n')
  const shown = await cli('rollback', 'web1', 'shop', '--dry-run')
  expect(shown.stdout).toBe(
    [
      'web1 would go back with shop:',
      '  from           what the node never reported',
      '  to             app-hub/shop-1.0.0_p1',
      `  restore point  ${POINT}, taken 2026-01-02 03:04 UTC`,
      '  dump           shop.dump; left alone',
      '',
    ].join('\n'),
  )
  const asked = await cli('rollback', 'web1', 'shop', '--with-dump')
  expect(asked.stdout).toMatch(/^web1 goes back with shop at its next contact \(rbk_\w+\):\n/)
  expect(asked.stdout).toContain('shop.dump; loaded, what was written since is lost\n')
  expect((await cli('rollback', 'web1', 'shop')).status).toBe(3)
})
