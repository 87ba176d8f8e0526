/** Trusted publishing: whom an app trusts to upload it, and the token that a job gets for its identity. */
import type { Command } from 'commander'
import type { TrustAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { exchange } from './ci-identity.ts'
import { wrongUsage } from './failure.ts'
import { facts, timeText } from './format.ts'
import { showPage, withLimit } from './lists.ts'
import type { ListOptions } from './lists.ts'
import { DRY_RUN, remote } from './session.ts'

interface AddOptions {
  readonly github?: string
  readonly gitlab?: string
  readonly jenkins?: string
  readonly issuer?: string
  readonly workflow?: string
  readonly environment?: string
  readonly ref?: string
  readonly protected?: boolean
  readonly job?: string
  readonly claim?: readonly string[]
  readonly commands: boolean
  readonly dryRun?: boolean
}

interface DryRun {
  readonly dryRun?: boolean
}

export function addTrust(program: Command): void {
  const trust = program.command('trust').description('let CI upload without a stored token')
  addAdd(trust)
  addList(trust)
  addRemove(trust)
  addExchange(trust)
}

const EXAMPLES = `portage-hub trust add shop --github acme/shop --workflow release.yml --environment release
portage-hub trust add shop --gitlab acme/shop --ref 'refs/tags/v*' --protected
portage-hub trust add shop --jenkins https://ci.acme.example --job 'shop/*'`

function addAdd(trust: Command): void {
  const command = trust
    .command('add')
    .description("trust the identity that a CI gives an app's jobs")
    .argument('<app>', 'which they may upload from now on')
    .option('--github <owner/repository>', 'jobs of GitHub Actions in this repository')
    .option('--gitlab <group/project>', 'jobs of GitLab CI in this project')
    .option('--jenkins <url>', 'jobs of this Jenkins, with its plugin "OpenID Connect Provider"')
    .option('--workflow <file>', 'GitHub: only this file of .github/workflows')
    .option('--environment <pattern>', "GitHub, GitLab: only jobs of this environment of the CI's")
    .option('--ref <pattern>', 'GitHub, GitLab: only of this branch or tag, such as refs/heads/main')
    .option('--protected', 'GitLab: only of protected branches and tags')
    .option('--job <pattern>', 'Jenkins: the folders and the name of the job, such as team/shop')
    .option('--issuer <url>', 'whose tokens they are, where it is not the one that every such CI has')
    .option('--claim <name=pattern...>', 'any other CI: what the claims must be; "sub" among them')
    .option('--no-commands', 'uploads may bring neither commands nor an ebuild of their own')
    .option(...DRY_RUN)
  remote<AddOptions>(command, EXAMPLES, async ({ client, show }, options, app = '') => {
    const { dryRun, commands } = options
    const wanted = { ...shapeOf(options), commands }
    const path = apiPath('apps', app, 'trusted-publishers')
    const { body } = await client.change<TrustAnswer>('POST', path, { dryRun }, wanted)
    show(body, dryRun === true ? `${app} would trust ${trustText(body)}.` : addedText(body))
  })
}

/** What is not of its CI the hub refuses, by name. */
function shapeOf(options: AddOptions): object {
  const { github, gitlab, jenkins, issuer, workflow, environment, ref, job, claim } = options
  const named = [github, gitlab, jenkins, claim].filter((one) => one !== undefined)
  if (named.length !== 1)
    throw wrongUsage('say which CI it is: one of --github, --gitlab, --jenkins, or --issuer with --claim')
  const of = { issuer, workflow, environment, ref, job, protected: options.protected }
  if (github !== undefined) return { provider: 'github', repository: github, ...of }
  if (gitlab !== undefined) return { provider: 'gitlab', project: gitlab, ...of }
  if (jenkins !== undefined) return { provider: 'jenkins', url: jenkins, ...of }
  return { provider: 'other', claims: Object.fromEntries((claim ?? []).map(claimOf)), ...of }
}

function claimOf(text: string): readonly [name: string, pattern: string] {
  const at = text.indexOf('=')
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  throw wrongUsage(`--claim ${text} is not of the form name=pattern`)
}

function addedText(trust: TrustAnswer): string {
  const claims = Object.entries(trust.claims).map(([name, pattern]) => [name, pattern] as const)
  return [
    `${trust.app} trusts ${trust.provider} from now on.`,
    facts([
      ['id', trust.id],
      ['issuer', trust.issuer],
      ...claims,
      ['commands', trust.commands ? 'may be sent' : 'may not be sent'],
    ]),
  ].join('\n')
}

function addList(trust: Command): void {
  const command = trust
    .command('list')
    .alias('ls')
    .description('list whom an app trusts')
    .argument('<app>', 'its name')
  remote<ListOptions>(
    withLimit(command),
    'portage-hub trust list shop',
    async (session, { limit }, app = '') => {
      const path = apiPath('apps', app, 'trusted-publishers')
      const page = await session.client.list<TrustAnswer>(path, {}, limit)
      showPage(
        session,
        page,
        [
          { title: 'ID', value: ({ id }) => id ?? '' },
          { title: 'SINCE (UTC)', value: ({ createdAt }) => timeText(createdAt) },
          { title: 'COMMANDS', value: ({ commands }) => (commands ? 'yes' : 'no') },
          { title: 'WHOM', value: trustText, cut: true },
        ],
        `${app} trusts nobody.`,
      )
    },
  )
}

function addRemove(trust: Command): void {
  const command = trust
    .command('remove')
    .description('trust an identity no more, and end the tokens that were given for it')
    .argument('<app>', 'its name')
    .argument('<id>', 'as "trust list" shows it')
    .option(...DRY_RUN)
  const example = 'portage-hub trust remove shop tru_01kdyak348ds83dqjsap7r'
  remote<DryRun>(command, example, async ({ client, show }, { dryRun }, app = '', id = '') => {
    const path = apiPath('apps', app, 'trusted-publishers', id)
    const { body } = await client.change<TrustAnswer>('DELETE', path, { dryRun })
    const would = dryRun === true ? 'would trust' : 'trusts'
    show(body, `${app} ${would} ${trustText(body)} no more.`)
  })
}

function addExchange(trust: Command): void {
  const command = trust
    .command('exchange')
    .description("print a token for the identity of the CI's job that runs this, good for 15 minutes")
    .argument('<app>', 'which the job uploads')
  const example = 'HUB_TOKEN=$(portage-hub trust exchange shop)'
  remote<object>(command, example, async (session, _options, app = '') => {
    const answer = await exchange(session, app)
    session.show(answer, answer.token)
  })
}

/** `github: repository acme/shop, workflow release.yml`. */
function trustText({ provider, issuer, claims }: TrustAnswer): string {
  const named = Object.entries(claims).map(([name, pattern]) => `${name} ${pattern}`)
  return `${provider === 'other' ? issuer : provider}: ${named.join(', ')}`
}
