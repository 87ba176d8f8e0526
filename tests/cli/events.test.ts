import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'
import { cliOf } from './support.ts'

const CLI = join(resolve(import.meta.dirname, '../..'), 'src/cli.ts')

test('events prints what happened, for people and for programs', async () => {
  await using hub = await createTestHub()
  await hub.as().post('/api/v1/tokens').send({ name: 'ci\nof shop', role: 'developer' })
  await hub.as().post('/api/v1/tokens').send({ name: 'ci', role: 'developer' })
  const cli = cliOf(hub)
  const lines = (await cli('events')).stdout.trimEnd().split('\n')
  const json = (await cli('events', '--json', '--type', 'token.created', '--after', '3')).stdout
  expect(
    json
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object),
  ).toMatchObject([{ type: 'token.created', actor: 'HUB_ADMIN_TOKEN', after: { name: 'ci' } }])
  expect(lines.at(-1)).toMatch(/^ {5}4 {2}2026-01-02 03:04 {2}token\.created \(tok_\w+\) by HUB_ADMIN_TOKEN$/)
  const refused = await cli('events', '--type', 'none')
  expect(refused).toMatchObject({ status: 3, stdout: '' })
  expect(refused.stderr).toContain('(request.invalid)')
})

test('events --follow goes on over a restart of the hub', async () => {
  await using hub = await createTestHub()
  const port = new URL(hub.url).port
  const follower = spawn(process.execPath, [CLI, 'events', '--follow', '--json', '--after', '0'], {
    env: { PATH: process.env['PATH'] ?? '', HUB_URL: hub.url, HUB_TOKEN: ADMIN_TOKEN },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  const seqs = (): readonly number[] =>
    printed
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { readonly seq: number }).seq)
  const reach = async (count: number): Promise<void> => {
    while (seqs().length < count) await once(follower.stdout, 'data')
  }
  follower.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  const { seq } = await hub.hub.records.audit.head()
  await reach(seq)
  await using again = await hub.restart({ HUB_PORT: port })
  await again.as().post('/api/v1/tokens').send({ name: 'ci', role: 'developer' })
  await reach(seq + 1)
  follower.kill()
  expect(seqs()).toEqual(Array.from({ length: seq + 1 }, (_, at) => at + 1))
})
