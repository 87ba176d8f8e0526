/** People: accounts, what they may do, links to sign in, and the end of their sessions. */
import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import type { PersonAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { timeText } from './format.ts'
import { showPage, withLimit } from './lists.ts'
import type { ListOptions } from './lists.ts'
import { DRY_RUN, remote } from './session.ts'
import { scopeText } from './token.ts'

interface DryRun {
  readonly dryRun?: boolean
}

interface Grant {
  readonly role: string
  readonly apps?: readonly string[]
  readonly environments?: readonly string[]
}

export function addPeople(program: Command): void {
  const people = program.command('people').description('who signs in with a browser, and what they may do')
  addList(people)
  addAdd(people)
  addLink(people)
  addGrant(people)
  for (const disabled of [true, false]) addSwitch(people, disabled)
  addSignOut(people)
}

function addList(people: Command): void {
  const command = people.command('list').alias('ls').description('list the people who have an account')
  remote<ListOptions>(withLimit(command), 'portage-hub people list', async (session, { limit }) => {
    const page = await session.client.list<PersonAnswer>(apiPath('people'), {}, limit)
    showPage(
      session,
      page,
      [
        { title: 'NAME', value: ({ name }) => name },
        { title: 'STATE', value: ({ state }) => state },
        { title: 'SIGNED IN (UTC)', value: ({ signedInAt }) => timeText(signedInAt) },
        { title: 'MAY', value: grantsText, cut: true },
      ],
      'Nobody.',
    )
  })
}

function addAdd(people: Command): void {
  const command = withGrants(people.command('add'))
    .description('add somebody; "people link" then gives them a way in')
    .argument('<name>', 'with which they sign in: lower-case letters, digits and . _ @ + -')
    .option('--full-name <name>', 'for people to read')
    .option(...DRY_RUN)
  type Options = DryRun & { readonly fullName?: string; readonly grant?: readonly Grant[] }
  const example = "portage-hub people add anna --full-name 'Anna Berg' --grant developer:apps=shop"
  remote<Options>(command, example, async ({ client, show }, { fullName, grant, dryRun }, name = '') => {
    const wanted = { name, ...(fullName !== undefined && { fullName }), ...(grant && { grants: grant }) }
    const { body } = await client.change<PersonAnswer>('POST', apiPath('people'), { dryRun }, wanted)
    const done = dryRun === true ? 'would be added' : 'is added'
    show(body, `${name} ${done}: ${grantsText(body)}.`)
  })
}

function addLink(people: Command): void {
  const command = people
    .command('link')
    .description('make a link by which somebody signs in once, and may set a password; it is shown this once')
    .argument('<name>')
    .option('--expires-in <time>', 'such as 12h; 7d at most (default: 24h)')
    .option('-q, --quiet', 'print the link and nothing else')
    .option(...DRY_RUN)
  type Options = DryRun & { readonly expiresIn?: string; readonly quiet?: boolean }
  type Answer = { readonly expiresAt: string; readonly link?: string | null }
  remote<Options>(command, 'portage-hub people link anna', async ({ client, show }, options, name = '') => {
    const { expiresIn, quiet, dryRun } = options
    const path = apiPath('people', name, 'link')
    const { body } = await client.change<Answer>(
      'POST',
      path,
      { dryRun },
      { ...(expiresIn !== undefined && { expiresIn }) },
    )
    const until = `${timeText(body.expiresAt)} UTC`
    if (dryRun === true) show(body, `${name} would get a link that is good until ${until}.`)
    else if (quiet === true) show(body, body.link ?? '')
    else
      show(
        body,
        `${body.link ?? ''}\n\n${name} signs in with it once, until ${until}; earlier links have ended.`,
      )
  })
}

function addGrant(people: Command): void {
  const command = withGrants(people.command('grant'))
    .description('say all that somebody may do; without --grant, nothing')
    .argument('<name>')
    .option(...DRY_RUN)
  type Options = DryRun & { readonly grant?: readonly Grant[] }
  const example = 'portage-hub people grant anna --grant release-manager:apps=shop:environments=staging'
  remote<Options>(command, example, async ({ client, show }, { grant = [], dryRun }, name = '') => {
    const path = apiPath('people', name)
    const { body } = await client.change<PersonAnswer>('PATCH', path, { dryRun }, { grants: grant })
    show(body, `${name} ${dryRun === true ? 'would be' : 'is'}: ${grantsText(body)}.`)
  })
}

function addSwitch(people: Command, disabled: boolean): void {
  const [verb, done] = disabled ? ['disable', 'disabled and signed out'] : ['enable', 'enabled']
  const command = people
    .command(verb)
    .description(disabled ? 'keep somebody out, and end their sessions' : 'let somebody in again')
    .argument('<name>')
    .option(...DRY_RUN)
  remote<DryRun>(
    command,
    `portage-hub people ${verb} anna`,
    async ({ client, show }, { dryRun }, name = '') => {
      const { body } = await client.change('PATCH', apiPath('people', name), { dryRun }, { disabled })
      show(body, `${name} ${dryRun === true ? 'would be' : 'is'} ${done}.`)
    },
  )
}

function addSignOut(people: Command): void {
  const command = people
    .command('sign-out')
    .description('end all sessions of somebody')
    .argument('<name>')
    .option(...DRY_RUN)
  remote<DryRun>(
    command,
    'portage-hub people sign-out anna',
    async ({ client, show }, { dryRun }, name = '') => {
      const path = apiPath('people', name, 'sign-out')
      const { body } = await client.change<{ readonly ended: number }>('POST', path, { dryRun })
      show(body, `${String(body.ended)} sessions of ${name} ${dryRun === true ? 'would be' : 'were'} ended.`)
    },
  )
}

function withGrants(command: Command): Command {
  const text =
    'a role, and where it holds: <role>[:apps=<a>,<b>][:environments=<c>,<d>]; may be given more than once'
  const more = (given: string, before: readonly Grant[] | undefined): readonly Grant[] => [
    ...(before ?? []),
    parseGrant(given),
  ]
  command.option('--grant <grant>', text, more)
  return command
}

function parseGrant(text: string): Grant {
  const [role = '', ...bounds] = text.split(':')
  const parsed = bounds.map((bound) => /^(apps|environments)=(.+)$/.exec(bound))
  if (role === '' || parsed.includes(null))
    throw new InvalidArgumentError('It has the form release-manager:apps=shop,cart:environments=staging.')
  const bounded = parsed.map((match) => [match?.[1] ?? '', match?.[2]?.split(',') ?? []] as const)
  return { role, ...(Object.fromEntries(bounded) as Omit<Grant, 'role'>) }
}

function grantsText({ grants }: Pick<PersonAnswer, 'grants'>): string {
  return grants.map(scopeText).join('; ') || 'nothing'
}
