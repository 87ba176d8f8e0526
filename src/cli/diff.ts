/** What a build has otherwise than another. */
import type { Command } from 'commander'
import type { BuildDiff, FileChange } from '../http/openapi/diffs.ts'
import { apiPath, encodePath } from './api-path.ts'
import { EXIT } from './exit-status.ts'
import { countText, facts, harmless, sizeText, table } from './format.ts'
import { remote } from './session.ts'
import type { Session } from './session.ts'

interface Options {
  readonly file?: string
  readonly recipe?: true
  readonly ebuild?: true
}

export function addDiff(program: Command): void {
  const command = program
    .command('diff')
    .description('show what a build has otherwise than another of its app')
    .argument('<app>')
    .argument('<build>', 'the number of the build that is looked at')
    .argument('<other>', 'the number of the one that it is compared with: the older one, as a rule')
    .option('--file <path>', 'print how one text file differs, by its path inside the top folder')
    .option('--recipe', 'print how the recipes differ')
    .option('--ebuild', 'print how the ebuilds differ')
  const example = 'portage-hub diff shop 46 45\nportage-hub diff shop 46 45 --file conf/shop.toml'
  remote<Options>(command, example, async (session, options, app = '', build = '', other = '') => {
    const path = apiPath('apps', app, 'builds', build, 'diff', other)
    if (options.file !== undefined) await showFile(session, `${path}/files/${encodePath(options.file)}`)
    else if (options.recipe === true) await showPart(session, path, 'recipe')
    else if (options.ebuild === true) await showPart(session, path, 'ebuild')
    else await showDiff(session, path)
    return EXIT.done
  })
}

async function showFile(session: Session, path: string): Promise<void> {
  showText(session, await session.client.text(path))
}

async function showPart(session: Session, path: string, part: 'recipe' | 'ebuild'): Promise<void> {
  showText(session, (await session.client.get<BuildDiff>(path))[part])
}

/** A terminal obeys control characters, and these lines are somebody else's. */
function showText({ terminal, show }: Session, text: string): void {
  show({ text }, terminal.columns === Infinity ? text : harmless(text))
  if (text === '') terminal.note('No difference.')
}

async function showDiff({ client, terminal, show }: Session, path: string): Promise<void> {
  const found = await client.get<BuildDiff>(path)
  const changes = await client.list<FileChange>(`${path}/files`, {}, Infinity, 10_000)
  const { from, to, files, dependencies, checks } = found
  const { runtime, build } = dependencies
  const lines = [
    `${to.app} build ${String(to.build)}, compared with build ${String(from.build)}`,
    facts([
      ['version', changed(from.version ?? 'none', to.version ?? 'none')],
      ['commit', changed(from.commit ?? 'none', to.commit ?? 'none')],
      ['branch', changed(from.branch ?? 'none', to.branch ?? 'none')],
      ['tarball', changed(sizeText(from.tarball.sizeBytes), sizeText(to.tarball.sizeBytes))],
      [
        'files',
        `${String(files.added)} added, ${String(files.removed)} removed, ${String(files.changed)} changed, ${String(files.unchanged)} the same`,
      ],
      ['depends', dependsText([runtime, build]) ?? 'on the same'],
      ['recipe', found.recipe === '' ? 'the same' : 'changed: see --recipe'],
      ['ebuild', found.ebuild === '' ? 'the same' : 'changed: see --ebuild'],
      ...checks.map(
        (check) =>
          [
            check.stage,
            `${check.name}: ${changed(check.from ?? 'not reported', check.to ?? 'not reported')}`,
          ] as const,
      ),
    ]),
  ]
  const rows = table(
    [
      { title: 'WHAT', value: ({ change }) => change },
      { title: 'DIFFERS', value: ({ differs }) => differs.join(', ') },
      { title: 'BYTES', value: ({ from: before, to: after }) => (after ?? before)?.sizeBytes ?? 0 },
      { title: 'PATH', value: (change) => change.path },
    ],
    changes.items,
    terminal.columns,
  )
  show(
    { ...found, changes: changes.items },
    changes.items.length === 0 ? lines.join('\n') : `${lines.join('\n')}\n\n${rows}`,
  )
  if (changes.items.length === 0)
    terminal.note(`Every file is the same: ${countText(files.unchanged, 'entry', 'entries')}.`)
}

function changed(from: string, to: string): string {
  return from === to ? to : `${from} -> ${to}`
}

function dependsText(lists: readonly BuildDiff['dependencies']['runtime'][]): string | null {
  const added = lists.flatMap((list) => list.added.map((atom) => `+${atom}`))
  const removed = lists.flatMap((list) => list.removed.map((atom) => `-${atom}`))
  return [...removed, ...added].join(' ') || null
}
