import { chmod, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readKeys } from 'openpgp'
import { expect, test } from 'vitest'
import { unixSeconds } from '../../src/clock.ts'
import { HubKeys } from '../../src/storage/hub-keys.ts'
import { temporaryFolder } from '../git/support.ts'
import { gpgWith } from '../support/gpg.ts'
import { testWith } from '../support/programs.ts'

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
    // GnuPG 2.2 needs the checksum where the base64 has no padding.
    expect(again[purpose].publicKeys).toMatch(/\n=[A-Za-z0-9+/]{4}\n-----END/)
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

const DAY_MS = 86_400_000
const PAYLOAD = Buffer.from('tree 0\n')

function movingClock(): { now(): Date; pass(days: number): void } {
  let now = NOW
  return {
    now: () => now,
    pass: (days) => {
      now = new Date(now.getTime() + days * DAY_MS)
    },
  }
}

const inDays = (days: number) => ({ signsFromSec: unixSeconds(NOW) + days * 86_400, lifeSec: null })

testWith('gpg')(
  'whoever has the old key alone is served during the overlap, the new one alone after it',
  async () => {
    await using folder = await temporaryFolder()
    const clock = movingClock()
    const keys = await HubKeys.open(join(folder.path, 'keys'), NAMES, clock)
    const { overlay } = keys
    const [old] = overlay.keys
    const made = await keys.add('overlay', inDays(7))
    const gpgOf = async (name: string, publicKey: string) => {
      await mkdir(join(folder.path, name))
      return gpgWith(join(folder.path, name), publicKey)
    }
    const withOld = await gpgOf('old', old!.key.publicKey)
    const withNew = await gpgOf('new', made.key.publicKey)
    const withBoth = await gpgOf('both', overlay.publicKeys)
    const believers = async (): Promise<readonly boolean[]> => {
      const signature = await overlay.current.sign(PAYLOAD, clock.now())
      return [withOld, withNew, withBoth].map((gpg) => gpg.verify(signature, PAYLOAD))
    }
    expect(overlay.keys.map((key) => overlay.stateOf(key))).toEqual(['active', 'next'])
    expect(await believers()).toEqual([true, false, true])
    clock.pass(6)
    expect(await believers()).toEqual([true, false, true])
    clock.pass(1)
    expect(overlay.keys.map((key) => overlay.stateOf(key))).toEqual(['retiring', 'active'])
    expect(await believers()).toEqual([false, true, true])
    expect(overlay.fingerprints).toEqual([old!.key.fingerprint, made.key.fingerprint])
    // The other purpose has its own keys.
    expect(keys.binhost.keys).toHaveLength(1)
  },
)

test('a new key is known to the next start, and one whose making was cut is swept', async () => {
  await using folder = await temporaryFolder()
  const keys = await HubKeys.open(folder.path, NAMES, CLOCK)
  const made = await keys.add('binhost', inDays(7))
  const again = await HubKeys.open(folder.path, NAMES, CLOCK)
  expect(again.binhost.fingerprints).toEqual(keys.binhost.fingerprints)
  expect(again.binhost.next?.key.fingerprint).toBe(made.key.fingerprint)
  expect(made.key.userName).toBe(NAMES.binhost)

  // Killed between the key's file and the rename of keys.json.
  const before = await readFile(join(folder.path, 'keys.json'))
  const cut = await again.add('overlay', inDays(7))
  await writeFile(join(folder.path, 'keys.json'), before)
  const after = await HubKeys.open(folder.path, NAMES, CLOCK)
  expect(after.overlay.fingerprints).not.toContain(cut.key.fingerprint)
  expect(await readdir(folder.path)).toEqual([
    `binhost-${made.key.fingerprint}.key`,
    ...['binhost.key', 'hub.key', 'keys.json'],
  ])
})

test('a new key without keys.json stops the start: nobody would know which one signs', async () => {
  await using folder = await temporaryFolder()
  const keys = await HubKeys.open(folder.path, NAMES, CLOCK)
  await keys.add('overlay', inDays(7))
  const names = await readdir(folder.path)
  await rm(join(folder.path, 'keys.json'))
  await expect(HubKeys.open(folder.path, NAMES, CLOCK)).rejects.toEqual(INVALID)
  expect(await readdir(folder.path)).toEqual(names.filter((name) => name !== 'keys.json'))
})
