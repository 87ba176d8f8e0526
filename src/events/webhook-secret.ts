/**
 * The secret that a webhook and its receiver share, and what is signed with it, as Standard Webhooks has it: HMAC-SHA256
 * over `<id>.<timestamp>.<body>`. The secret is made of the hub's key and the webhook's id whenever it is needed, and
 * kept nowhere.
 */
import { createHmac } from 'node:crypto'

const PREFIX = 'whsec_'

/** `whsec_` and 32 bytes in base64. */
export function webhookSecret(key: Buffer, webhook: string): string {
  return PREFIX + createHmac('sha256', key).update(`webhook secret of ${webhook}`).digest('base64')
}

/** The headers that a receiver checks. `timestampSec` is of this attempt, `id` the same in all of them. */
export function signatureHeaders(
  secret: string,
  { id, timestampSec, body }: { readonly id: string; readonly timestampSec: number; readonly body: string },
): Readonly<Record<string, string>> {
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64')
  const signature = createHmac('sha256', key)
    .update(`${id}.${String(timestampSec)}.${body}`)
    .digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampSec),
    'webhook-signature': `v1,${signature}`,
  }
}
