/** A client of the events, as small as one can be, which the test cuts where it likes. */
import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { ADMIN_TOKEN } from './test-hub.ts'

export interface ReceivedEvent {
  readonly [field: string]: unknown
  readonly seq: number
  readonly type: string
}

export interface EventClient {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** What came so far, as it was sent. */
  readonly text: () => string
  /** Of whole blocks alone. */
  readonly events: () => readonly ReceivedEvent[]
  readonly lastEventId: () => string
  /** Resolves when `test` holds of what came; throws if the connection ends before. */
  until(test: () => boolean): Promise<void>
  /** Resolves with true when the hub ended the stream as it should, with false when the connection broke. */
  readonly ended: Promise<boolean>
  cut(): void
}

export async function openEvents(
  url: string,
  wanted: {
    readonly query?: string
    readonly token?: string
    readonly lastEventId?: string
    /** The connection breaks after so many bytes of the stream. */
    readonly cutAfter?: number
  } = {},
): Promise<EventClient> {
  const { query = '', token = ADMIN_TOKEN, lastEventId = '', cutAfter = Infinity } = wanted
  const headers = {
    Authorization: `Bearer ${token}`,
    ...(lastEventId !== '' && { 'Last-Event-ID': lastEventId }),
  }
  const outgoing = request(`${url}/api/v1/events${query}`, { headers, agent: false })
  outgoing.on('error', () => {})
  outgoing.end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  incoming.on('error', () => {})
  const chunks: Buffer[] = []
  let size = 0
  let isOver = false
  let wake = (): void => {}
  incoming.on('data', (chunk: Buffer) => {
    const kept = chunk.subarray(0, Math.max(0, cutAfter - size))
    size += kept.byteLength
    chunks.push(kept)
    if (size >= cutAfter) incoming.destroy()
    wake()
  })
  const ended = new Promise<boolean>((resolve) => {
    incoming.once('close', () => {
      isOver = true
      resolve(incoming.complete)
      wake()
    })
  })
  const text = (): string => Buffer.concat(chunks).toString('utf8')
  const blocks = (): readonly Readonly<Record<string, string>>[] =>
    text().split('\n\n').slice(0, -1).map(fieldsOf)
  return {
    ...{ status: incoming.statusCode ?? 0, headers: incoming.headers, text, ended },
    events: () =>
      blocks().flatMap(({ data }) => (data === undefined ? [] : [JSON.parse(data) as ReceivedEvent])),
    lastEventId: () => blocks().findLast(({ id }) => id !== undefined)?.['id'] ?? lastEventId,
    async until(test) {
      while (!test()) {
        if (isOver) throw new Error(`the stream ended before: ${text().slice(-500)}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    cut() {
      outgoing.destroy()
    },
  }
}

function fieldsOf(block: string): Readonly<Record<string, string>> {
  const lines = block.split('\n').filter((line) => !line.startsWith(':'))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  )
}
