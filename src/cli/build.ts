/** One build: its facts, what is in its tarball, and the ebuild that it became. */
import type { Command } from 'commander'
import type { entryJson } from '../http/representations.ts'
import type { BuildAnswer } from './answers.ts'
import { apiPath, encodePath } from './api-path.ts'
import { EXIT } from './exit-status.ts'
import { countText, facts, harmless, sizeText, table, timeText } from './format.ts'
import { remote } from './session.ts'
import type { Session } from './session.ts'

interface Options {
  readonly files?: true | string
  readonly file?: string
  readonly ebuild?: true
}

type EntryAnswer = ReturnType<typeof entryJson>

const TYPE_SIGNS = { file: '-', directory: 'd', symlink: 'l', hardlink: 'h' } as const

export function addBuild(program: Command): void {
  const command = program
    .command('build')
    .description('show one build, the files in it, or its ebuild')
    .argument('<app>')
    .argument('<build>', 'its number')
    .option('--files [prefix]', 'list what is in the tarball, or what begins with the prefix')
    .option('--file <path>', 'print one text file of the tarball')
    .option('--ebuild', 'print the ebuild that the build became')
  const example = 'portage-hub build shop 45\nportage-hub build shop 45 --file shop-1.0/portage-hub.yaml'
  remote<Options>(command, example, async (session, options, app = '', build = '') => {
    const path = apiPath('apps', app, 'builds', build)
    if (options.ebuild === true) await showText(session, `${path}/ebuild`)
    else if (options.file !== undefined) await showText(session, `${path}/files/${encodePath(options.file)}`)
    else if (options.files !== undefined) await showFiles(session, path, options.files)
    else await showBuild(session, path)
    return EXIT.done
  })
}

async function showText({ client, terminal, show }: Session, path: string): Promise<void> {
  const text = await client.text(path)
  // A terminal obeys control characters, and these bytes are somebody else's.
  show({ text }, terminal.columns === Infinity ? text : harmless(text))
}

async function showFiles(session: Session, path: string, prefix: true | string): Promise<void> {
  const query = prefix === true ? {} : { prefix }
  const page = await session.client.list<EntryAnswer>(`${path}/files`, query, Infinity, 10_000)
  const rows = table(
    [
      { title: 'MODE', value: ({ type, mode }) => TYPE_SIGNS[type] + mode },
      { title: 'BYTES', value: ({ sizeBytes }) => sizeBytes },
      {
        title: 'PATH',
        value: (entry) => entry.path + (entry.target === undefined ? '' : ` -> ${entry.target}`),
      },
    ],
    page.items,
    Infinity,
  )
  session.show(page, page.items.length === 0 ? '' : rows)
  if (page.items.length === 0) session.terminal.note('No such files in the tarball.')
}

async function showBuild({ client, show }: Session, path: string): Promise<void> {
  const build = await client.get<BuildAnswer>(path)
  const { tarball, contents, releases } = build
  const lines = [
    `${build.app} build ${String(build.build)}`,
    facts([
      ['version', build.version],
      ['package', build.cpv],
      ['tarball', `${tarball.name}, ${sizeText(tarball.sizeBytes)}`],
      [
        'contents',
        `${countText(contents.entryCount, 'file or folder', 'files and folders')}, ${sizeText(contents.unpackedBytes)}`,
      ],
      ['recipe', RECIPES[build.recipeSource] ?? build.recipeSource],
      ['commit', build.commit],
      ['branch', build.branch],
      ['job', build.ciUrl],
      ['received', `${timeText(build.receivedAt)} UTC from ${build.uploadedBy}`],
      ...releases.map(
        ({ environment, state, revision }) =>
          [
            environment,
            `${state === 'released' ? 'released in' : 'withdrawn; was'} revision ${String(revision)}`,
          ] as const,
      ),
      ...(releases.length === 0 ? [['released', 'nowhere yet'] as const] : []),
      ['yanked', markText(build.yanked)],
      ['pinned', markText(build.pinned)],
    ]),
    // A digest is longer than a line, and is there to be compared and copied.
    ...(['sha512', 'blake2b', 'sha256'] as const).map((name) => `  ${name}\n    ${tarball[name]}`),
  ]
  show(build, lines.join('\n'))
}

function markText(mark: BuildAnswer['pinned']): string | null {
  return mark && `by ${mark.by} at ${timeText(mark.at)} UTC: ${mark.reason}`
}

const RECIPES: Readonly<Record<string, string>> = {
  upload: 'sent with the upload',
  tarball: 'portage-hub.yaml of the tarball',
  app: "the app's default recipe",
  default: 'none: the tree is installed as it is',
  template: 'none: a whole ebuild was sent',
}
