/** The GitLab template, in the pipeline that comes with it: the jobs are read as GitLab reads them, and their shell is run. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import { accepted, askForProduction, checkOutShop, expectInStaging, requireChecks } from './app-folder.ts'
import { openJob, readIntegration } from './support.ts'
import type { Job } from './support.ts'

type Variable = string | { readonly value: string; readonly expand?: boolean }

interface GitlabJob {
  readonly extends?: string
  readonly stage?: string
  readonly variables?: Readonly<Record<string, Variable>>
  readonly script?: readonly string[]
  readonly artifacts?: { readonly reports?: { readonly dotenv?: string } }
  readonly allow_failure?: { readonly exit_codes: readonly number[] }
}

const TEMPLATE = parse(readIntegration('gitlab/portage-hub.yml')) as Readonly<Record<string, GitlabJob>>
const PIPELINE = parse(readIntegration('gitlab/example.gitlab-ci.yml')) as Readonly<Record<string, GitlabJob>>
/** https://docs.gitlab.com/ci/yaml/, "Job keywords", as far as these files may need them. */
const KEYWORDS = [
  'allow_failure',
  'artifacts',
  'extends',
  'image',
  'needs',
  'rules',
  'script',
  'stage',
  'variables',
]

/** A job with what it extends: variables are merged, everything else takes the place of what was there. */
function wholeJob(name: string): GitlabJob {
  const own = PIPELINE[name] ?? TEMPLATE[name]
  if (!own) throw new Error(`there is no job ${name}`)
  if (own.extends === undefined) return own
  const base = wholeJob(own.extends)
  return { ...base, ...own, variables: { ...base.variables, ...own.variables } }
}

/** Values may name other variables, in as many steps as it takes. */
function expand(variables: Readonly<Record<string, Variable>>, given: Readonly<Record<string, string>>) {
  const texts: Record<string, Variable> = { ...variables, ...given }
  const read = (name: string): string => {
    const variable = texts[name] ?? ''
    if (typeof variable !== 'string')
      return variable.expand === false ? variable.value : filled(variable.value)
    return name in given ? variable : filled(variable)
  }
  const filled = (text: string): string =>
    text.replaceAll(/\$\{?(\w+)\}?/g, (_whole, name: string) => read(name))
  return Object.fromEntries(Object.keys(texts).map((name) => [name, read(name)]))
}

/** Runs these jobs one after another; what one says in its dotenv report the next ones have as variables. */
async function runJobs(
  job: Job,
  names: readonly string[],
  given: Readonly<Record<string, string>>,
): Promise<void> {
  const reported: Record<string, string> = {}
  for (const name of names) {
    const { variables = {}, script = [], artifacts, allow_failure: allowed } = wholeJob(name)
    const { status, stderr } = await job.run(script.join('\n'), expand(variables, { ...given, ...reported }))
    expect([0, ...(allowed?.exit_codes ?? [])], `${name}: ${stderr}`).toContain(status)
    const dotenv = artifacts?.reports?.dotenv
    if (dotenv === undefined) continue
    for (const [, key = '', value = ''] of readFileSync(join(job.folder, dotenv), 'utf8').matchAll(
      /^(\w+)=(.*)$/gm,
    ))
      reported[key] = value
  }
}

const GIVEN = { CI_PROJECT_NAME: 'shop', CI_PIPELINE_IID: '45', CI_COMMIT_SHA: '4f1c2d9' }

test('the pipeline brings a build to staging', async () => {
  await using hub = await createTestHub()
  await requireChecks(hub)
  await using job = await openJob(hub, { HUB_TOKEN: await hub.token('uploader') })
  checkOutShop(job)
  await runJobs(job, ['build', 'upload', 'acceptance', 'staging'], GIVEN)
  await expectInStaging(hub, 45)
  expect(accepted(job)).toBe('45 staging\n')
  expect((await hub.as().get('/api/v1/apps/shop/builds/45')).body).toMatchObject({ commit: '4f1c2d9' })
})

test('a pipeline by schedule or webhook runs the acceptance checks of every build that waits', async () => {
  await using hub = await createTestHub()
  await requireChecks(hub)
  await using job = await openJob(hub, { HUB_TOKEN: await hub.token('uploader') })
  checkOutShop(job)
  await hub.upload('shop', tarball({ 'shop/run': 'true' }), { build: '7' })
  await askForProduction(hub, 7)
  await runJobs(job, ['acceptance'], GIVEN)
  expect(accepted(job)).toBe('7 production\n')
})

test('a job that waits for people when the time is up ends with the status that is a warning', async () => {
  await using hub = await createTestHub()
  await requireChecks(hub)
  await using job = await openJob(hub, { HUB_TOKEN: await hub.token('uploader') })
  checkOutShop(job)
  await hub.upload('shop', tarball({ 'shop/run': 'true' }), { build: '7' })
  const { variables = {}, script = [], allow_failure: allowed } = wholeJob('staging')
  const ended = await job.run(
    script.join('\n'),
    expand(variables, { ...GIVEN, HUB_BUILD: '7', HUB_TIMEOUT: '0' }),
  )
  expect(allowed?.exit_codes).toEqual([ended.status])
})

test('the files have the keywords that GitLab knows, and stages that are there', () => {
  const { include, stages, ...jobs } = PIPELINE as unknown as {
    readonly include: unknown
    readonly stages: readonly string[]
  } & Readonly<Record<string, GitlabJob>>
  expect(include).toEqual([{ local: 'ci/portage-hub.yml' }])
  for (const [name, job] of Object.entries({ ...TEMPLATE, ...jobs })) {
    expect(KEYWORDS, name).toEqual(expect.arrayContaining(Object.keys(job)))
    for (const value of Object.values(job.variables ?? {}))
      expect(
        typeof value === 'string' || Object.keys(value).every((key) => ['value', 'expand'].includes(key)),
      ).toBe(true)
  }
  for (const name of Object.keys(jobs)) {
    expect(stages).toContain(wholeJob(name).stage)
    expect(wholeJob(name).script?.length).toBeGreaterThan(0)
  }
})
