/** Two server processes and one data folder. */
import { expect, test } from 'vitest'
import { temporaryFolder } from '../git/support.ts'
import { send } from '../support/raw-http.ts'
import { startProcess } from './hub-process.ts'

test('the second hub on a data folder is refused, naming the first, which goes on', async () => {
  await using folder = await temporaryFolder()
  await using first = await startProcess(folder.path)
  await using second = await startProcess(folder.path)
  expect(second.url).toBeNull()
  const { status, said } = await second.ended
  expect(status).toBe(1)
  expect(said).toContain(
    `the hub of https://hub.example, process ${String(first.pid)}, works on this data folder`,
  )
  expect((await send(first.url ?? '', { path: '/readyz' })).status).toBe(200)
})

test('of many that start at once on a new folder one hub comes up, and a killed one locks nobody out', async () => {
  await using folder = await temporaryFolder()
  for (let round = 0; round < 2; round++) {
    const hubs = await Promise.all([1, 2, 3].map(async () => await startProcess(folder.path)))
    const up = hubs.filter(({ url }) => url !== null)
    expect(up).toHaveLength(1)
    expect((await send(up[0]?.url ?? '', { path: '/readyz' })).status).toBe(200)
    for (const hub of hubs) await hub[Symbol.asyncDispose]()
  }
})
