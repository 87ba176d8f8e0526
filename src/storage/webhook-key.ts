/**
 * The key of which the secrets of webhooks are made, `var/webhooks.key`: 32 random bytes that the hub's user alone may
 * read. It lies beside the database and not in it, so that whoever reads the one has no secret yet.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { HubError } from '../errors.ts'
import { writeFileDurably } from './durable-write.ts'

const KEY_BYTES = 32

/** Reads the key, or makes it where there is none. @throws {HubError} `config.invalid` if the file is no such key. */
export async function openWebhookKey(path: string): Promise<Buffer> {
  const key = await readFile(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  })
  if (key === null) {
    const made = randomBytes(KEY_BYTES)
    await writeFileDurably(path, made, 0o600)
    return made
  }
  if (key.byteLength === KEY_BYTES) return key
  throw new HubError(
    'config.invalid',
    `${path} is not the key of webhooks: put it back from a backup, or remove it and make all webhooks anew`,
  )
}
