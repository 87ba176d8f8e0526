import type { Command } from 'commander'
import type { TokenAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { remote } from './session.ts'
import { scopeText } from './token.ts'

export function addWhoami(program: Command): void {
  const command = program.command('whoami').description('say whose token this is and what it may do')
  remote(command, 'portage-hub whoami', async ({ client, show }) => {
    type Answer = Pick<TokenAnswer, 'id' | 'name' | 'role' | 'apps' | 'environments' | 'node'>
    const answer = await client.get<Answer>(apiPath('whoami'))
    show(answer, `${answer.name}: ${scopeText(answer)} (${answer.id})`)
  })
}
