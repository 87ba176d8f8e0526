/** Events by e-mail: over a real SMTP server on loopback, with the deliveries that webhooks have. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { attemptDelivery, queueDeliveries } from '../../src/events/deliver-event.ts'
import { sendMail } from '../../src/events/send-mail.ts'
import type { Hub } from '../../src/hub.ts'
import { WebhookLanes } from '../../src/jobs/deliver-webhooks.ts'
import type { DeliveryRow } from '../../src/records/webhooks.ts'
import { openMailServer } from '../support/mail-server.ts'
import type { MailServer } from '../support/mail-server.ts'
import { testWith } from '../support/programs.ts'
import { tarball } from '../support/tarballs.ts'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const signal = new AbortController().signal

const settings = ({ port }: Pick<MailServer, 'port'>, more: Readonly<Record<string, string>> = {}) => ({
  ...{
    HUB_SMTP_URL: `smtp://127.0.0.1:${String(port)}`,
    HUB_SMTP_TLS: 'none',
    HUB_MAIL_FROM: 'hub@acme.example',
  },
  ...more,
})

/** A hub with an app, and a subscription to its holds. */
async function subscribe(hub: TestHub): Promise<string> {
  expect((await hub.upload('shop', tarball({ f: '1' }), { build: '1', version: '1.0.0' })).status).toBe(201)
  const wanted = { url: 'mailto:ops@acme.example', types: ['hold.set'] }
  const made = await hub.as().post('/api/v1/webhooks').send(wanted)
  expect(made.status, made.text).toBe(201)
  expect(made.body).toMatchObject({ ...wanted, format: 'email', secret: null })
  return (made.body as { readonly id: string }).id
}

async function hold(hub: TestHub, reason: string): Promise<void> {
  const reply = await hub.as().post('/api/v1/environments/staging/holds').send({ app: 'shop', reason })
  expect(reply.status, reply.text).toBe(201)
}

async function deliver(hub: Hub): Promise<void> {
  const lanes = new WebhookLanes(hub, signal)
  await lanes.look()
  await lanes.settled()
}

async function deliveries(hub: TestHub, id: string): Promise<readonly DeliveryRow[]> {
  const reply = await hub.as().get(`/api/v1/webhooks/${id}/deliveries`)
  return (reply.body as { readonly items: readonly DeliveryRow[] }).items
}

describe('a subscription by e-mail', () => {
  test('is sent what happens, as plain text, from the address of the hub', async () => {
    await using server = await openMailServer()
    await using hub = await createTestHub(settings(server))
    const id = await subscribe(hub)
    await hold(hub, `lädt doppelt: <b>& ${'x'.repeat(300)}`)
    await server.has(1)
    const [mail] = server.received
    expect(mail).toMatchObject({ from: 'hub@acme.example', to: ['ops@acme.example'], user: null })
    await expect
      .poll(async () => await deliveries(hub, id))
      .toMatchObject([{ state: 'delivered', lastStatus: 250 }])
    const [{ id: delivery } = { id: '' }] = await deliveries(hub, id)
    expect(mail?.headers).toMatchObject({
      ...{ from: 'Portage Hub <hub@acme.example>', to: 'ops@acme.example' },
      subject: 'shop is held in staging, by HUB_ADMIN_TOKEN.',
      'message-id': `<${delivery}@127.0.0.1>`,
      'auto-submitted': 'auto-generated',
      'content-type': 'text/plain; charset=utf-8',
      date: 'Fri, 02 Jan 2026 03:04:05 +0000',
    })
    expect(mail?.text).toContain(`\nReason: lädt doppelt: <b>& ${'x'.repeat(300)}\n`)
    expect(mail?.text).toContain(`${hub.url}/apps/shop\n`)
    expect(mail?.text).toContain(`portage-hub webhook delete ${id}`)
  })

  test('is of a hub that sends none refused, and waits where it sends none any more', async () => {
    await using server = await openMailServer()
    await using hub = await createTestHub(settings(server), { jobs: false })
    const id = await subscribe(hub)
    await hold(hub, 'x')
    await using without = await hub.restart({}, { jobs: false })
    await deliver(without.hub)
    expect(await deliveries(without, id)).toMatchObject([
      {
        state: 'waiting',
        attempts: 1,
        lastStatus: null,
        lastError: expect.stringContaining('HUB_SMTP_URL') as string,
      },
    ])
    const refused = await without.as().post('/api/v1/webhooks').send({ url: 'mailto:ops@acme.example' })
    expect(refused.body).toMatchObject({ status: 422, code: 'webhook.no_mail' })
    expect(server.received).toEqual([])
  })

  test.each([
    ...[
      'mailto:',
      'mailto:ops',
      'mailto:ops@acme.example,all@acme.example',
      'mailto:ops@acme.example?bcc=x@y.example',
    ],
    ...[
      'mailto:ops@acme.example\r\nBcc: all@acme.example',
      'mailto:Ops <ops@acme.example>',
      'mailto:a b@acme.example',
    ],
    ...[
      'mailto:ops%40acme.example@x.example%0d',
      `mailto:${'x'.repeat(250)}@acme.example`,
      'MAILTO:ops@acme.example',
    ],
  ])('goes to no %j', async (url) => {
    await using hub = await createTestHub(settings({ port: 9 }), { jobs: false })
    expect((await hub.as().post('/api/v1/webhooks').send({ url })).body).toMatchObject({
      code: 'request.invalid',
    })
    expect((await hub.as().get('/api/v1/webhooks')).body).toMatchObject({ items: [] })
  })

  test.each([
    { url: 'mailto:ops@acme.example', format: 'slack' },
    { url: 'https://ci.acme.example/', format: 'email' },
  ])('has one form: %j', async (wanted) => {
    await using hub = await createTestHub(settings({ port: 9 }), { jobs: false })
    expect((await hub.as().post('/api/v1/webhooks').send(wanted)).body).toMatchObject({
      code: 'request.invalid',
    })
  })
})

