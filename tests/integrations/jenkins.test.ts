/** The Jenkins files: their shell as it stands, and, where Groovy is, the files themselves. */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { testWith } from '../support/programs.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import { accepted, askForProduction, checkOutShop, expectInStaging, requireChecks } from './app-folder.ts'
import { INTEGRATIONS, openJob, PROGRAM, readIntegration } from './support.ts'
import type { Ended, Job } from './support.ts'

const STEP = 'jenkins/vars/portageHub.groovy'
const STEPS_OF_JENKINS = resolve(import.meta.dirname, 'jenkins-steps.groovy')

/** The shell text of a function of the step, as Groovy reads the quotes that it stands in. */
function shellOf(name: string): string {
  const body = readIntegration(STEP).split(`${name}(Map args) {`)[1] ?? ''
  const text = /'''(.*?)'''/s.exec(body)?.[1]
  if (text === undefined) throw new Error(`${STEP} has no shell in ${name}`)
  return text.replaceAll('\\\\', '\\')
}

async function openJenkinsJob(hub: {
  readonly url: string
  token(role: string): Promise<string>
}): Promise<Job> {
  const token = await hub.token('uploader')
  const job = await openJob(hub, { CREDENTIAL_portage_hub: token, HUB_TOKEN: token, BUILD_NUMBER: '45' })
  checkOutShop(job)
  return job
}

/** Runs a pipeline of `integrations/jenkins/`, or of the test's. */
async function runPipeline(job: Job, file: string): Promise<Ended> {
  const path = resolve(INTEGRATIONS, 'jenkins', file)
  // Debian's groovy looks for a Java by a link that only one of the packages with a Java brings.
  return await job.run(`unset HUB_TOKEN
    java=$(readlink -f "$(command -v java)") && export JAVA_HOME=\${java%/bin/java}
    exec groovy '${STEPS_OF_JENKINS}' '${resolve(INTEGRATIONS, STEP)}' '${PROGRAM}' '${path}'`)
}

test('the shell of each step does its part', async () => {
  await using hub = await createTestHub()
  await requireChecks(hub)
  await using job = await openJenkinsJob(hub)
  await job.run('./build.sh')
  const env = { APP: 'shop', PORTAGE_HUB_CI: PROGRAM, BUILD: '45', STATUS: '', SARIF: '', COBERTURA: '' }
  const run = async (name: string, more: Readonly<Record<string, string>>): Promise<string> => {
    const { status, stdout, stderr } = await job.run(shellOf(name), { ...env, ...more })
    expect(status, stderr).toBe(0)
    return stdout
  }
  expect(await run('upload', { TARBALL: 'shop.tar.gz', NUMBER: '45', VERSION: '1.0.0' })).toBe('45\n')
  await run('check', { STAGE: 'commit', CHECK: 'unit', JUNIT: 'junit.xml' })
  const acceptance = { CHECK: 'functional', COMMAND: './acceptance.sh "$HUB_BUILD"', JUNIT: 'acceptance.xml' }
  await run('acceptance', { ...acceptance, ENVIRONMENT: 'staging' })
  await run('waitFor', { ENVIRONMENT: 'staging', TIMEOUT: '60' })
  await expectInStaging(hub, 45)
  expect(accepted(job)).toBe('45 staging\n')
  const asked = await job.run(shellOf('promote'), { ...env, ENVIRONMENT: 'production' })
  expect(asked.status).toBe(4)
})

test('no value becomes a part of a shell text', () => {
  for (const [, quote] of readIntegration(STEP).matchAll(/script: ("""|'''|"|')/g)) expect(quote).toBe("'''")
})

describe('in Groovy', () => {
  testWith('groovy')('the Jenkinsfile brings a build to staging', async () => {
    await using hub = await createTestHub()
    await requireChecks(hub)
    await using job = await openJenkinsJob(hub)
    const ended = await runPipeline(job, 'Jenkinsfile')
    expect(ended.status, ended.stderr).toBe(0)
    await expectInStaging(hub, 45)
    expect(accepted(job)).toBe('45 staging\n')
  })

  testWith('groovy')('the pipeline of acceptance checks finds what waits', async () => {
    await using hub = await createTestHub()
    await requireChecks(hub)
    await using job = await openJenkinsJob(hub)
    await hub.upload('shop', tarball({ 'shop/run': 'true' }), { build: '7' })
    await askForProduction(hub, 7)
    const ended = await runPipeline(job, 'Jenkinsfile.acceptance')
    expect(ended.status, ended.stderr).toBe(0)
    expect(accepted(job)).toBe('7 production\n')
    expect((await hub.as().get('/api/v1/promotions?environment=production')).body.items).toMatchObject([
      { build: 7, state: 'released' },
    ])
  })

  testWith('groovy')('steps are reported by how they end, and what waits on is unstable', async () => {
    await using hub = await createTestHub()
    await requireChecks(hub)
    await using job = await openJenkinsJob(hub)
    await hub.upload('shop', tarball({ 'shop/run': 'true' }), { build: '7' })
    writeFileSync(
      join(job.folder, 'Jenkinsfile'),
      `sh './build.sh'
       portageHub.waitFor(app: 'shop', build: 7, environment: 'staging', timeout: 0)
       portageHub.check(app: 'shop', build: 7, name: 'lint', junit: 'junit.xml') { sh 'true' }
       portageHub.check(app: 'shop', build: 7, name: 'size', sarif: 'none.sarif') { sh 'exit 3' }`,
    )
    const ended = await runPipeline(job, join(job.folder, 'Jenkinsfile'))
    expect(ended.status).toBe(1)
    expect(ended.stdout).toContain('UNSTABLE: shop build 7 waits for staging still')
    expect(ended.stderr).toContain('script returned exit code 3')
    const { items } = (await hub.as().get('/api/v1/apps/shop/builds/7/checks')).body
    expect(items).toMatchObject([
      ...[
        { name: 'size', status: 'failed', reports: [] },
        { name: 'size', status: 'running' },
      ],
      ...[
        { name: 'lint', status: 'passed', reports: [{ name: 'junit.xml' }] },
        { name: 'lint', status: 'running' },
      ],
    ])
  })
})
