/** Holds: what nobody promotes until somebody lifts the hold. */
import { Option } from 'commander'
import type { Command } from 'commander'
import type { HoldAnswer, PublishedAnswer } from './answers.ts'
import { changeLines } from './answers.ts'
import { apiPath } from './api-path.ts'
import { wrongUsage } from './failure.ts'
import { timeText } from './format.ts'
import { parseNumber, showPage, withLimit } from './lists.ts'
import type { ListOptions } from './lists.ts'
import { DRY_RUN, remote } from './session.ts'

interface SetOptions {
  readonly environment?: string
  readonly allEnvironments?: boolean
  readonly reason: string
  readonly andNewer?: boolean
  readonly mask?: boolean
  readonly dryRun?: boolean
}

interface ListHoldsOptions extends ListOptions {
  readonly app?: string
  readonly environment?: string
  readonly state: string
}

type Answer = Omit<HoldAnswer, 'id'> & {
  readonly id: string | null
  readonly published: PublishedAnswer | null
}

export function addHold(program: Command): void {
  const hold = program
    .command('hold')
    .description('stop promotions of an app or a build until the hold is lifted')
  addSet(hold)
  addList(hold)
  addLift(hold)
}

function addSet(hold: Command): void {
  const command = hold
    .command('set')
    .description('hold an app, or one build of it: nothing promotes it, neither policy nor person')
    .argument('<app>')
    .argument('[build]', 'its number (default: every build of the app)', parseNumber)
    .option('--environment <environment>', 'in this environment')
    .option('--all-environments', 'in every one')
    .option('--and-newer', 'builds whose version is newer too')
    .option('--mask', 'mask it in the overlay too, where it is released: nodes go to what remains')
    .requiredOption('-r, --reason <text>', 'why; whoever wants to promote it reads it')
    .option(...DRY_RUN)
  const example = `portage-hub hold set shop 46 --environment production --reason 'charges twice, see #812'`
  remote<SetOptions>(command, example, async ({ client, show }, options, app = '', build = '') => {
    const { environment, allEnvironments = false, reason, andNewer, mask, dryRun } = options
    if ((environment === undefined) !== allEnvironments)
      throw wrongUsage('say where: either --environment with a name, or --all-environments')
    const path = environment === undefined ? apiPath('holds') : apiPath('environments', environment, 'holds')
    const wanted = { app, build: build === '' ? null : Number(build), newer: andNewer, mask, reason }
    const { body } = await client.change<Answer>('POST', path, { dryRun }, wanted)
    show(body, answerText(body, dryRun === true ? 'would be held' : 'is held', dryRun === true))
  })
}

function addList(hold: Command): void {
  const command = hold
    .command('list', { isDefault: true })
    .alias('ls')
    .description('list the holds that bind now')
    .option('--app <app>', 'of this app only')
    .option('--environment <environment>', 'that bind in this environment')
    .addOption(
      new Option('--state <state>', 'which to list').choices(['held', 'lifted', 'all']).default('held'),
    )
  const example = 'portage-hub hold list --environment production'
  remote<ListHoldsOptions>(withLimit(command), example, async (session, options) => {
    const { app, environment, state, limit } = options
    const page = await session.client.list<HoldAnswer>(apiPath('holds'), { app, environment, state }, limit)
    showPage(
      session,
      page,
      [
        { title: 'ID', value: ({ id }) => id },
        { title: 'HELD', value: whatText },
        { title: 'IN', value: whereText },
        { title: 'MASKED', value: ({ mask }) => (mask ? 'yes' : '') },
        { title: 'BY', value: ({ heldBy }) => heldBy },
        { title: 'SINCE (UTC)', value: ({ heldAt }) => timeText(heldAt) },
        { title: 'LIFTED (UTC)', value: ({ liftedAt }) => (liftedAt === null ? '' : timeText(liftedAt)) },
        { title: 'REASON', value: ({ reason }) => reason, cut: true },
      ],
      'No holds.',
    )
  })
}

function addLift(hold: Command): void {
  const command = hold
    .command('lift')
    .description('lift a hold; what it masked is to be had again')
    .argument('<id>', 'as "hold list" shows it')
    .requiredOption('-r, --reason <text>', 'why it may be promoted again')
    .option(...DRY_RUN)
  const example = `portage-hub hold lift hld_01m83m3xnnpm5ygmp4gm6j --reason 'mended by build 47'`
  remote<{ readonly reason: string; readonly dryRun?: boolean }>(
    command,
    example,
    async ({ client, show }, { reason, dryRun }, id = '') => {
      const { body } = await client.change<Answer>(
        'POST',
        apiPath('holds', id, 'lift'),
        { dryRun },
        { reason },
      )
      show(
        body,
        answerText(body, dryRun === true ? 'would be held no more' : 'is held no more', dryRun === true),
      )
    },
  )
}

function whatText({ app, build, newer }: Pick<HoldAnswer, 'app' | 'build' | 'newer'>): string {
  return build === null ? app : `${app} build ${String(build)}${newer ? ' and newer' : ''}`
}

function whereText({ environment }: Pick<HoldAnswer, 'environment'>): string {
  return environment ?? 'all environments'
}

function answerText(answer: Answer, what: string, dryRun: boolean): string {
  const { id, published } = answer
  const head = `${whatText(answer)} ${what} in ${whereText(answer)}${id === null ? '' : ` (${id})`}`
  if (published === null) return `${head}.`
  if (dryRun)
    return [`${head}, revision ${String(published.revision)}:`, ...changeLines(published)].join('\n')
  return `${head}: revision ${String(published.revision)} of its overlay.`
}
