import type { Command } from 'commander'
import type { BuildAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { sizeText, timeText } from './format.ts'
import type { Column } from './format.ts'
import { showPage, withLimit } from './lists.ts'
import type { ListOptions } from './lists.ts'
import { remote } from './session.ts'

interface Options extends ListOptions {
  readonly search?: string
}

const COLUMNS: readonly Column<BuildAnswer>[] = [
  { title: 'APP', value: ({ app }) => app },
  { title: 'BUILD', value: ({ build }) => build },
  { title: 'VERSION', value: ({ version, pv }) => version ?? pv },
  { title: 'RELEASED IN', value: ({ releases }) => releasedIn(releases) },
  { title: 'SIZE', value: ({ tarball }) => sizeText(tarball.sizeBytes), right: true },
  { title: 'RECEIVED (UTC)', value: ({ receivedAt }) => timeText(receivedAt) },
  { title: 'COMMIT', value: ({ commit }) => commit?.slice(0, 10) ?? null },
  { title: 'BRANCH', value: ({ branch }) => branch, cut: true },
]

export function addBuilds(program: Command): void {
  const command = program
    .command('builds')
    .description('list archived builds, newest first')
    .argument('[app]', 'of this app only')
    .option('-s, --search <text>', 'only those whose app, version, commit or branch contains it')
  remote<Options>(
    withLimit(command),
    'portage-hub builds shop --limit 10',
    async (session, options, app?: string) => {
      const path = app === undefined ? apiPath('builds') : apiPath('apps', app, 'builds')
      const page = await session.client.list<BuildAnswer>(path, { q: options.search }, options.limit)
      showPage(session, page, COLUMNS, 'No builds.')
    },
  )
}

/** `staging production`; environments that it was withdrawn from stand in brackets. */
export function releasedIn(releases: BuildAnswer['releases']): string {
  const states = new Map(releases.map(({ environment, state }) => [environment, state]))
  return [...states].map(([name, state]) => (state === 'released' ? name : `(${name})`)).join(' ')
}
