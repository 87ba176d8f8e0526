/** Has all nodes of an environment go back: shows each of them first, and asks. */
import { createInterface } from 'node:readline/promises'
import { apiPath } from './api-path.ts'
import type { EnvironmentRollbackAnswer, PublishedAnswer } from './answers.ts'
import { Failure, wrongUsage } from './failure.ts'
import { EXIT } from './exit-status.ts'
import { table, timeText } from './format.ts'
import type { Session } from './session.ts'

export interface EverywhereOptions {
  readonly environment?: string
  readonly to?: string
  readonly reason?: string
  readonly andNewer?: boolean
  readonly withDump?: boolean
  readonly force?: boolean
  readonly yes?: boolean
  readonly dryRun?: boolean
}

type Answer = EnvironmentRollbackAnswer & { readonly published: PublishedAnswer }
type NodeAnswer = Answer['nodes'][number]

export async function rollBackEverywhere(
  session: Session,
  app: string,
  options: EverywhereOptions,
): Promise<void> {
  const { environment, to, reason, andNewer: newer, withDump, force } = options
  if (environment === undefined || to === undefined || reason === undefined)
    throw wrongUsage('--everywhere needs --environment, --to with the number of a build, and --reason')
  const wish = { environment, app, build: Number(to), reason, newer, withDump, force }
  const send = async (dryRun: boolean) =>
    (await session.client.change<Answer>('POST', apiPath('rollbacks'), { dryRun }, wish)).body
  if (options.dryRun === true || options.yes !== true) {
    const preview = await send(true)
    if (options.dryRun === true) {
      session.show(preview, environmentRollbackText(preview, session.terminal.columns))
      return
    }
    session.terminal.note(environmentRollbackText(preview, session.terminal.columns))
    await askToGoOn()
  }
  const answer = await send(false)
  session.show(answer, environmentRollbackText(answer, session.terminal.columns))
}

/** @throws {Failure} where nobody can be asked, or the answer is no. */
async function askToGoOn(): Promise<void> {
  if (!process.stdin.isTTY)
    throw wrongUsage('this changes every node that is shown: look at --dry-run, then add --yes')
  const asking = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await asking.question('Go on? [y/N] ')
    if (/^y(es)?$/i.test(answer.trim())) return
  } finally {
    asking.close()
  }
  throw new Failure('cancelled', 'nothing was changed', EXIT.refused)
}

/** What it does, would do or has come to. */
export function environmentRollbackText(answer: EnvironmentRollbackAnswer, columns: number): string {
  const { app, build, environment, reason, nodes, holds, id } = answer
  const isPreview = id === null
  const head = `${app} ${isPreview ? 'would go' : 'goes'} back to build ${String(build)} in ${environment}${isPreview ? '' : ` (${id})`}: ${reason}`
  const held = holds.map(
    (hold) =>
      `  ${hold.newer ? '>=' : '='}${hold.cpv ?? ''} ${isPreview ? 'would be' : 'is'} held and masked${isPreview ? '' : ` (${hold.id})`}`,
  )
  const without = nodes.filter(({ state }) => state === 'no_point').length
  const missing =
    without === 0
      ? []
      : [
          `${String(without)} ${without === 1 ? 'node has' : 'nodes have'} no restore point of that build: the mask alone takes it down, at its next update.`,
        ]
  return [head, ...held, nodes.length === 0 ? 'No nodes.' : nodeTable(nodes, columns), ...missing].join('\n')
}

function nodeTable(nodes: readonly NodeAnswer[], columns: number): string {
  return table<NodeAnswer>(
    [
      { title: 'NODE', value: ({ node }) => node },
      { title: 'STATE', value: ({ state }) => state.replaceAll('_', ' ') },
      { title: 'FROM', value: ({ from }) => from },
      { title: 'RESTORE POINT', value: ({ restorePoint }) => restorePoint },
      { title: 'TAKEN (UTC)', value: ({ takenAt }) => (takenAt === null ? '' : timeText(takenAt)) },
      { title: 'DUMP', value: ({ dumps }) => dumps.join(' ') },
      { title: 'BREAKS', value: ({ schemaRefusal, detail }) => schemaRefusal ?? detail, cut: true },
    ],
    nodes,
    columns,
  )
}
