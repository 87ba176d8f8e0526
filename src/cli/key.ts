/** The hub's signing keys. */
import { Argument, Option } from 'commander'
import type { Command } from 'commander'
import type { KeyAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import type { Page } from './client.ts'
import { countText, timeText } from './format.ts'
import { showPage } from './lists.ts'
import { DRY_RUN, remote } from './session.ts'

export function addKey(program: Command): void {
  const key = program.command('key').description('list, rotate and revoke the keys that sign')
  addList(key)
  addRotate(key)
  addRevoke(key)
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
        { title: 'SIGNED', value: signedText },
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

interface RevokeOptions {
  readonly reason: string
  readonly note?: string
  readonly dryRun?: boolean
}

function addRevoke(key: Command): void {
  const command = key
    .command('revoke')
    .description('have nobody believe a key any more, for good; what it signed is signed again')
    .argument('<fingerprint>', 'as "key list" shows it')
    .addOption(
      new Option('--reason <reason>', 'why, as the certificate tells everybody')
        .choices(['compromised', 'superseded', 'retired'])
        .makeOptionMandatory(),
    )
    .option('--note <text>', 'more of it, which everybody can read too')
    .option(...DRY_RUN)
  const example =
    'portage-hub key revoke E881B0CF67E8FEE158A8F1E1D3723BF03ECAF133 --reason compromised --note "stolen backup"'
  remote<RevokeOptions>(command, example, async ({ client, show }, options, fingerprint = '') => {
    const { reason, note, dryRun } = options
    const path = apiPath('keys', fingerprint, 'revoke')
    const wanted = { reason, ...(note !== undefined && { note }) }
    const { body } = await client.change<KeyAnswer>('POST', path, { dryRun }, wanted)
    const packages = countText(body.signed.packages, 'package')
    const rest =
      body.signed.packages === 0 ? '' : ` ${packages} of it will be signed again within the next minutes.`
    show(
      body,
      dryRun === true
        ? `${body.fingerprint} would be revoked.`
        : `${body.fingerprint} is revoked since ${timeText(body.revokedAt)} UTC.${rest}`,
    )
  })
}

function endText({ revokedAt, retiredAt, expiresAt }: KeyAnswer): string {
  if (revokedAt !== null) return `revoked ${timeText(revokedAt)}`
  return retiredAt === null ? timeText(expiresAt) : `retired ${timeText(retiredAt)}`
}

/** What nodes still get of it. */
function signedText({ purpose, signed }: KeyAnswer): string {
  return purpose === 'binhost' ? countText(signed.packages, 'package') : signed.overlays.join(' ')
}
