import type { Command } from 'commander'
import type { PromotionAnswer, PublishedAnswer, VerdictAnswer } from './answers.ts'
import { changeLines } from './answers.ts'
import { apiPath } from './api-path.ts'
import { parseNumber } from './lists.ts'
import { DRY_RUN, remote } from './session.ts'
import { ruleLines } from './why.ts'

interface Options {
  readonly liftWithdrawal?: boolean
  readonly override?: string
  readonly dryRun?: boolean
}

type Answer = PromotionAnswer & {
  readonly published: PublishedAnswer | null
  readonly rules: VerdictAnswer['rules'] | null
}

export function addPromote(program: Command): void {
  const command = program
    .command('promote')
    .description('publish an archived build in an environment')
    .argument('<app>')
    .argument('<build>', 'its number', parseNumber)
    .argument('<environment>')
    .option('--lift-withdrawal', 'publish again what was withdrawn from there')
    .option('--override <reason>', 'skip the waiting in an emergency; everybody reads the reason')
    .option(...DRY_RUN)
  remote<Options>(command, 'portage-hub promote shop 45 production', async (session, options, ...args) => {
    const [app = '', build = '', environment = ''] = args
    const wanted = {
      app,
      build: Number(build),
      environment,
      liftWithdrawal: options.liftWithdrawal === true,
      ...(options.override !== undefined && { override: { reason: options.override } }),
    }
    const query = { dryRun: options.dryRun }
    const { body } = await session.client.change<Answer>('POST', apiPath('promotions'), query, wanted)
    session.show(body, answerText(body, options.dryRun === true))
  })
}

function answerText(answer: Answer, dryRun: boolean): string {
  const { app, build, environment, published, rules } = answer
  const name = `${app} build ${String(build)}`
  if (rules !== null) {
    const waits = `${name} ${dryRun ? 'would wait' : 'waits'} for ${environment}, ${stateText(answer.state)}`
    const unmet = rules.filter(({ state }) => state === 'unmet').flatMap(ruleLines)
    return [`${waits}${dryRun ? '' : ` (${answer.id})`}:`, ...unmet].join('\n')
  }
  if (published === null) {
    return `${name} is released in ${environment} already, since revision ${String(answer.revision)}.`
  }
  const revision = String(published.revision)
  if (!dryRun) return `${name} is released in ${environment}: revision ${revision} of its overlay.`
  return [
    `${name} would be released in ${environment}, in revision ${revision} of its overlay:`,
    ...changeLines(published),
  ].join('\n')
}

/** The state as people say it. */
export function stateText(state: string): string {
  return state.replaceAll('_', ' ')
}
