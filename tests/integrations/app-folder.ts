/** The app of the examples: what a job finds in its checkout, and what became of it at the hub. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { TestHub } from '../support/test-hub.ts'
import { PROGRAM } from './support.ts'
import type { Job } from './support.ts'

const suite = (name: string): string =>
  `<testsuite name="${name}"><testcase name="works" classname="${name}"/></testsuite>`

/** `build.sh`, `acceptance.sh <build>` and `ci/portage-hub-ci`, as the examples call them. */
export function checkOutShop({ folder }: Pick<Job, 'folder'>): void {
  mkdirSync(join(folder, 'ci'))
  mkdirSync(join(folder, 'shop'))
  writeFileSync(join(folder, 'shop/run'), 'true\n')
  copyFileSync(PROGRAM, join(folder, 'ci/portage-hub-ci'))
  const program = (name: string, ...lines: readonly string[]): void => {
    writeFileSync(join(folder, name), ['#!/bin/sh', 'set -eu', ...lines, ''].join('\n'), { mode: 0o755 })
  }
  program('build.sh', 'tar -czf shop.tar.gz shop', `echo '${suite('unit')}' >junit.xml`)
  program(
    'acceptance.sh',
    'echo "$1 $HUB_ENVIRONMENT" >>accepted',
    `echo '${suite('functional')}' >acceptance.xml`,
  )
}

export const accepted = ({ folder }: Pick<Job, 'folder'>): string =>
  readFileSync(join(folder, 'accepted'), 'utf8')

/** Staging takes what passes its checks by itself; production is asked for. */
export async function requireChecks(hub: TestHub): Promise<void> {
  const staging = { promote: 'automatic', checks: { commit: ['unit'], acceptance: ['functional'] } }
  const production = { checks: { acceptance: ['functional'] } }
  for (const [environment, policy] of Object.entries({ staging, production })) {
    const reply = await hub.as().put(`/api/v1/environments/${environment}/policy`).send(policy)
    expect(reply.status, reply.text).toBe(200)
  }
}

/** As a pipeline leaves it that did all of its steps: both checks with their reports, and the build in staging. */
export async function expectInStaging(hub: TestHub, build: number): Promise<void> {
  const { items } = (await hub.as().get(`/api/v1/apps/shop/builds/${String(build)}/checks`)).body
  const told = (items as readonly { stage: string; name: string; status: string; reports: object[] }[]).map(
    ({ stage, name, status, reports }) => `${stage} ${name} ${status} ${String(reports.length)}`,
  )
  expect(told).toEqual([
    'acceptance functional passed 1',
    'acceptance functional running 0',
    'commit unit passed 1',
  ])
  const releases = (await hub.as().get('/api/v1/environments/staging/releases')).body.items
  expect(releases).toMatchObject([{ app: 'shop', build, state: 'released' }])
}

/** A build that somebody asked to have in production, where the acceptance check is missing. */
export async function askForProduction(hub: TestHub, build: number): Promise<void> {
  const checks = `/api/v1/apps/shop/builds/${String(build)}/checks`
  const reported = await hub.as().post(checks).send({ stage: 'commit', name: 'unit', status: 'passed' })
  expect(reported.status, reported.text).toBe(201)
  const policy = { promote: 'automatic', checks: { commit: ['unit'] } }
  await hub.as().put('/api/v1/environments/staging/policy').send(policy)
  const asked = await hub.promote('shop', build, 'production')
  expect(asked.body).toMatchObject({ state: 'checking' })
}
