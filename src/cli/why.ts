/** Why a build can or cannot be promoted: the one list of rules that the hub itself goes by. */
import type { Command } from 'commander'
import type { VerdictAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { EXIT } from './exit-status.ts'
import { onOneLine, timeText } from './format.ts'
import { parseNumber } from './lists.ts'
import { remote } from './session.ts'

export function addWhy(program: Command): void {
  const command = program
    .command('why')
    .description('say why a build can or cannot be promoted to an environment now')
    .argument('<app>')
    .argument('<build>', 'its number', parseNumber)
    .argument('<environment>')
  remote(command, 'portage-hub why shop 45 production', async (session, _options, ...args) => {
    const [app = '', build = '', environment = ''] = args
    const path = apiPath('apps', app, 'builds', build, 'eligibility', environment)
    const verdict = await session.client.get<VerdictAnswer>(path)
    const can = verdict.eligible ? 'can' : 'cannot'
    const head = `${app} build ${build} ${can} be promoted to ${environment} now.`
    session.show(verdict, [head, ...verdict.rules.flatMap(ruleLines)].join('\n'))
    return verdict.eligible ? EXIT.done : EXIT.refused
  })
}

/** A rule as lines: of a release set whose it is, what is so, since when and by whom, and what to do. */
export function ruleLines({
  app,
  build,
  state,
  detail,
  since,
  by,
  toMeet,
}: VerdictAnswer['rules'][number]): readonly string[] {
  const told = [since === null ? '' : `since ${timeText(since)} UTC`, by === null ? '' : `by ${by}`]
  const origin = told.filter(Boolean).join(' ')
  const whose = app === undefined ? '' : `${app} build ${String(build)}: `
  const line = `  ${state.padEnd(6)}  ${whose}${detail}${origin === '' ? '' : ` (${origin})`}`
  return [line, ...(toMeet === null ? [] : [`          ${toMeet}`])].map(onOneLine)
}
