/** The policy of an environment, shown and set as JSON. */
import type { Command } from 'commander'
import type { PolicyAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { wrongUsage } from './failure.ts'
import { readWhole } from './read-file.ts'
import { DRY_RUN, remote } from './session.ts'

export function addPolicy(program: Command): void {
  const policy = program.command('policy').description('show or set what an environment asks of a build')
  const show = policy
    .command('show')
    .description('print the policy that holds, as "policy set" takes it')
    .argument('<environment>')
  remote(
    show,
    'portage-hub policy show production > policy.json',
    async (session, _options, environment = '') => {
      const answer = await session.client.get<PolicyAnswer>(apiPath('environments', environment, 'policy'))
      session.show(answer, JSON.stringify(answer, null, 2))
    },
  )
  const set = policy
    .command('set')
    .description('set the policy of an environment from a file of JSON')
    .argument('<environment>')
    .argument('<file>', '"-" for standard input')
    .option(...DRY_RUN)
  remote<{ readonly dryRun?: boolean }>(
    set,
    'portage-hub policy set production policy.json',
    async (session, { dryRun }, environment = '', file = '') => {
      const path = apiPath('environments', environment, 'policy')
      const { body } = await session.client.change<PolicyAnswer>(
        'PUT',
        path,
        { dryRun },
        await readJson(file),
      )
      const version = String(body.version)
      const text =
        dryRun === true
          ? `It would be version ${version} of the policy of ${environment}.`
          : `Version ${version} of the policy holds in ${environment}.`
      session.show(body, text)
    },
  )
}

async function readJson(file: string): Promise<object> {
  const text = (await readWhole(file)).toString('utf8')
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Told below, in words of ours.
  }
  throw wrongUsage(`${file} holds no JSON object`)
}
