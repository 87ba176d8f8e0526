import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { webhookSecret } from '../../src/events/webhook-secret.ts'
import { openWebhookKey } from '../../src/storage/webhook-key.ts'

test('the key is made once, for the hub alone to read, and is no secret of any webhook', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'portage-hub-test-'))
  await using _removed = { [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true }) }
  const path = join(folder, 'webhooks.key')
  const made = await openWebhookKey(path)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await openWebhookKey(path)).toEqual(made)
  expect(await readFile(path)).toEqual(made)
  const secrets = ['whk_1', 'whk_2'].map((id) => webhookSecret(made, id))
  expect(new Set([...secrets, `whsec_${made.toString('base64')}`]).size).toBe(3)
  expect(webhookSecret(randomBytes(32), 'whk_1')).not.toBe(secrets[0])

  await writeFile(path, 'cut short')
  await expect(openWebhookKey(path)).rejects.toThrow('is not the key of webhooks')
  expect(await readFile(path, 'utf8')).toBe('cut short')
})
