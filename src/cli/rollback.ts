/** Asks a node to go back to a restore point; it does so at its next contact. */
import type { Command } from 'commander'
import type { RollbackAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { facts, timeText } from './format.ts'
import { DRY_RUN, remote } from './session.ts'

interface Options {
  readonly point?: string
  readonly withDump?: boolean
  readonly force?: boolean
  readonly dryRun?: boolean
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
    .description('have a node go back to a restore point; --dry-run shows what would be')
    .argument('<node>')
    .argument('<app>')
    .option('--point <id>', 'a restore point; the newest complete one unless told otherwise')
    .option('--with-dump', 'load its dump too: what was written since is lost')
    .option('--force', 'although the schema of the installed build forbids it')
    .option(...DRY_RUN)
  remote<Options>(
    command,
    'portage-hub rollback web1 shop',
    async (session, options, node = '', app = '') => {
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
