import { expect, test } from 'vitest'
import { queueDeliveries } from '../../src/events/deliver-event.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import { cliOf } from './support.ts'

test('a subscription by e-mail is made, and has no secret to show', async () => {
  const env = { HUB_SMTP_URL: 'smtp://127.0.0.1:9', HUB_MAIL_FROM: 'hub@acme.example' }
  await using hub = await createTestHub(env, { jobs: false })
  const cli = cliOf(hub)
  const made = await cli('webhook', 'create', '--email', 'ops@acme.example', '--type', 'hold.set')
  expect(made.status, made.stderr).toBe(0)
  expect(made.stdout).toMatch(/^ *id +whk_\w+\n *url +mailto:ops@acme\.example\n *events +hold\.set\n$/)
  expect((await cli('webhook', 'list')).stdout).toMatch(/ enabled +email +mailto:ops@acme\.example /)
  for (const args of [[], ['https://ci.acme.example/', '--email', 'ops@acme.example']])
    expect(await cli('webhook', 'create', ...args)).toMatchObject({ status: 2, stdout: '' })
})

test('a webhook is made, shown without its secret, switched, replayed and removed', async () => {
  await using hub = await createTestHub({}, { jobs: false })
  const cli = cliOf(hub)
  const url = 'https://ci.acme.example/hooks/hub'
  const tried = await cli('webhook', 'create', url, '--dry-run')
  expect(tried.stdout).toBe(`Events would be sent to ${url}.\n`)
  const made = await cli('webhook', 'create', url, '--type', 'build.archived', 'hold.set', '--app', 'shop')
  expect(made.status, made.stderr).toBe(0)
  const [, secret = '', id = ''] = /^(whsec_\S+)\n[^]*id +(whk_\w+)\n/.exec(made.stdout) ?? []
  expect(made.stdout).toContain('events  build.archived hold.set of shop')
  const list = await cli('webhook', 'list')
  expect(list.stdout).toMatch(
    new RegExp(`^${id} +enabled +json +${url} +build.archived hold.set of shop$`, 'm'),
  )
  expect(list.stdout + (await cli('webhook', 'list', '--json')).stdout).not.toContain(secret)

  await hub.upload('shop', tarball({ f: '1' }), { build: '1', version: '1.0.0' })
  await queueDeliveries(hub.hub)
  const deliveries = await cli('webhook', 'deliveries', id)
  const [, delivery = ''] = /^(whd_\w+) +\d+ build\.archived +waiting +0 /m.exec(deliveries.stdout) ?? []
  expect((await cli('webhook', 'deliveries', id, '--state', 'dead')).stderr).toBe('No deliveries.\n')
  expect((await cli('webhook', 'replay', id, delivery)).stdout).toMatch(
    /^Event \d+ \(build\.archived\) is sent again\.\n$/,
  )

  expect((await cli('webhook', 'disable', id)).stdout).toBe(`${id} is disabled.\n`)
  expect((await cli('webhook', 'enable', id)).stdout).toBe(`${id} is enabled.\n`)
  expect((await cli('webhook', 'delete', id)).stdout).toBe(`${id} (${url}) is removed.\n`)
  expect(await cli('webhook', 'delete', id)).toMatchObject({ status: 5, stdout: '' })
})
