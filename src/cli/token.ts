/** Tokens: made once, shown once. */
import { Option } from 'commander'
import type { Command } from 'commander'
import { presentName, ROLES } from '../access/rights.ts'
import type { TokenAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { wrongUsage } from './failure.ts'
import { facts, timeText } from './format.ts'
import { showPage, withLimit } from './lists.ts'
import type { ListOptions } from './lists.ts'
import { DRY_RUN, remote } from './session.ts'

interface CreateOptions {
  readonly name?: string
  readonly role: string
  readonly app?: readonly string[]
  readonly environment?: readonly string[]
  readonly node?: string
  readonly commands: boolean
  readonly expiresIn?: string
  readonly quiet?: boolean
  readonly dryRun?: boolean
}

type CreateAnswer = Partial<TokenAnswer> & { readonly token?: string }

export function addToken(program: Command): void {
  const token = program.command('token').description('make, list and revoke tokens')
  addCreate(token)
  addList(token)
  addRevoke(token)
}

function addCreate(token: Command): void {
  const command = token
    .command('create')
    .description('make a token; it is shown this once')
    .option('-n, --name <name>', 'what records and commits say of who uses it')
    .addOption(roleOption())
    .option('--app <app...>', 'developer, release-manager, approver, reader: only these apps (default: all)')
    .option(
      '--environment <environment...>',
      'release-manager, approver, reader, node: only these (default: all); enrol: the one',
    )
    .option('--node <node>', 'enrol: this node and no other')
    .option('--no-commands', 'uploads with it bring no commands and no ebuild of their own')
    .option('--expires-in <time>', 'such as 12h or 90d (default: it does not end)')
    .option('-q, --quiet', 'print the token and nothing else')
    .option(...DRY_RUN)
  const example = `portage-hub token create --role developer --name 'CI of shop' --app shop --expires-in 90d
portage-hub token create --role enrol --environment staging --expires-in 1h`
  remote<CreateOptions>(command, example, async (session, options) => {
    const name = nameOf(options)
    const wanted = {
      name,
      role: options.role,
      ...(!options.commands && { commands: false }),
      ...(options.app && { apps: options.app }),
      ...(options.environment && { environments: options.environment }),
      ...(options.node !== undefined && { node: options.node }),
      ...(options.expiresIn !== undefined && { expiresIn: options.expiresIn }),
    }
    const query = { dryRun: options.dryRun }
    const { body } = await session.client.change<CreateAnswer>('POST', apiPath('tokens'), query, wanted)
    if (options.dryRun === true) session.show(body, `A ${options.role} token "${name}" would be made.`)
    else session.show(body, options.quiet === true ? (body.token ?? '') : createdText(body))
  })
}

/** The names that roles had before are taken as well, and not told of. */
function roleOption(): Option {
  const option = new Option('-r, --role <role>', 'what it may do').choices(ROLES).makeOptionMandatory()
  const parse = option.parseArg
  return option.argParser((value: string, previous: unknown) => parse?.(presentName(value), previous))
}

/** A token that is used once, by a machine that gets its own, needs no name of who uses it. */
function nameOf({ name, role, environment = [], node }: CreateOptions): string {
  if (role === 'enrol' && environment.length !== 1)
    throw wrongUsage('an enrol token is for one environment: give --environment once, with one name')
  if (name !== undefined) return name
  if (role !== 'enrol') throw wrongUsage("required option '-n, --name <name>' not specified")
  return `enrol ${node ?? 'a node'} in ${environment.join(' ')}`.slice(0, 64)
}

function createdText(made: CreateAnswer): string {
  return [
    made.token ?? '',
    '',
    'The token above is shown this once; the hub keeps only its digest.',
    facts([
      ['id', made.id ?? null],
      ['name', made.name ?? null],
      ['may', scopeText(made)],
      ['until', made.expiresAt === null ? 'it is revoked' : `${timeText(made.expiresAt ?? null)} UTC`],
    ]),
  ].join('\n')
}

function addList(token: Command): void {
  const command = token.command('list').alias('ls').description('list the tokens, without their secrets')
  remote<ListOptions>(withLimit(command), 'portage-hub token list', async (session, options) => {
    const page = await session.client.list<TokenAnswer>(apiPath('tokens'), {}, options.limit)
    showPage(
      session,
      page,
      [
        { title: 'ID', value: ({ id }) => id },
        { title: 'NAME', value: ({ name }) => name, cut: true },
        { title: 'MAY', value: scopeText },
        { title: 'UNTIL (UTC)', value: endText },
      ],
      'No tokens.',
    )
  })
}

function addRevoke(token: Command): void {
  const command = token
    .command('revoke')
    .description('end a token now')
    .argument('<id>', 'as "token list" shows it')
    .option(...DRY_RUN)
  const example = 'portage-hub token revoke tok_06cc7z9g00jf0t4m2v8k1qxw'
  remote<{ readonly dryRun?: boolean }>(command, example, async ({ client, show }, options, id = '') => {
    const query = { dryRun: options.dryRun }
    const { body } = await client.change<Partial<TokenAnswer>>('DELETE', apiPath('tokens', id), query)
    const what = body.name === undefined ? id : `${id} (${body.name})`
    show(body, options.dryRun === true ? `${what} would be revoked.` : `${what} is revoked.`)
  })
}

/** `developer of shop cart, no commands`, `node in production`, `reader`. */
export function scopeText(
  token: Partial<Pick<TokenAnswer, 'role' | 'apps' | 'environments' | 'node' | 'commands'>>,
): string {
  const apps = Array.isArray(token.apps) ? ` of ${token.apps.join(' ')}` : ''
  const environments = Array.isArray(token.environments) ? ` in ${token.environments.join(' ')}` : ''
  const node = typeof token.node === 'string' ? ` ${token.node}` : ''
  const limit = token.commands === false && token.role === 'developer' ? ', no commands' : ''
  return `${token.role ?? ''}${node}${apps}${environments}${limit}`
}

function endText({ revokedAt, expiresAt }: TokenAnswer): string {
  return revokedAt === null ? timeText(expiresAt) : `revoked ${timeText(revokedAt)}`
}
