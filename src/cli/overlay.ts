/** An overlay's hand-kept files and its history. */
import type { Command } from 'commander'
import type { FileDiff } from '../overlays/diff-revision.ts'
import { unifiedDiff } from '../overlays/unified-diff.ts'
import { changeLines } from './answers.ts'
import type { PublishedAnswer, RevisionAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import type { Client, Page } from './client.ts'
import { harmless, timeText } from './format.ts'
import { parseNumber, showPage, withLimit } from './lists.ts'
import type { ListOptions } from './lists.ts'
import { readWhole } from './read-file.ts'
import { DRY_RUN, remote } from './session.ts'
import type { Session } from './session.ts'

interface ChangeOptions {
  readonly dryRun?: boolean
}

interface PutAnswer {
  readonly path: string
  readonly published: PublishedAnswer
}

const MASK = 'profiles/package.mask/site'

export function addOverlay(program: Command): void {
  const overlay = program.command('overlay').description("an overlay's hand-kept files and its history")
  addPut(overlay)
  addRemove(overlay)
  addList(overlay)
  addLog(overlay)
  addDiff(overlay)
}

function addPut(overlay: Command): void {
  const command = overlay
    .command('put')
    .description('put a hand-kept file (a profile, a mask, a licence, an ebuild) into an overlay')
    .argument('<environment>')
    .argument('<path>', 'where in the overlay')
    .argument('<file>', 'its content; "-" for standard input')
    .option(...DRY_RUN)
  const example = `portage-hub overlay put staging ${MASK} site.mask`
  remote<ChangeOptions>(
    command,
    example,
    async (session, options, environment = '', path = '', file = '') => {
      const content = await readWhole(file)
      const { body } = await session.client.change<PutAnswer>(
        'PUT',
        filePath(environment, path),
        { dryRun: options.dryRun },
        content,
      )
      session.show(body, changeText(environment, body, options))
    },
  )
}

function addRemove(overlay: Command): void {
  const command = overlay
    .command('rm')
    .description('take a hand-kept file away')
    .argument('<environment>')
    .argument('<path>')
    .option(...DRY_RUN)
  const example = `portage-hub overlay rm staging ${MASK}`
  remote<ChangeOptions>(command, example, async (session, options, environment = '', path = '') => {
    const { body } = await session.client.change<PutAnswer>('DELETE', filePath(environment, path), {
      dryRun: options.dryRun,
    })
    session.show(body, changeText(environment, body, options))
  })
}

function addList(overlay: Command): void {
  const command = overlay.command('ls').description('list the hand-kept files').argument('<environment>')
  remote(command, 'portage-hub overlay ls staging', async (session, _options, environment = '') => {
    const path = apiPath('environments', environment, 'files')
    const page = await session.client.get<Page<{ readonly path: string }>>(path)
    session.show(page, page.items.map((file) => file.path).join('\n'))
    if (page.items.length === 0) session.terminal.note(`${environment} has no hand-kept files.`)
  })
}

function addLog(overlay: Command): void {
  const command = overlay
    .command('log')
    .description('list the revisions, newest first')
    .argument('<environment>')
  const example = 'portage-hub overlay log production --limit 10'
  remote<ListOptions>(withLimit(command), example, async (session, options, environment = '') => {
    const page = await listRevisions(session.client, environment, options.limit)
    showPage(
      session,
      page,
      [
        { title: 'REV', value: ({ revision }) => revision },
        { title: 'PUBLISHED (UTC)', value: ({ publishedAt }) => timeText(publishedAt) },
        { title: 'COMMIT', value: ({ commit }) => commit.slice(0, 10) },
        { title: 'BY', value: ({ author }) => author },
        { title: 'CHANGE', value: ({ message }) => message.split('\n', 1)[0] ?? '', cut: true },
      ],
      `The overlay of ${environment} has no revision yet.`,
    )
  })
}

function addDiff(overlay: Command): void {
  const command = overlay
    .command('diff')
    .description('show what a revision changed')
    .argument('<environment>')
    .argument('[revision]', 'its number (default: the newest)', parseNumber)
  const example = 'portage-hub overlay diff production 12'
  remote(command, example, async (session, _options, environment = '', given?: string) => {
    const number = given ?? (await newest(session, environment))
    if (number === null) return
    const path = apiPath('environments', environment, 'revisions', number, 'diff')
    const answer = await session.client.get<RevisionAnswer & { readonly files: readonly FileDiff[] }>(path)
    session.show(answer, harmless(diffText(answer, answer.files)))
  })
}

async function newest({ client, terminal }: Session, environment: string): Promise<number | null> {
  const { items } = await listRevisions(client, environment, 1)
  if (!items[0]) terminal.note(`The overlay of ${environment} has no revision yet.`)
  return items[0]?.revision ?? null
}

async function listRevisions(
  client: Client,
  environment: string,
  limit: number,
): Promise<Page<RevisionAnswer>> {
  return await client.list<RevisionAnswer>(apiPath('environments', environment, 'revisions'), {}, limit)
}

/** In the form of `git show`, so that `patch` and pagers that colour diffs take it. */
function diffText(revision: RevisionAnswer, files: readonly FileDiff[]): string {
  const header = [
    `revision ${String(revision.revision)} of ${revision.environment}`,
    `commit ${revision.commit}`,
    `by ${revision.author}, ${timeText(revision.publishedAt)} UTC`,
    '',
    ...revision.message
      .trimEnd()
      .split('\n')
      .map((line) => (line === '' ? '' : `    ${line}`)),
    '',
  ]
  return header.join('\n') + '\n' + files.map(fileText).join('')
}

function fileText({ path, action, before, after }: FileDiff): string {
  const isBinary = (action !== 'add' && before === null) || (action !== 'remove' && after === null)
  return isBinary ? `${path}: ${action}; not text\n` : unifiedDiff(path, before, after)
}

function filePath(environment: string, path: string): string {
  return apiPath('environments', environment, 'files', ...path.split('/'))
}

function changeText(environment: string, { published }: PutAnswer, { dryRun }: ChangeOptions): string {
  const revision = String(published.revision)
  if (published.changes.length === 0) {
    return `Nothing changes: ${environment} has this very file, in revision ${revision}.`
  }
  const what =
    dryRun === true
      ? `Revision ${revision} of ${environment} would be:`
      : `Revision ${revision} of ${environment}:`
  return [what, ...changeLines(published)].join('\n')
}
