/** The hub's signing keys. */
import type { Command } from 'commander'
import type { KeyAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import type { Page } from './client.ts'
import { timeText } from './format.ts'
import { showPage } from './lists.ts'
import { remote } from './session.ts'

export function addKey(program: Command): void {
  const key = program.command('key').description('list, rotate and revoke the keys that sign')
  addList(key)
}

function addList(key: Command): void {
  const command = key.command('list').alias('ls').description('list the keys that sign, and who signs when')
  remote<object>(command, 'portage-hub key list', async (session) => {
    const page = await session.client.get<Page<KeyAnswer>>(apiPath('keys'))
    showPage(
      session,
      page,
      [
        { title: 'FINGERPRINT', value: ({ fingerprint }) => fingerprint },
        { title: 'FOR', value: ({ purpose }) => purpose },
        { title: 'STATE', value: ({ state }) => state },
        { title: 'SIGNS FROM (UTC)', value: ({ signsFrom }) => timeText(signsFrom) },
        { title: 'UNTIL (UTC)', value: endText },
      ],
      'No keys.',
    )
  })
}

function endText({ revokedAt, expiresAt }: KeyAnswer): string {
  return revokedAt === null ? timeText(expiresAt) : `revoked ${timeText(revokedAt)}`
}
