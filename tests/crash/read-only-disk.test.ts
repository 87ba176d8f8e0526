/** A data folder that takes no writes, for real. What a hub does whose disk turns so later: `faulty-disk.test.ts`. */
import { expect } from 'vitest'
import { mountMemory, testMounting } from '../support/mounts.ts'
import { startProcess } from './hub-process.ts'

testMounting('a hub does not start on a read-only data folder, and says which and why', async () => {
  await using disk = await mountMemory(16 * 1024 * 1024)
  {
    await using hub = await startProcess(disk.path)
    expect(await hub.stop()).toBe(0)
  }
  await disk.remount('ro')
  await using refused = await startProcess(disk.path)
  expect(refused.url).toBeNull()
  const { status, said } = await refused.ended
  expect(status).toBe(1)
  expect(said).toContain(`the data folder ${disk.path} takes no writes`)
  await disk.remount('rw')
  await using again = await startProcess(disk.path)
  expect(again.url).not.toBeNull()
})
