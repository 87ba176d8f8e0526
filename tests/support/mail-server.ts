/** Somebody who takes e-mail, on loopback: a real SMTP server, which answers as the test says. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'

export interface ReceivedMail {
  readonly from: string
  readonly to: readonly string[]
  readonly isSecure: boolean
  readonly user: string | null
  /** Names in lower case; folded lines made one, encoded words decoded. */
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly raw: string
}

export interface MailServer extends AsyncDisposable {
  readonly port: number
  readonly received: readonly ReceivedMail[]
  /** The reply to each command of the next mails; null: it is taken. `onData` may resolve when it likes. */
  refuse: { rcpt?: number; data?: number; login?: number }
  /** Waited for before a mail is answered, after it was kept. */
  beforeAnswer: () => Promise<void>
  /** Resolves when so many have come. */
  has(count: number): Promise<void>
}

interface MailServerOptions {
  /** PEM; without one there is no TLS. */
  readonly tls?: { readonly key: string; readonly cert: string }
  readonly wantsLogin?: boolean
  /** TLS from the start. */
  readonly isSecure?: boolean
}

export async function openMailServer({
  tls,
  wantsLogin = false,
  isSecure = false,
}: MailServerOptions = {}): Promise<MailServer> {
  const received: ReceivedMail[] = []
  let wake = (): void => {}
  const refusal = (code: number | undefined): Error | null =>
    code === undefined ? null : Object.assign(new Error('not now'), { responseCode: code })
  const smtp = new SMTPServer({
    ...(tls ?? { hideSTARTTLS: true }),
    secure: isSecure,
    disabledCommands: [...(tls ? [] : ['STARTTLS']), ...(wantsLogin ? [] : ['AUTH'])],
    authOptional: !wantsLogin,
    // Whether to log in without TLS is the client's question here.
    allowInsecureAuth: true,
    closeTimeout: 1,
    onAuth: ({ username }, _session, done) => {
      done(refusal(server.refuse.login), { user: username })
    },
    onRcptTo: (_address, _session, done) => {
      done(refusal(server.refuse.rcpt))
    },
    onData: (stream, { envelope, secure, user }, done) => {
      void buffer(stream).then(async (bytes) => {
        const raw = bytes.toString('utf8')
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address
        const to = envelope.rcptTo.map(({ address }) => address)
        received.push({
          from,
          to,
          isSecure: secure,
          user: typeof user === 'string' ? user : null,
          ...readMail(raw),
        })
        wake()
        await server.beforeAnswer()
        done(refusal(server.refuse.data))
      })
    },
  })
  smtp.on('error', () => undefined)
  const listening = smtp.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const server: MailServer = {
    port: (listening.address() as AddressInfo).port,
    received,
    refuse: {},
    beforeAnswer: async () => {},
    async has(count) {
      while (received.length < count)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    },
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => {
        smtp.close(resolve)
      })
    },
  }
  return server
}

/** RFC 5322 and what of MIME a mail of plain text has. */
function readMail(raw: string): Pick<ReceivedMail, 'headers' | 'text' | 'raw'> {
  const end = raw.indexOf('\r\n\r\n')
  const lines = raw
    .slice(0, end)
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(': ')
      return [line.slice(0, colon).toLowerCase(), decodeWords(line.slice(colon + 2))]
    }),
  )
  const body = raw.slice(end + 4).replaceAll('\r\n', '\n')
  const encoding = headers['content-transfer-encoding']
  if (encoding === 'base64') return { headers, text: Buffer.from(body, 'base64').toString('utf8'), raw }
  return {
    headers,
    text: encoding === 'quoted-printable' ? decodeQuoted(body.replaceAll('=\n', '')) : body,
    raw,
  }
}

/** RFC 2047: `=?UTF-8?Q?…?=` */
function decodeWords(text: string): string {
  return text
    .replaceAll(/\?= +=\?/g, '?==?')
    .replaceAll(/=\?utf-8\?([qb])\?(.*?)\?=/gi, (_word, kind: string, content: string) =>
      kind.toLowerCase() === 'b'
        ? Buffer.from(content, 'base64').toString('utf8')
        : decodeQuoted(content.replaceAll('_', ' ')),
    )
}

function decodeQuoted(text: string): string {
  const bytes = text.replaceAll(/=([0-9A-F]{2})/g, (_code, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
