/** The audit: who changed what, and whether anybody altered the record of it. */
import type { Command } from 'commander'
import type { AuditAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { EXIT } from './exit-status.ts'
import { timeText } from './format.ts'
import { parseNumber, showPage, withLimit } from './lists.ts'
import type { ListOptions } from './lists.ts'
import { remote } from './session.ts'

interface FilterOptions {
  readonly type?: string
  readonly app?: string
  readonly build?: string
  readonly environment?: string
  readonly node?: string
  readonly by?: string
  readonly subject?: string
  readonly since?: string
  readonly until?: string
}

interface Verdict {
  readonly ok: boolean
  readonly head: { readonly seq: number; readonly hash: string }
  readonly faults: readonly { readonly seq: number; readonly what: string }[]
}

const ROWS_AT_ONCE = 5000

export function addAudit(program: Command): void {
  const audit = program.command('audit').description('list, export and verify the record of every change')
  addList(audit)
  addExport(audit)
  addVerify(audit)
}

function withFilter(command: Command): Command {
  return command
    .option('--type <type>', 'such as promotion.requested')
    .option('--app <app>')
    .option('--build <number>', 'of the app', parseNumber)
    .option('--environment <environment>')
    .option('--node <node>')
    .option('--by <name>', 'who changed it')
    .option('--subject <id>', 'of one thing: a promotion, a hold, a token')
    .option('--since <time>', 'a day or an RFC 3339 time')
    .option('--until <time>')
}

function queryOf({ by, type, app, build, environment, node, subject, since, until }: FilterOptions) {
  return { type, app, build, environment, node, actor: by, subject, since, until }
}

function addList(audit: Command): void {
  const command = audit
    .command('list', { isDefault: true })
    .alias('ls')
    .description('list changes, newest first')
  const example = 'portage-hub audit list --app shop --since 2026-11-01'
  remote<FilterOptions & ListOptions>(withLimit(withFilter(command)), example, async (session, options) => {
    const page = await session.client.list<AuditAnswer>(apiPath('audit'), queryOf(options), options.limit)
    showPage(
      session,
      page,
      [
        { title: 'NO', value: ({ seq }) => seq },
        { title: 'AT (UTC)', value: ({ at }) => timeText(at) },
        { title: 'BY', value: ({ actor }) => actor },
        { title: 'CHANGE', value: ({ type }) => type },
        { title: 'OF', value: ({ subject }) => subject },
        { title: 'IN', value: ({ environment, node }) => environment ?? node ?? '' },
        { title: 'REASON', value: ({ reason }) => reason ?? '', cut: true },
      ],
      'No such changes.',
    )
  })
}

function addExport(audit: Command): void {
  const command = audit
    .command('export')
    .description('print every change as JSON lines, oldest first, with the hashes of the chain')
  const example = 'portage-hub audit export --since 2026-11-01 > audit.jsonl'
  remote<FilterOptions>(withFilter(command), example, async ({ client, terminal }, options) => {
    let after = 0
    for (;;) {
      const text = await client.text(apiPath('audit', 'export'), {
        ...queryOf(options),
        after,
        limit: ROWS_AT_ONCE,
      })
      const last = text.trimEnd().split('\n').at(-1) ?? ''
      if (last === '') return EXIT.done
      terminal.out(text)
      after = (JSON.parse(last) as { readonly seq: number }).seq
    }
  })
}

function addVerify(audit: Command): void {
  const command = audit
    .command('verify')
    .description('follow the chain of hashes, and say where a record was altered, added or taken away')
    .option('--head <seq:hash>', 'a head that an earlier run printed, kept elsewhere: it must still be there')
  const example = 'portage-hub audit verify'
  remote<{ readonly head?: string }>(command, example, async ({ client, show }, { head }) => {
    const verdict = await client.get<Verdict>(apiPath('audit', 'verify'), { head })
    const end = `${String(verdict.head.seq)}:${verdict.head.hash}`
    const faults = verdict.faults.map(({ seq, what }) => `record ${String(seq)}: ${what}`)
    const text = verdict.ok
      ? `${String(verdict.head.seq)} records, none altered. Head: ${end}`
      : [...faults, `The audit was altered. Head: ${end}`].join('\n')
    show(verdict, text)
    return verdict.ok ? EXIT.done : EXIT.damaged
  })
}
