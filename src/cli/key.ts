/** The hub's signing keys. */
import { Argument } from 'commander'
import type { Command } from 'commander'
import type { KeyAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import type { Page } from './client.ts'
import { timeText } from './format.ts'
import { showPage } from './lists.ts'
import { DRY_RUN, remote } from './session.ts'

export function addKey(program: Command): void {
  const key = program.command('key').description('list, rotate and revoke the keys that sign')
  addList(key)
  addRotate(key)
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

interface RotateOptions {
  readonly overlap?: string
  readonly expiresIn?: string
  readonly dryRun?: boolean
}

function addRotate(key: Command): void {
  const command = key
    .command('rotate')
    .description('make a new key, which signs when nodes have had the time to fetch it')
    .addArgument(new Argument('<purpose>', 'what it signs').choices(['overlay', 'binhost']))
    .option('--overlap <time>', 'how long the old one signs on, such as 12h (default: 7d)')
    .option('--expires-in <time>', 'such as 730d (default: it does not end)')
    .option(...DRY_RUN)
  const example = 'portage-hub key rotate overlay --overlap 14d'
  remote<RotateOptions>(command, example, async ({ client, show }, options, purpose = '') => {
    const { overlap, expiresIn, dryRun } = options
    const wanted = {
      purpose,
      ...(overlap !== undefined && { overlap }),
      ...(expiresIn !== undefined && { expiresIn }),
    }
    const { body } = await client.change<Partial<KeyAnswer>>('POST', apiPath('keys'), { dryRun }, wanted)
    const made = `${body.fingerprint ?? ''} is published, and signs from ${timeText(body.signsFrom ?? null)} UTC.`
    show(body, dryRun === true ? `A new ${purpose} key would be made.` : made)
  })
}

function endText({ revokedAt, expiresAt }: KeyAnswer): string {
  return revokedAt === null ? timeText(expiresAt) : `revoked ${timeText(revokedAt)}`
}
