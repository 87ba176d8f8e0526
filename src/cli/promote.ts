import type { Command } from 'commander'
import type { PromotionAnswer, PublishedAnswer, VerdictAnswer } from './answers.ts'
import { changeLines } from './answers.ts'
import { apiPath } from './api-path.ts'
import { wrongUsage } from './failure.ts'
import { onOneLine } from './format.ts'
import { DRY_RUN, remote } from './session.ts'
import type { Terminal } from './terminal.ts'
import { ruleLines } from './why.ts'

interface Options {
  readonly to?: string
  readonly liftWithdrawal?: boolean
  readonly override?: string
  readonly dryRun?: boolean
}

type Answer = PromotionAnswer & {
  readonly published: PublishedAnswer | null
  readonly rules: VerdictAnswer['rules'] | null
}

interface Member {
  readonly app: string
  readonly build: number
}

export function addPromote(program: Command): void {
  const command = program
    .command('promote')
    .description('publish an archived build in an environment, or builds of several apps together')
    .argument('<what...>', '<app> <build> <environment>, or <app>=<build> once or more with --to')
    .option('--to <environment>', 'where; of several all go there together, or none')
    .option('--lift-withdrawal', 'publish again what was withdrawn from there')
    .option('--override <reason>', 'skip the waiting in an emergency; everybody reads the reason')
    .option(...DRY_RUN)
  const example =
    'portage-hub promote shop 45 production\nportage-hub promote shop=45 cart=12 --to production'
  remote<Options>(command, example, async (session, options, ...what) => {
    const { members, environment } = wantedOf(what.flat(), options.to)
    const [first] = members
    const wanted = {
      ...(members.length === 1 ? first : { set: members }),
      environment,
      liftWithdrawal: options.liftWithdrawal === true,
      ...(options.override !== undefined && { override: { reason: options.override } }),
    }
    const query = { dryRun: options.dryRun }
    const { body } = await session.client.change<Answer>('POST', apiPath('promotions'), query, wanted)
    const lines = [answerText(body, options.dryRun === true), ...emergencyLines(body, session.terminal)]
    session.show(body, lines.join('\n'))
  })
}

/** @throws {Failure} of wrong usage. */
function wantedOf(
  words: readonly string[],
  to: string | undefined,
): { readonly members: readonly Member[]; readonly environment: string } {
  if (to !== undefined) return { members: words.map(memberOf), environment: to }
  const [app = '', build = '', environment, ...more] = words
  if (environment === undefined || more.length > 0)
    throw wrongUsage('name an app, a build and an environment; or <app>=<build> and --to an environment')
  return { members: [{ app, build: numberOf(build) }], environment }
}

function memberOf(word: string): Member {
  const [app = '', build, ...more] = word.split('=')
  if (build === undefined || more.length > 0)
    throw wrongUsage(`with --to each build is <app>=<build>, and ${JSON.stringify(word)} is not`)
  return { app, build: numberOf(build) }
}

function numberOf(build: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(build)) return Number(build)
  throw wrongUsage(
    `the number of a build must be an integer of 1 or more, and ${JSON.stringify(build)} is not`,
  )
}

function answerText(answer: Answer, dryRun: boolean): string {
  const { environment, published, rules, set } = answer
  const name = (set ?? [answer]).map(({ app, build }) => `${app} build ${String(build)}`).join(' and ')
  const [is, waits] = set === null ? ['is', 'waits'] : ['are', 'wait']
  if (rules !== null) {
    const told = `${name} ${dryRun ? 'would wait' : waits} for ${environment}, ${stateText(answer.state)}`
    const unmet = rules.filter(({ state }) => state === 'unmet').flatMap(ruleLines)
    return [`${told}${dryRun ? '' : ` (${answer.id})`}:`, ...unmet].join('\n')
  }
  if (published === null) {
    return `${name} ${is} released in ${environment} already, since revision ${String(answer.revision)}.`
  }
  const revision = String(published.revision)
  if (!dryRun) return `${name} ${is} released in ${environment}: revision ${revision} of its overlay.`
  return [
    `${name} would be released in ${environment}, in revision ${revision} of its overlay:`,
    ...changeLines(published),
  ].join('\n')
}

/** `EMERGENCY, the waiting is skipped by ada: charges twice`; no line for any other promotion. */
export function emergencyLines(
  { overrideBy, overrideReason }: Pick<PromotionAnswer, 'overrideBy' | 'overrideReason'>,
  terminal: Pick<Terminal, 'urgent'>,
): readonly string[] {
  if (overrideBy === null) return []
  const text = onOneLine(`EMERGENCY, the waiting is skipped by ${overrideBy}: ${overrideReason ?? ''}`)
  return [`  ${terminal.urgent(text)}`]
}

/** The state as people say it. */
export function stateText(state: string): string {
  return state.replaceAll('_', ' ')
}
