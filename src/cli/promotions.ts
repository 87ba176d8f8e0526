/** Promotions that were asked for: what each waits for, and what people say of them. */
import { Option } from 'commander'
import type { Command } from 'commander'
import type { PromotionAnswer, WholePromotionAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { timeText } from './format.ts'
import { showPage, withLimit } from './lists.ts'
import type { ListOptions } from './lists.ts'
import { emergencyLines, stateText } from './promote.ts'
import { DRY_RUN, remote } from './session.ts'
import type { Terminal } from './terminal.ts'
import { ruleLines } from './why.ts'

interface Options {
  readonly comment?: string
  readonly reason?: string
  readonly dryRun?: boolean
}

export function addPromotions(program: Command): void {
  const promotions = program.command('promotions').description('list and show what was asked for')
  addList(promotions)
  addShow(promotions)
}

function addList(promotions: Command): void {
  const command = promotions
    .command('list', { isDefault: true })
    .alias('ls')
    .description('list promotions, newest first')
    .option('--app <app>', 'of this app only')
    .option('--environment <environment>', 'to this environment only')
    .addOption(
      new Option('--state <state>', 'which to list').choices(['open', 'ended', 'all']).default('all'),
    )
  const example = 'portage-hub promotions list --state open'
  remote<ListOptions & { readonly app?: string; readonly environment?: string; readonly state: string }>(
    withLimit(command),
    example,
    async (session, { app, environment, state, limit }) => {
      const query = { app, environment, state }
      const page = await session.client.list<PromotionAnswer>(apiPath('promotions'), query, limit)
      showPage(
        session,
        page,
        [
          { title: 'ID', value: ({ id }) => id },
          { title: 'APP', value: (promotion) => promotion.app },
          { title: 'BUILD', value: ({ build }) => build },
          { title: 'TO', value: (promotion) => promotion.environment },
          { title: 'STATE', value: (promotion) => stateText(promotion.state) },
          { title: 'WAITING', value: overrideWord, isUrgent: true },
          { title: 'BY', value: ({ requestedBy }) => requestedBy },
          { title: 'AT (UTC)', value: ({ requestedAt }) => timeText(requestedAt) },
          { title: 'DETAIL', value: ({ detail }) => detail ?? '', cut: true },
        ],
        'No promotions.',
      )
    },
  )
}

function addShow(promotions: Command): void {
  const command = promotions
    .command('show')
    .description('show a promotion: what it waits for, and who approved it')
    .argument('<id>', 'as "promotions list" shows it')
  remote(
    command,
    'portage-hub promotions show pro_01m83m3xnfxbbczdmzr8b0',
    async (session, _options, id = '') => {
      const answer = await session.client.get<WholePromotionAnswer>(apiPath('promotions', id))
      session.show(answer, promotionText(answer, session.terminal))
    },
  )
}

export function addApprove(program: Command): void {
  addDecision(program, {
    ...{ verb: 'approve', what: 'say yes to a promotion that somebody else asked for' },
    ...{ say: ['-m, --comment <text>', 'what to remember of it'], isNeeded: false },
  })
}

export function addReject(program: Command): void {
  const say = ['-r, --reason <text>', 'why; whoever asked for it reads it'] as const
  addDecision(program, { verb: 'reject', what: 'say no to a promotion, which ends it', say, isNeeded: true })
}

export function addCancel(program: Command): void {
  const say = ['-r, --reason <text>', 'why'] as const
  addDecision(program, { verb: 'cancel', what: 'take a promotion back that waits', say, isNeeded: true })
}

function addDecision(
  program: Command,
  {
    verb,
    what,
    say,
    isNeeded,
  }: {
    readonly verb: 'approve' | 'reject' | 'cancel'
    readonly what: string
    readonly say: readonly [flags: string, text: string]
    readonly isNeeded: boolean
  },
): void {
  const command = program
    .command(verb)
    .description(what)
    .argument('<id>', 'as "promotions list" shows it')
    .addOption(new Option(...say).makeOptionMandatory(isNeeded))
    .option(...DRY_RUN)
  const example = `portage-hub ${verb} pro_01m83m3xnfxbbczdmzr8b0${isNeeded ? " --reason 'not before #812'" : ''}`
  remote<Options>(command, example, async (session, { comment, reason, dryRun }, id = '') => {
    const body = { ...(comment !== undefined && { comment }), ...(reason !== undefined && { reason }) }
    const path = apiPath('promotions', id, verb)
    const answer = await session.client.change<WholePromotionAnswer>('POST', path, { dryRun }, body)
    session.show(answer.body, promotionText(answer.body, session.terminal))
  })
}

/** Empty for every promotion that waits as the policy has it. */
function overrideWord({ overrideBy }: PromotionAnswer): string {
  return overrideBy === null ? '' : 'EMERGENCY'
}

function promotionText(answer: WholePromotionAnswer, terminal: Terminal): string {
  const { id, app, build, environment, state, set, requestedBy, requestedAt, detail, approvals, rules } =
    answer
  const head = `${id}: ${app} build ${String(build)} to ${environment}, ${stateText(state)}`
  const others = (set ?? []).filter((member) => member.id !== id)
  const together =
    others.length === 0
      ? []
      : [
          `  together with ${others.map((other) => `${other.app} build ${String(other.build)} (${other.id})`).join(', ')}`,
        ]
  const asked = `  asked for by ${requestedBy} at ${timeText(requestedAt)} UTC`
  const given = approvals.map(
    ({ by, at, comment }) =>
      `  approved by ${by} at ${timeText(at)} UTC${comment === null ? '' : `: ${comment}`}`,
  )
  const rest = rules === null ? (detail === null ? [] : [`  ${detail}`]) : rules.flatMap(ruleLines)
  return [head, ...emergencyLines(answer, terminal), ...together, asked, ...given, ...rest].join('\n')
}
