import type { Command } from 'commander'
import type { EnvironmentAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import type { Page } from './client.ts'
import { table } from './format.ts'
import { remote } from './session.ts'

export function addEnvironments(program: Command): void {
  const command = program
    .command('environments')
    .description('list the environments, in the order of promotion')
  remote(command, 'portage-hub environments', async ({ client, terminal, show }) => {
    const page = await client.get<Page<EnvironmentAnswer>>(apiPath('environments'))
    const text = table(
      [
        { title: 'NAME', value: ({ name }) => name },
        {
          title: 'TAKES',
          value: ({ policy }) => (policy.promote === 'automatic' ? 'every upload' : 'what is promoted'),
        },
        { title: 'REVISION', value: ({ overlay }) => overlay.revision },
        { title: 'COMMIT', value: ({ overlay }) => overlay.commit?.slice(0, 10) ?? null },
        { title: 'OVERLAY', value: ({ overlay }) => overlay.gitUrl, cut: true },
      ],
      page.items,
      terminal.columns,
    )
    show(page, page.items.length === 0 ? '' : text)
    if (page.items.length === 0) terminal.note('This token may read no environment.')
  })
}
