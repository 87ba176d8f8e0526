import type { Command } from 'commander'
import type { PublishedAnswer, ReleaseAnswer } from './answers.ts'
import { changeLines } from './answers.ts'
import { apiPath } from './api-path.ts'
import type { Client } from './client.ts'
import { EXIT } from './exit-status.ts'
import { Failure } from './failure.ts'
import { parseNumber } from './lists.ts'
import { DRY_RUN, remote } from './session.ts'

interface Options {
  readonly reason: string
  readonly dryRun?: boolean
}

type Answer = ReleaseAnswer & { readonly published: PublishedAnswer }

const EXAMPLE = `portage-hub withdraw production shop 45 --reason 'loses orders, see #812'`

export function addWithdraw(program: Command): void {
  const command = program
    .command('withdraw')
    .description('take a release back: its version is masked with the reason, nothing is removed')
    .argument('<environment>')
    .argument('<app>')
    .argument('<build>', 'its number', parseNumber)
    .requiredOption('-r, --reason <text>', 'why; whoever runs the version reads it')
    .option(...DRY_RUN)
  remote<Options>(command, EXAMPLE, async (session, options, environment = '', app = '', build = '') => {
    const release = await findRelease(session.client, environment, app, Number(build))
    const path = apiPath('environments', environment, 'releases', release.id, 'withdraw')
    const query = { dryRun: options.dryRun }
    const { body } = await session.client.change<Answer>('POST', path, query, { reason: options.reason })
    session.show(body, answerText(body, options.dryRun === true))
  })
}

/** The release of the build that stands there now, else the last one, for the hub to say what became of it. */
async function findRelease(
  client: Client,
  environment: string,
  app: string,
  build: number,
): Promise<ReleaseAnswer> {
  const path = apiPath('environments', environment, 'releases')
  const { items } = await client.list<ReleaseAnswer>(path, { app }, Infinity)
  const ofBuild = items.filter((release) => release.build === build)
  const found = ofBuild.find(({ state }) => state === 'released') ?? ofBuild[0]
  if (found) return found
  throw new Failure(
    'release.unknown',
    `${environment} never released ${JSON.stringify(app.slice(0, 100))} build ${String(build)}; ` +
      `"portage-hub builds ${app}" shows what is released where`,
    EXIT.notFound,
  )
}

function answerText(answer: Answer, dryRun: boolean): string {
  const { app, build, environment, cpv, published } = answer
  const revision = String(published.revision)
  const name = `${app} build ${String(build)} (${cpv})`
  if (dryRun) {
    const lines = changeLines(published)
    return [`${name} would be withdrawn from ${environment}, in revision ${revision}:`, ...lines].join('\n')
  }
  return `${name} is withdrawn from ${environment}: masked since revision ${revision} of its overlay.`
}
