/** An override is never overlooked: the same words everywhere, in red where a terminal shows colours. */
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { tarball } from '../support/tarballs.ts'
import { cliOf } from './support.ts'

const CLI = resolve(import.meta.dirname, '../../src/cli.ts')
const SAID = 'EMERGENCY, the waiting is skipped by HUB_ADMIN_TOKEN: the shop is down'

/** Runs the command in a terminal of its own (script(1), of Debian's bsdutils) and gives what it would show. */
async function inTerminal(
  hub: TestHub,
  args: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const command = `'${process.execPath}' '${CLI}' ${args}`
  const { stdout } = await promisify(execFile)('script', ['-qec', command, '/dev/null'], {
    env: {
      ...{ PATH: process.env['PATH'] ?? '', TERM: 'xterm-256color', HUB_CONFIG: '' },
      ...{ HUB_URL: hub.url, HUB_TOKEN: ADMIN_TOKEN, ...env },
    },
  })
  return stdout.replaceAll('\r', '')
}

test('a promotion that skips the waiting says so, in red on a terminal', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', tarball({ f: '' }), { build: '1' })
  const policy = { soak: '24h', override: { roles: ['administrator'] } }
  const set = await hub.as().put('/api/v1/environments/production/policy').send(policy)
  expect(set.status, set.text).toBe(200)
  const cli = cliOf(hub)
  const promoted = await cli('promote', 'shop', '1', 'production', '--override', 'the shop is down')
  expect([promoted.status, promoted.stdout]).toEqual([
    0,
    `shop build 1 is released in production: revision 2 of its overlay.\n  ${SAID}\n`,
  ])
  const list = (await cli('promotions', 'list', '--environment', 'production', '--json')).stdout
  const { items } = JSON.parse(list) as { readonly items: readonly { readonly id: string }[] }
  const show = `promotions show ${items[0]?.id ?? ''}`

  expect(await inTerminal(hub, show, {})).toContain(`\u{1b}[1;31m${SAID}\u{1b}[0m`)
  expect(await inTerminal(hub, 'promotions', {})).toContain('\u{1b}[1;31mEMERGENCY\u{1b}[0m')
  const plain = await inTerminal(hub, show, { NO_COLOR: '1' })
  expect(plain).toContain(SAID)
  expect(plain).not.toContain('\u{1b}')
})