describe('a mail', () => {
  test('that the server puts off is tried again, and one that it refuses for good is given up at once', async () => {
    await using server = await openMailServer()
    await using hub = await createTestHub(settings(server), { jobs: false })
    const id = await subscribe(hub)
    await hold(hub, 'x')
    const again = async (refuse: MailServer['refuse']) => {
      server.refuse = refuse
      const [row] = await deliveries(hub, id)
      hub.clock.set(row?.nextAt ?? hub.clock.now().toISOString())
      await deliver(hub.hub)
      return (await deliveries(hub, id))[0]
    }
    expect(await again({ rcpt: 451 })).toMatchObject({ state: 'waiting', attempts: 1, lastStatus: 451 })
    expect(await again({ data: 452 })).toMatchObject({ state: 'waiting', attempts: 2, lastStatus: 452 })
    const dead = await again({ data: 554 })
    expect(dead).toMatchObject({ state: 'dead', attempts: 3, nextAt: null, lastStatus: 554 })
    const replay = async () =>
      await hub.as().post(`/api/v1/webhooks/${id}/deliveries/${dead?.id ?? ''}/replay`)
    await replay()
    expect(await again({ rcpt: 550 })).toMatchObject({ state: 'dead', attempts: 1, lastStatus: 550 })
    await replay()
    expect(await again({})).toMatchObject({
      state: 'delivered',
      attempts: 1,
      lastStatus: 250,
      lastError: null,
    })
    // What the server kept and then refused, and what it took: a reader sees one mail.
    expect(new Set(server.received.map(({ headers }) => headers['message-id'])).size).toBe(1)
  })

  test('that was taken when the hub died is sent again, under the same id', async () => {
    await using server = await openMailServer()
    await using hub = await createTestHub(settings(server), { jobs: false })
    const id = await subscribe(hub)
    await hold(hub, 'x')
    await queueDeliveries(hub.hub)
    const [delivery] = await deliveries(hub, id)
    if (!delivery) throw new Error('nothing is queued')
    const { webhooks } = hub.hub.records
    const dying = Object.assign(Object.create(webhooks) as typeof webhooks, {
      find: webhooks.find.bind(webhooks),
      updateDelivery: async () => await Promise.reject(new Error('the process is gone')),
    })
    const records = Object.assign(Object.create(hub.hub.records) as typeof hub.hub.records, {
      webhooks: dying,
    })
    const row = await webhooks.nextDue(id, '2027-01-01T00:00:00Z')
    if (!row) throw new Error('nothing is due')
    await expect(attemptDelivery({ ...hub.hub, records }, row, signal)).rejects.toThrow('the process is gone')
    await using next = await hub.restart(settings(server), { jobs: false })
    await deliver(next.hub)
    expect(await deliveries(next, id)).toMatchObject([{ state: 'delivered', attempts: 1 }])
    expect(server.received.map(({ headers }) => headers['message-id'])).toEqual([
      `<${delivery.id}@127.0.0.1>`,
      `<${delivery.id}@127.0.0.1>`,
    ])
  })

  test('that a stop of the hub cut is sent by the next one', async () => {
    await using server = await openMailServer()
    await using hub = await createTestHub(settings(server))
    const id = await subscribe(hub)
    // Taken, and never answered: the hub cannot know.
    server.beforeAnswer = async () => await new Promise(() => {})
    await hold(hub, 'x')
    await server.has(1)
    server.beforeAnswer = async () => {}
    await using again = await hub.restart()
    await server.has(2)
    await expect
      .poll(async () => await deliveries(again, id))
      .toMatchObject([{ state: 'delivered', attempts: 1 }])
  })

  test('is not waited for without end: a server that says nothing, and one that is not there', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const mail = { subject: 's', text: 't', messageId: '<a@b>', date: '2026-01-02T03:04:05Z' }
    const envelope = { from: 'hub@acme.example', to: 'ops@acme.example' }
    const send = async (url: string, timeLimitMs?: number) =>
      await sendMail({ url, tls: 'none' }, envelope, mail, { signal, timeLimitMs })
    expect(await send(`smtp://127.0.0.1:${String(port)}`, 50)).toEqual({
      ...{ status: null, error: 'no answer within 0.05 seconds' },
    })
    const given = sendMail({ url: `smtp://127.0.0.1:${String(port)}`, tls: 'none' }, envelope, mail, {
      signal: AbortSignal.timeout(50),
    })
    await expect(given).rejects.toMatchObject({ name: 'TimeoutError' })
    silent.close()
    expect(await send('smtp://127.0.0.1:1')).toMatchObject({
      status: null,
      isFinal: false,
      error: expect.stringContaining('ECONNREFUSED') as string,
    })
  })
})

