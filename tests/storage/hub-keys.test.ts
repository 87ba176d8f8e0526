import { chmod, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readKeys } from 'openpgp'
import { expect, test } from 'vitest'
import { HubKeys } from '../../src/storage/hub-keys.ts'
import { temporaryFolder } from '../git/support.ts'

const NOW = new Date('2026-01-02T03:04:05Z')
const CLOCK = { now: () => NOW }
const NAMES = { overlay: 'Portage Hub (hub)', binhost: 'Portage Hub (hub) binary packages' }
const INVALID = expect.objectContaining({ code: 'config.invalid' })

test('one key of each purpose is made, for its owner only, and read again', async () => {
  await using folder = await temporaryFolder()
  const directory = join(folder.path, 'keys')
  const made = await HubKeys.open(directory, NAMES, CLOCK)
  expect(await readdir(directory)).toEqual(['binhost.key', 'hub.key', 'keys.json'])
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  for (const name of await readdir(directory))
    expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600)
  const again = await HubKeys.open(directory, { overlay: 'x', binhost: 'y' }, CLOCK)
  for (const purpose of ['overlay', 'binhost'] as const) {
    expect(again[purpose].fingerprints).toEqual([made[purpose].current.fingerprint])
    expect(again[purpose].publicKeys).toBe(made[purpose].publicKeys)
    expect(again[purpose].publicKeys).not.toContain('PRIVATE')
    const [key, ...more] = await readKeys({ armoredKeys: again[purpose].publicKeys })
    expect([key?.getUserIDs(), more]).toEqual([[NAMES[purpose]], []])
  }
  expect(made.overlay.current.fingerprint).not.toBe(made.binhost.current.fingerprint)
})

test('the keys of a folder that has no keys.json yet stay what they are', async () => {
  await using folder = await temporaryFolder()
  const made = await HubKeys.open(folder.path, NAMES, CLOCK)
  await rm(join(folder.path, 'keys.json'))
  const read = await HubKeys.read(folder.path, CLOCK)
  expect(read?.overlay.fingerprints).toEqual(made.overlay.fingerprints)
  expect(await readdir(folder.path)).not.toContain('keys.json')
  const opened = await HubKeys.open(folder.path, NAMES, CLOCK)
  expect(opened.binhost.fingerprints).toEqual(made.binhost.fingerprints)
})

test('a first start that died between its keys goes on, and sweeps what it left', async () => {
  await using folder = await temporaryFolder()
  const made = await HubKeys.open(folder.path, NAMES, CLOCK)
  await rm(join(folder.path, 'keys.json'))
  await rm(join(folder.path, 'binhost.key'))
  await writeFile(join(folder.path, 'keys.json.01234567-89ab-4cde-8f01-23456789abcd.tmp'), '{')
  const opened = await HubKeys.open(folder.path, NAMES, CLOCK)
  expect(opened.overlay.fingerprints).toEqual(made.overlay.fingerprints)
  expect(opened.binhost.fingerprints).not.toEqual(made.binhost.fingerprints)
  expect(await readdir(folder.path)).toEqual(['binhost.key', 'hub.key', 'keys.json'])
})

test.each([
  ['keys.json', '{"format": 1'],
  ['keys.json', '{"format": 2, "keys": []}'],
  ['hub.key', 'no key'],
  ['binhost.key', null],
])('%s that is damaged (%j) stops the start, and nothing is changed', async (name, content) => {
  await using folder = await temporaryFolder()
  await HubKeys.open(folder.path, NAMES, CLOCK)
  const path = join(folder.path, name)
  await (content === null ? rm(path) : writeFile(path, content))
  const before = await readdir(folder.path)
  await expect(HubKeys.open(folder.path, NAMES, CLOCK)).rejects.toEqual(INVALID)
  expect(await readdir(folder.path)).toEqual(before)
  if (content !== null) expect(await readFile(path, 'utf8')).toBe(content)
})

test('a key in the place of another stops the start', async () => {
  await using folder = await temporaryFolder()
  await HubKeys.open(folder.path, NAMES, CLOCK)
  await writeFile(join(folder.path, 'hub.key'), await readFile(join(folder.path, 'binhost.key')))
  await chmod(join(folder.path, 'hub.key'), 0o600)
  await expect(HubKeys.open(folder.path, NAMES, CLOCK)).rejects.toEqual(INVALID)
})
