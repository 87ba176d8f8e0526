/** What happened, and what happens, as lines. */
import type { Command } from 'commander'
import type { HubEvent } from '../events/event.ts'
import { apiPath } from './api-path.ts'
import { EXIT } from './exit-status.ts'
import { Failure } from './failure.ts'
import { onOneLine, timeText } from './format.ts'
import { parseEventNumber } from './lists.ts'
import { Patience } from './patience.ts'
import { remote } from './session.ts'
import type { Session } from './session.ts'

interface EventOptions {
  readonly type?: string
  readonly app?: string
  readonly environment?: string
  readonly after?: string
  readonly follow?: boolean
}

/** A hub that is away for longer is not waited for. */
const PATIENCE_MS = 10 * 60_000

export function addEvents(program: Command): void {
  const command = program
    .command('events')
    .description('print what happened, and with --follow what happens')
    .option('-f, --follow', 'go on with what comes next')
    .option('--type <types>', 'such as promotion.requested, with commas between several')
    .option('--app <app>')
    .option('--environment <environment>')
    .option('--after <number>', 'begin behind this event', parseEventNumber)
  const example = 'portage-hub events --follow --environment production'
  remote<EventOptions>(command, example, async (session, { type, app, environment, after, follow }) => {
    const filter = { type, app, environment }
    if (follow === true) await goOn(session, filter, after ?? '')
    else await print(session, { ...filter, follow: 'false' }, after ?? '0')
    return EXIT.done
  })
}

type Filter = Pick<EventOptions, 'type' | 'app' | 'environment'> & { readonly follow?: string }

/** Comes again whenever the connection ends, behind the last event that it was told of. */
async function goOn(session: Session, filter: Filter, after: string): Promise<void> {
  const patience = new Patience(PATIENCE_MS)
  const heard = { last: after, anything: false }
  do {
    try {
      await print(session, filter, heard.last, (id) => {
        heard.last = id
        heard.anything = true
        patience.renew()
      })
    } catch (error) {
      const isAway = error instanceof Failure && error.exitStatus === EXIT.unreachable
      if (!isAway || !heard.anything) throw error
    }
  } while (await patience.pause())
  throw new Failure('hub.unreachable', 'the hub has been away for too long', EXIT.unreachable)
}

/** Prints one answer to its end. `onId` hears behind which event the next one begins. */
async function print(
  { client, terminal, json }: Session,
  filter: Filter,
  after: string,
  onId: (id: string) => void = () => undefined,
): Promise<void> {
  let rest = ''
  for await (const part of client.stream(
    apiPath('events'),
    filter,
    after === '' ? {} : { 'Last-Event-ID': after },
  )) {
    const blocks = (rest + part).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const { id, data } of blocks.map(fieldsOf)) {
      if (data !== undefined) terminal.out(json ? data : lineOf(JSON.parse(data) as HubEvent))
      if (id !== undefined) onId(id)
    }
  }
}

/** The hub writes each field once, and a space behind its colon. */
function fieldsOf(block: string): { readonly id?: string; readonly data?: string } {
  const lines = block.split('\n').filter((line) => !line.startsWith(':'))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  )
}

function lineOf({ seq, at, type, subject, environment, node, actor, reason, ...event }: HubEvent): string {
  const build =
    event.app === null ? '' : ` ${event.app}${event.build === null ? '' : ` ${String(event.build)}`}`
  const where = environment ?? node
  const what = `${type}${build}${where === null ? '' : ` in ${where}`} (${subject}) by ${actor}`
  const why = reason === null ? '' : `: ${reason}`
  return onOneLine(`${String(seq).padStart(6)}  ${timeText(at)}  ${what}${why}`)
}