describe('the server', () => {
  const NAMED = 'hub:p%40ss%2Fword'
  const secret = 'p@ss/word'

  test('that offers no TLS gets neither a mail nor the password', async () => {
    await using server = await openMailServer({ wantsLogin: true })
    const url = `smtp://${NAMED}@127.0.0.1:${String(server.port)}`
    await using hub = await createTestHub(settings(server, { HUB_SMTP_URL: url, HUB_SMTP_TLS: 'required' }), {
      jobs: false,
    })
    const id = await subscribe(hub)
    await hold(hub, 'x')
    await deliver(hub.hub)
    expect(await deliveries(hub, id)).toMatchObject([
      { state: 'waiting', lastError: expect.stringContaining('STARTTLS') as string },
    ])
    expect(server.received).toEqual([])
  })

  test('whose password is wrong is asked again, and nobody is told the password', async () => {
    await using server = await openMailServer({ wantsLogin: true })
    const url = `smtp://${NAMED}@127.0.0.1:${String(server.port)}`
    const logged: string[] = []
    const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) })
    await using hub = await createTestHub(settings(server, { HUB_SMTP_URL: url }), { jobs: false, log })
    const id = await subscribe(hub)
    await hold(hub, 'x')
    server.refuse = { login: 535 }
    await deliver(hub.hub)
    expect(await deliveries(hub, id)).toMatchObject([{ state: 'waiting', lastStatus: 535 }])
    server.refuse = {}
    hub.clock.set('2026-01-02T04:00:00Z')
    await deliver(hub.hub)
    expect(server.received).toMatchObject([{ user: 'hub' }])
    const answers = await Promise.all(
      ['webhooks', `webhooks/${id}/deliveries`, 'audit/export', 'events?follow=false'].map(async (path) => {
        const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` }
        return await (await fetch(`${hub.url}/api/v1/${path}`, { headers })).text()
      }),
    )
    for (const text of [...answers, ...logged])
      for (const word of [secret, NAMED, encodeURIComponent(secret), Buffer.from(secret).toString('base64')])
        expect(text).not.toContain(word)
  })

  testWith('openssl')(
    'is believed by its certificate alone, with STARTTLS and with TLS from the start',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'portage-hub-mail-'))
      const [key, cert] = [join(folder, 'key'), join(folder, 'cert')]
      const wanted = [
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ]
      const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
      execFileSync('openssl', ['req', ...wanted, ...name, '-keyout', key, '-out', cert], { stdio: 'ignore' })
      const pem = { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') }
      const believed = tls.getCACertificates('default')
      await using server = await openMailServer({ tls: pem, wantsLogin: true })
      const url = `smtp://${NAMED}@localhost:${String(server.port)}`
      const env = settings(server, { HUB_SMTP_URL: url, HUB_SMTP_TLS: 'required' })
      await using hub = await createTestHub(env, { jobs: false })
      const id = await subscribe(hub)
      await hold(hub, 'x')
      await deliver(hub.hub)
      expect(await deliveries(hub, id)).toMatchObject([
        { state: 'waiting', lastError: expect.stringMatching(/self-signed certificate/) as string },
      ])
      expect(server.received).toEqual([])
      try {
        tls.setDefaultCACertificates([...believed, pem.cert])
        hub.clock.set('2026-01-02T04:00:00Z')
        await deliver(hub.hub)
        expect(server.received).toMatchObject([{ isSecure: true, user: 'hub' }])
        await using fromTheStart = await openMailServer({ tls: pem, isSecure: true })
        const mail = { subject: 's', text: 't', messageId: '<a@b>', date: '2026-01-02T03:04:05Z' }
        const envelope = { from: 'hub@acme.example', to: 'ops@acme.example' }
        const at = { url: `smtps://localhost:${String(fromTheStart.port)}`, tls: 'required' } as const
        expect(await sendMail(at, envelope, mail, { signal })).toEqual({ status: 250, error: null })
        expect(fromTheStart.received).toMatchObject([{ isSecure: true }])
      } finally {
        tls.setDefaultCACertificates(believed)
        await rm(folder, { recursive: true })
      }
    },
  )
})
