/** The pipeline of docs/ci/shell.md, as it stands there. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createTestHub } from '../support/test-hub.ts'
import { accepted, checkOutShop, expectInStaging, requireChecks } from './app-folder.ts'
import { openJob } from './support.ts'

test('the pipeline of the documentation brings a build to staging', async () => {
  const page = readFileSync(new URL('../../docs/ci/shell.md', import.meta.url), 'utf8')
  const [, script = ''] = /^```sh\n(#!\/bin\/sh\n.*?)^```$/ms.exec(page) ?? []
  await using hub = await createTestHub()
  await requireChecks(hub)
  await using job = await openJob(hub, { HUB_TOKEN: await hub.token('uploader') })
  checkOutShop(job)
  const ended = await job.run(script)
  expect(ended.status, ended.stderr).toBe(0)
  await expectInStaging(hub, 1)
  expect(accepted(job)).toBe('1 staging\n')
})
