/** The GitHub Action, in the workflows that come with it: their steps are read as a runner reads them, and their shell is run. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import { accepted, askForProduction, checkOutShop, expectInStaging, requireChecks } from './app-folder.ts'
import { INTEGRATIONS, openJob, readIntegration } from './support.ts'
import type { Job } from './support.ts'

interface Step {
  readonly id?: string
  readonly name?: string
  readonly if?: string
  readonly uses?: string
  readonly with?: Readonly<Record<string, string | number>>
  readonly shell?: string
  readonly env?: Readonly<Record<string, string>>
  readonly run?: string
}
interface Input {
  readonly description: string
  readonly required?: boolean
  readonly default?: string
}
interface Action {
  readonly inputs: Readonly<Record<string, Input>>
  readonly outputs: Readonly<Record<string, { readonly description: string; readonly value: string }>>
  readonly runs: { readonly using: string; readonly steps: readonly Step[] }
}
interface Workflow {
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>>
}

const ACTION = parse(readIntegration('github/action.yml')) as Action
const workflow = (name: string): readonly Step[] =>
  Object.values((parse(readIntegration(`github/${name}`)) as Workflow).jobs).flatMap(({ steps }) => steps)
const usesAction = ({ uses }: Step): boolean => uses?.includes('/integrations/github@') === true

/** What `${{ … }}` may name: `inputs.app`, `steps.upload.outputs.build`. */
type Context = Readonly<Record<string, string>>

/** The part of GitHub's expressions that these files use: names, texts in quotes, `!=`, `&&`, `||`. */
function evaluate(expression: string, context: Context): string {
  const operand = (text: string): string => {
    const literal = /^'(.*)'$/.exec(text)?.[1]
    if (literal !== undefined) return literal
    if (!/^[\w.-]+$/.test(text)) throw new Error(`not understood: ${text}`)
    return context[text] ?? ''
  }
  const comparison = (text: string): string => {
    const [left = '', right] = text.split(' != ')
    if (right === undefined) return operand(left)
    return operand(left) === operand(right) ? '' : 'true'
  }
  const firstOf = (texts: readonly string[], wanted: boolean): string => {
    const values = texts.map(comparison)
    return values.find((value) => (value !== '') === wanted) ?? values.at(-1) ?? ''
  }
  const parts = expression.split(' || ')
  return parts.length > 1 ? firstOf(parts, true) : firstOf(expression.split(' && '), false)
}

function fill(text: string, context: Context): string {
  return text.replaceAll(/\$\{\{ (.*?) \}\}/g, (_whole, expression: string) => evaluate(expression, context))
}

/** Runs the action as a step that gives these inputs; the answer has its outputs. */
async function runAction(job: Job, given: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const defaults = Object.entries(ACTION.inputs).map(([name, input]) => [name, input.default ?? ''])
  const inputs = { ...Object.fromEntries(defaults), ...given } as Record<string, string>
  const context: Record<string, string> = { 'github.action_path': resolve(INTEGRATIONS, 'github') }
  for (const [name, value] of Object.entries(inputs)) context[`inputs.${name}`] = value
  const outputFile = join(job.folder, '.output')
  for (const step of ACTION.runs.steps) {
    if (step.if !== undefined && fill(step.if, context) === '') continue
    expect(step.shell).toBe('sh')
    writeFileSync(outputFile, '')
    const env = Object.entries(step.env ?? {}).map(([name, value]) => [name, fill(value, context)])
    const ended = await job.run(step.run ?? '', { ...Object.fromEntries(env), GITHUB_OUTPUT: outputFile })
    if (ended.status !== 0) throw new Error(`${step.name ?? ''}: ${String(ended.status)}\n${ended.stderr}`)
    for (const [, name = '', value = ''] of readFileSync(outputFile, 'utf8').matchAll(/^(\w+)=(.*)$/gm))
      context[`steps.${step.id ?? ''}.outputs.${name}`] = value
  }
  return Object.fromEntries(
    Object.entries(ACTION.outputs).map(([name, { value }]) => [name, fill(value, context)]),
  )
}

async function runWorkflow(job: Job, name: string, hub: { readonly url: string }, token: string) {
  const context = { 'github.run_number': '45', 'secrets.HUB_TOKEN': token }
  let outputs: Record<string, string> = {}
  for (const step of workflow(name)) {
    if (step.run !== undefined) expect((await job.run(step.run)).status).toBe(0)
    if (!usesAction(step)) continue
    const given = Object.entries(step.with ?? {}).map(([input, value]) => [
      input,
      fill(String(value), context),
    ])
    outputs = await runAction(job, { ...Object.fromEntries(given), url: hub.url })
  }
  return outputs
}

test('the workflow brings a build to staging', async () => {
  await using hub = await createTestHub()
  await requireChecks(hub)
  await using job = await openJob(hub, {})
  checkOutShop(job)
  const outputs = await runWorkflow(job, 'release.yml', hub, await hub.token('uploader'))
  expect(outputs).toEqual({ build: '45', state: 'released' })
  await expectInStaging(hub, 45)
  expect(accepted(job)).toBe('45 staging\n')
})

test('the workflow of acceptance checks finds what waits', async () => {
  await using hub = await createTestHub()
  await requireChecks(hub)
  await using job = await openJob(hub, {})
  checkOutShop(job)
  await hub.upload('shop', tarball({ 'shop/run': 'true' }), { build: '7' })
  await askForProduction(hub, 7)
  await runWorkflow(job, 'acceptance.yml', hub, await hub.token('uploader'))
  expect(accepted(job)).toBe('7 production\n')
})

test('an input is a value, whatever stands in it, and what waits on is a warning', async () => {
  await using hub = await createTestHub()
  await requireChecks(hub)
  await using job = await openJob(hub, {})
  checkOutShop(job)
  await job.run('./build.sh')
  const given = { url: hub.url, token: await hub.token('uploader'), app: 'shop', tarball: 'shop.tar.gz' }
  const check = '"; touch pwned; $(touch pwned) `touch pwned` \' #'
  const outputs = await runAction(job, { ...given, 'commit-check': check, junit: 'junit.xml', timeout: '0' })
  expect(outputs).toEqual({ build: '1', state: 'waiting' })
  expect((await hub.as().get('/api/v1/apps/shop/builds/1/checks')).body.items).toMatchObject([
    { name: check },
  ])
  expect((await job.run('test ! -e pwned')).status).toBe(0)
  await expect(runAction(job, { ...given, app: 'Shop' })).rejects.toThrow('Upload: 2')
})

test('no expression stands in a shell text, and the files have what GitHub documents', () => {
  // https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax
  expect(Object.keys(ACTION).toSorted()).toEqual([
    ...['author', 'description', 'inputs', 'name', 'outputs', 'runs'],
  ])
  expect(ACTION.runs.using).toBe('composite')
  for (const step of ACTION.runs.steps) {
    expect(['env', 'id', 'if', 'name', 'run', 'shell']).toEqual(expect.arrayContaining(Object.keys(step)))
    expect(step.run).not.toContain('${{')
  }
  for (const step of [...workflow('release.yml'), ...workflow('acceptance.yml')].filter(usesAction)) {
    const given = Object.keys(step.with ?? {})
    expect(Object.keys(ACTION.inputs)).toEqual(expect.arrayContaining(given))
    const required = Object.entries(ACTION.inputs).filter(([, input]) => input.required === true)
    expect(given).toEqual(expect.arrayContaining(required.map(([name]) => name)))
  }
})
