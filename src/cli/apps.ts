import type { Command } from 'commander'
import type { AppAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { showPage, withLimit } from './lists.ts'
import type { ListOptions } from './lists.ts'
import { remote } from './session.ts'

interface Options extends ListOptions {
  readonly search?: string
}

export function addApps(program: Command): void {
  const command = program
    .command('apps')
    .description('list the apps that have builds')
    .option('-s, --search <text>', 'only those whose name contains it')
  remote<Options>(withLimit(command), 'portage-hub apps --search shop', async (session, options) => {
    const page = await session.client.list<AppAnswer>(apiPath('apps'), { q: options.search }, options.limit)
    showPage(
      session,
      page,
      [
        { title: 'APP', value: ({ name }) => name },
        { title: 'PACKAGE', value: (app) => app.package },
        { title: 'LAST BUILD', value: ({ lastBuild }) => lastBuild },
        { title: 'DESCRIPTION', value: ({ description }) => description, cut: true },
      ],
      'No apps yet: "portage-hub push" makes one with its first build.',
    )
  })
}
