/** Sends a mail by the operator's SMTP server, over a connection of its own. */
import MailComposer from 'nodemailer/lib/mail-composer'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { Mail } from './mail.ts'
import type { Outcome } from './post-webhook.ts'
import { onOneLine } from './webhook-body.ts'

/** From the look-up of the server's name to its word that it has the mail. A server may take its time with strangers. */
const TIME_LIMIT_MS = 60_000

export interface MailServer {
  /** `smtps://`: TLS from the start; `smtp://`: by STARTTLS, or none. A name and a password may be in it. */
  readonly url: string
  /** Whether a server without TLS is refused. */
  readonly tls: 'required' | 'none'
}

export interface Envelope {
  readonly from: string
  readonly to: string
}

export interface MailWay {
  /** Given up by the hub, for example at its end. */
  readonly signal: AbortSignal
  readonly timeLimitMs?: number
}

/** What a server says of a recipient or of the mail itself for good; all else (its own troubles, the password) may pass. */
const ABOUT_THE_MAIL = ['RCPT TO', 'DATA']

/**
 * The outcome's status is SMTP's reply; 5xx to the recipient or the mail is final.
 * @throws the signal's reason when it is given up; everything else is an outcome.
 */
export async function sendMail(
  server: MailServer,
  envelope: Envelope,
  mail: Mail,
  { signal, timeLimitMs = TIME_LIMIT_MS }: MailWay,
): Promise<Outcome> {
  signal.throwIfAborted()
  const message = await compose(envelope, mail)
  const late = AbortSignal.timeout(timeLimitMs)
  const connection = openConnection(server, timeLimitMs)
  const broken = Promise.withResolvers<never>()
  broken.promise.catch(() => undefined)
  connection.on('error', broken.reject)
  const stop = AbortSignal.any([signal, late])
  stop.addEventListener('abort', () => {
    broken.reject(stop.reason)
    connection.close()
  })
  try {
    return await Promise.race([converse(connection, server, envelope, message), broken.promise])
  } catch (error) {
    signal.throwIfAborted()
    if (late.aborted) return { status: null, error: `no answer within ${String(timeLimitMs / 1000)} seconds` }
    return refusalOf(error as SmtpError)
  } finally {
    connection.close()
  }
}

function openConnection({ url, tls }: MailServer, timeLimitMs: number): SMTPConnection {
  const { protocol, hostname, port } = new URL(url)
  const secure = protocol === 'smtps:'
  return new SMTPConnection({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (secure ? 465 : 587) : Number(port),
    secure,
    requireTLS: tls === 'required',
    ignoreTLS: tls === 'none',
    // The limit on the whole ends it first: which part was slow is no matter.
    connectionTimeout: 2 * timeLimitMs,
    greetingTimeout: 2 * timeLimitMs,
    socketTimeout: 2 * timeLimitMs,
    dnsTimeout: 2 * timeLimitMs,
    // A server that does not close its side does not keep the hub from ending.
    socketCloseTimeout: 1000,
  })
}

type Step = (done: (error?: Error | null) => void) => void

/** Resolves when the server has said that it has the mail. */
async function converse(
  connection: SMTPConnection,
  { url }: MailServer,
  { from, to }: Envelope,
  message: Buffer,
): Promise<Outcome> {
  const step = async (begin: Step): Promise<void> => {
    await new Promise<void>((resolve, reject) => {
      begin((error) => {
        if (error) reject(error)
        else resolve()
      })
    })
  }
  await step((done) => {
    connection.connect(done)
  })
  const { username, password } = new URL(url)
  if (username !== '')
    await step((done) => {
      connection.login({ user: decodeURIComponent(username), pass: decodeURIComponent(password) }, done)
    })
  await step((done) => {
    connection.send({ from, to: [to] }, message, done)
  })
  connection.quit()
  return { status: 250, error: null }
}

interface SmtpError extends Error {
  readonly command?: string
  readonly responseCode?: number
}

function refusalOf({ message, command = '', responseCode }: SmtpError): Outcome {
  const isFinal = responseCode !== undefined && responseCode >= 500 && ABOUT_THE_MAIL.includes(command)
  return { status: responseCode ?? null, error: onOneLine(message).slice(0, 300), isFinal }
}

/** Nothing of it is read from files or addresses: all content is text that is given here. */
async function compose({ from, to }: Envelope, { subject, text, messageId, date }: Mail): Promise<Buffer> {
  return await new MailComposer({
    from: { name: 'Portage Hub', address: from },
    to: { name: '', address: to },
    ...{ subject, text, messageId, date: new Date(date), disableFileAccess: true, disableUrlAccess: true },
    headers: { 'Auto-Submitted': 'auto-generated' },
  })
    .compile()
    .build()
}
