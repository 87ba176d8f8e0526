/** Asks a node, or all of an environment, to go back to a restore point; they do so at their next contact. */
import type { Command } from 'commander'
import type { RollbackAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { wrongUsage } from './failure.ts'
import { facts, timeText } from './format.ts'
import { parseNumber } from './lists.ts'
import { rollBackEverywhere } from './rollback-environment.ts'
import type { EverywhereOptions } from './rollback-environment.ts'
import { DRY_RUN, remote } from './session.ts'

interface Options extends EverywhereOptions {
  readonly point?: string
  readonly everywhere?: boolean
}

interface Preview {
  readonly from: string | null
  readonly to: string
  readonly takenAt: string
  readonly dumps: readonly string[]
  readonly schemaRefusal: string | null
}

type Answer = RollbackAnswer & { readonly preview: Preview }

export function addRollback(program: Command): void {
  const command = program
    .command('rollback')
    .description('have a node, or all of an environment, go back; --dry-run shows what would be')
    .argument('<node>', 'with --everywhere left out: only the app is named')
    .argument('[app]')
    .option('--everywhere', 'all nodes of an environment, which also holds and masks what they leave')
    .option('--environment <environment>', 'with --everywhere: whose nodes')
    .option('--to <build>', 'with --everywhere: the build to go back to', parseNumber)
    .option('-r, --reason <text>', 'with --everywhere: why; whoever runs what is masked reads it')
    .option('--and-newer', 'with --everywhere: hold and mask what comes after it too')
    .option('-y, --yes', 'with --everywhere: do not ask')
    .option('--point <id>', 'a restore point; the newest complete one unless told otherwise')
    .option('--with-dump', 'load its dump too: what was written since is lost')
    .option('--force', 'although the schema of the installed build forbids it')
    .option(...DRY_RUN)
  remote<Options>(
    command,
    `portage-hub rollback web1 shop
portage-hub rollback shop --everywhere --environment production --to 45 --reason 'charges twice'`,
    async (session, options, node = '', app = '') => {
      if (options.everywhere === true) {
        if (app !== '' || options.point !== undefined)
          throw wrongUsage('--everywhere takes an app and no node: every node has a point of its own')
        await rollBackEverywhere(session, node, options)
        return
      }
      if (app === '') throw wrongUsage('name a node and an app, or an app and --everywhere')
      const { point: restorePoint, withDump, force, dryRun } = options
      const wish = { node, app, ...(restorePoint !== undefined && { restorePoint }), withDump, force }
      const { body } = await session.client.change<Answer>('POST', apiPath('rollbacks'), { dryRun }, wish)
      session.show(body, answerText(body, dryRun === true))
    },
  )
}

function answerText({ id, node, app, restorePoint, withDump, preview }: Answer, dryRun: boolean): string {
  const dumps = preview.dumps.length === 0 ? 'none' : preview.dumps.join(', ')
  const known = facts([
    ['from', preview.from ?? 'what the node never reported'],
    ['to', preview.to],
    ['restore point', `${restorePoint}, taken ${timeText(preview.takenAt)} UTC`],
    ['dump', withDump ? `${dumps}; loaded, what was written since is lost` : `${dumps}; left alone`],
    ['breaks', preview.schemaRefusal],
  ])
  const head = dryRun
    ? `${node} would go back with ${app}:`
    : `${node} goes back with ${app} at its next contact (${id}):`
  return `${head}\n${known}`
}
