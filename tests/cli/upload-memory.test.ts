import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { UploadMemory } from '../../src/cli/upload-memory.ts'
import { temporaryFolder } from './support.ts'

const EXPIRES = '2026-01-03T03:04:05Z'

test('an upload is known by its bytes and its hub, in any later run, until it is forgotten', async () => {
  await using folder = await temporaryFolder()
  const memory = new UploadMemory(folder.path, 'https://hub.example')
  expect(memory.find('aa')).toBeNull()
  expect(memory.remember('aa', 'upl_1', EXPIRES)).toBe(true)
  memory.remember('bb', 'upl_2', EXPIRES)
  const other = new UploadMemory(folder.path, 'https://other.example')
  expect(other.find('aa')).toBeNull()
  other.remember('aa', 'upl_3', EXPIRES)
  const later = new UploadMemory(folder.path, 'https://hub.example')
  expect([later.find('aa'), later.find('bb'), other.find('aa')]).toEqual(['upl_1', 'upl_2', 'upl_3'])
  later.remember('aa', 'upl_4', EXPIRES)
  expect(memory.find('aa')).toBe('upl_4')
  memory.forget('aa')
  expect([memory.find('aa'), memory.find('bb'), other.find('aa')]).toEqual([null, 'upl_2', 'upl_3'])
})

test('the file is its owner’s alone, has no other beside it, and does not grow for ever', async () => {
  await using folder = await temporaryFolder()
  const memory = new UploadMemory(folder.path, 'https://hub.example')
  for (let count = 0; count < 250; count++) memory.remember(String(count), `upl_${String(count)}`, EXPIRES)
  const directory = join(folder.path, 'portage-hub')
  expect(await readdir(directory)).toEqual(['uploads.json'])
  expect((await stat(join(directory, 'uploads.json'))).mode & 0o777).toBe(0o600)
  expect([memory.find('49'), memory.find('50')]).toEqual([null, 'upl_50'])
})

test.each(['', '{', '[]', 'null', '{"uploads": 5}', '{"uploads": [null, {"hub": 1}]}'])(
  'a file with %j in it is none',
  async (text) => {
    await using folder = await temporaryFolder()
    await mkdir(join(folder.path, 'portage-hub'))
    const path = join(folder.path, 'portage-hub', 'uploads.json')
    await writeFile(path, text)
    const memory = new UploadMemory(folder.path, 'https://hub.example')
    expect(memory.find('aa')).toBeNull()
    expect(memory.remember('aa', 'upl_1', EXPIRES)).toBe(true)
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ uploads: [{ upload: 'upl_1' }] })
  },
)

test('without a folder that can be written nothing is remembered, and nothing fails', async () => {
  await using folder = await temporaryFolder()
  await writeFile(join(folder.path, 'file'), '')
  for (const memory of [new UploadMemory(null, 'h'), new UploadMemory(join(folder.path, 'file'), 'h')]) {
    expect(memory.remember('aa', 'upl_1', EXPIRES)).toBe(false)
    expect(memory.find('aa')).toBeNull()
    memory.forget('aa')
  }
})
