/** The hub's signing keys, by the API and the command line. */
import { expect, test } from 'vitest'
import { createTestHub } from '../support/test-hub.ts'

test('administrators see each key, what it signs and since when', async () => {
  await using hub = await createTestHub()
  const { status, body } = await hub.as().get('/api/v1/keys')
  expect(status).toBe(200)
  expect(body).toEqual({
    items: [
      {
        id: hub.hub.overlayKeys.current.fingerprint,
        fingerprint: hub.hub.overlayKeys.current.fingerprint,
        purpose: 'overlay',
        state: 'current',
        createdAt: '2026-01-02T03:04:05Z',
        signsFrom: '2026-01-02T03:04:05Z',
        ...{ expiresAt: null, revokedAt: null, reason: null, note: null },
        url: `${hub.url}/keys/hub.asc`,
      },
      expect.objectContaining({ purpose: 'binhost', url: `${hub.url}/keys/binhost.asc` }),
    ],
    nextCursor: null,
  })
})
