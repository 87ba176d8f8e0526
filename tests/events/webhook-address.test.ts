import type { LookupAddress } from 'node:dns'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { postWebhook } from '../../src/events/post-webhook.ts'
import { addressRule, guardedLookup } from '../../src/outside-address.ts'
import { openReceiver } from '../support/receiver.ts'

const message = { headers: {}, body: '{}' }
const signal = new AbortController().signal
const NOBODY = addressRule([])

const resolvingTo =
  (...lists: readonly (readonly string[])[]) =>
  (_host: string, _options: object, callback: (error: null, addresses: LookupAddress[]) => void): void => {
    const [addresses = []] = lists.length > 1 ? (lists as string[][]).splice(0, 1) : lists
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }

describe('an address that webhooks may go to', () => {
  test.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a01:4f8::1'])(
    'is %s',
    (address) => {
      expect(NOBODY(address)).toBe(true)
    },
  )

  test.each([
    ...['127.0.0.1', '127.8.9.1', '0.0.0.0', '0.1.2.3', '10.0.0.1', '172.16.0.1', '172.31.255.255'],
    ...['192.168.1.1', '169.254.169.254', '100.64.0.1', '192.0.0.8', '198.18.0.1', '192.0.2.1'],
    ...['224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:8.8.8.8', '::ffff:127.0.0.1', '::127.0.0.1', '64:ff9b::7f00:1'],
    ...['fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd12::1', 'fec0::1', 'ff02::1', '2002:7f00:1::', '2001::1'],
    ...['2001:db8::1', 'no address', '', '127.1'],
  ])('is not %s', (address) => {
    expect(NOBODY(address)).toBe(false)
  })

  test('is one that the operator lists, alone or in a network, and no other', () => {
    const rule = addressRule(['127.0.0.1', '10.1.0.0/16', 'fd00:1::/32', '::1'])
    const tried = ['127.0.0.1', '127.0.0.2', '10.1.2.3', '10.2.0.1', 'fd00:1::9', 'fd00:2::9', '::1']
    expect(tried.filter(rule)).toEqual(['127.0.0.1', '10.1.2.3', 'fd00:1::9', '::1'])
  })
})

test.each(['10.0.0.0/33', 'fd00::/129', 'intranet', '10.0.0', '10.0.0.0/8/8', '10.0.0.0/-1'])(
  'the setting does not take %s',
  (network) => {
    expect(() => loadConfig({ HUB_CONFIG: '', HUB_WEBHOOK_ALLOW: network })).toThrow('webhookAllow')
  },
)

describe('a name', () => {
  const posting = async (url: string, lookup: ReturnType<typeof guardedLookup>, rule = NOBODY) =>
    await postWebhook(url, message, { isAllowed: rule, lookup, signal })

  test('that stands for an inner address is not connected to', async () => {
    await using receiver = await openReceiver()
    const { port } = new URL(receiver.url)
    const outcome = await posting(
      `http://hooks.acme.example:${port}/`,
      guardedLookup(NOBODY, resolvingTo(['127.0.0.1', '::1'])),
    )
    expect(outcome).toMatchObject({
      status: null,
      error: expect.stringContaining('HUB_WEBHOOK_ALLOW') as string,
    })
    expect(receiver.received).toEqual([])
  })

  test('is looked up once, by whom it is judged: one that changes in between gains nothing', async () => {
    await using receiver = await openReceiver()
    const { port } = new URL(receiver.url)
    const only = addressRule(['127.0.0.1'])
    const rebinding = guardedLookup(only, resolvingTo(['127.0.0.1'], ['10.0.0.1']))
    expect(await posting(`http://a.example:${port}/`, rebinding, only)).toEqual({ status: 204, error: null })
    expect((await posting(`http://a.example:${port}/`, rebinding, only)).error).toContain('HUB_WEBHOOK_ALLOW')
    expect(receiver.received).toHaveLength(1)
  })

  test('with several addresses is reached by those that are allowed', async () => {
    await using receiver = await openReceiver()
    const { port } = new URL(receiver.url)
    const only = addressRule(['127.0.0.1'])
    const lookup = guardedLookup(only, resolvingTo(['127.0.0.2', '10.0.0.1', '127.0.0.1']))
    expect(await posting(`http://a.example:${port}/`, lookup, only)).toEqual({ status: 204, error: null })
  })

  test.each([
    'http://127.0.0.1:1/',
    'http://2130706433:1/',
    'http://0x7f.1:1/',
    'http://[::1]:1/',
    'http://[::ffff:127.0.0.1]:1/',
  ])('that is an address is judged without a look-up: %s', async (url) => {
    const lookup = guardedLookup(NOBODY, () => {
      throw new Error('looked up')
    })
    expect((await posting(url, lookup)).error).toContain('HUB_WEBHOOK_ALLOW')
  })
})

describe('an answer', () => {
  const rule = addressRule(['127.0.0.1'])
  const way = { isAllowed: rule, lookup: guardedLookup(rule), signal }

  test('that sends elsewhere is not followed', async () => {
    await using other = await openReceiver()
    await using receiver = await openReceiver((response) => {
      response.writeHead(307, { Location: other.url }).end()
    })
    const outcome = await postWebhook(receiver.url, message, way)
    expect(outcome).toEqual({ status: 307, error: 'it sends the hub elsewhere, which is not followed' })
    expect(other.received).toEqual([])
  })

  test('without an end is not read to it', async () => {
    await using receiver = await openReceiver((response) => {
      const more = (): void => {
        while (response.write('x'.repeat(65_536)));
        response.once('drain', more)
      }
      response.writeHead(200)
      more()
    })
    expect(await postWebhook(receiver.url, message, way)).toEqual({ status: 200, error: null })
  })

  test('that does not come is not waited for', async () => {
    await using receiver = await openReceiver(() => {})
    const outcome = await postWebhook(receiver.url, message, { ...way, timeLimitMs: 50 })
    expect(outcome).toEqual({ status: null, error: 'no answer within 0.05 seconds' })
  })

  test('is none where nobody listens', async () => {
    const gone = await openReceiver()
    await gone[Symbol.asyncDispose]()
    const outcome = await postWebhook(gone.url, message, way)
    expect(outcome).toMatchObject({ status: null, error: expect.stringContaining('ECONNREFUSED') as string })
  })
})
