/** Lists and searches of builds, as an archive of any size answers them. */
import { describe, expect, test } from 'vitest'
import { EVERYTHING } from '../../src/access/rights.ts'
import { openSqlite } from '../../src/records/database.ts'
import { migrate } from '../../src/records/migrate.ts'
import { Records } from '../../src/records/records.ts'
import type { BuildFilter } from '../../src/records/list-builds.ts'

const EVERYBODY = { sight: EVERYTHING }

/** Builds arrive in this order, a second apart. */
const BUILDS = [
  { app: 'shop', semver: '1.0.0', commitId: 'aabbccddeeff', branch: 'main' },
  { app: 'desk', semver: '2.0.0-rc.1', commitId: null, branch: 'feature/100%-new' },
  { app: 'shop', semver: '1.1.0', commitId: 'AABB00112233', branch: 'fix_"quoted"' },
  { app: 'desk', semver: null, commitId: null, branch: null },
] as const

async function archive(): Promise<Records> {
  const db = openSqlite(':memory:')
  await migrate(db)
  const records = new Records(db)
  for (const name of ['shop', 'desk'])
    await records.apps.ensure({ name, category: 'app-hub', versionPolicy: '{}', createdAt: 'x' })
  for (const [at, { app, ...rest }] of BUILDS.entries()) {
    const digest = String(at).padStart(128, '0')
    await records.builds.add({
      ...{ app, build: at + 1, ...rest, category: 'app-hub', pn: app, pv: `0_p${at + 1}` },
      ...{ distfileName: `hub-${app}-${at}.tar`, format: 'tar', topDirectory: null, entryCount: 1 },
      ...{ unpackedBytes: 1, sizeBytes: 1, blake2b: digest, sha512: digest, sha256: digest.slice(64) },
      ...{ recipe: '{}', recipeSource: 'default', ebuildOid: 'e'.repeat(40), cacheOid: null, ciUrl: null },
      ...{ uploadedBy: 'ci', receivedAt: `2026-01-02T03:04:0${at}Z` },
    })
  }
  return records
}

async function released(records: Records, environment: string, build: number): Promise<void> {
  const { app } = BUILDS[build - 1] ?? { app: 'shop' }
  await records.releases.add({
    ...{ id: `rel_${environment}${build}`, environment, app, build, state: 'released', releasedBy: 'ada' },
    ...{
      releasedAt: 'x',
      revision: 1,
      withdrawnBy: null,
      withdrawnAt: null,
      withdrawnRevision: null,
      reason: null,
    },
  })
}

async function numbers(records: Records, filter: Partial<BuildFilter>): Promise<readonly number[]> {
  const { items } = await records.builds.list({ ...EVERYBODY, ...filter }, { limit: 50, cursor: null })
  return items.map(({ build }) => build)
}

describe('a search', () => {
  test.each([
    ['a part of an app’s name', 'hop', [3, 1]],
    ['a version', '.0.0', [2, 1]],
    ['the end of a version', 'rc.1', [2]],
    ['what Portage calls the version', '_p4', [4]],
    ['a commit, whatever its case', 'aABB', [3, 1]],
    ['the middle of a commit', 'ccdd', [1]],
    ['a branch', 'ature/1', [2]],
    ['characters that stand for others in patterns', '100%-n', [2]],
    ['an underscore that stands for itself', 'fix_"', [3]],
    ['quotation marks', '"quoted"', [3]],
    ['words that a search engine would read as its own', 'main" OR "', []],
    ['one letter', 'k', [4, 2]],
    ['two letters', 'ho', [3, 1]],
    ['two characters that are patterns', '%-', [2]],
    ['nothing that is there', 'zzz', []],
    ['nothing of two letters that is there', 'zz', []],
  ])('finds %s', async (_what, search, expected) => {
    await using records = await archive()
    expect(await numbers(records, { search })).toEqual(expected)
  })

  test('within an app, newest number first', async () => {
    await using records = await archive()
    expect(await numbers(records, { search: 'aabb', app: 'shop' })).toEqual([3, 1])
    expect(await numbers(records, { search: 'aabb', app: 'desk' })).toEqual([])
  })

  test('shows nobody what they may not see', async () => {
    await using records = await archive()
    await released(records, 'production', 1)
    expect(
      await numbers(records, { search: 'shop', sight: [{ apps: null, environments: ['production'] }] }),
    ).toEqual([1])
    const desk = { apps: ['desk'], environments: null }
    expect(await numbers(records, { search: '.0', sight: [desk] })).toEqual([2])
    const ofShop = { apps: ['shop'], environments: ['production'] }
    expect(await numbers(records, { sight: [ofShop] })).toEqual([1])
    expect(await numbers(records, { sight: [desk, ofShop] })).toEqual([4, 2, 1])
    expect(await numbers(records, { sight: [{ ...desk, environments: ['production'] }] })).toEqual([])
    expect(await numbers(records, { sight: [] })).toEqual([])
  })

  test.each(['shop', 'ho', undefined])('gives %s page by page, each build once', async (search) => {
    await using records = await archive()
    const seen: number[] = []
    for (let cursor: string | null = null, pages = 0; pages < 5; pages++) {
      const filter = { ...EVERYBODY, ...(search === undefined ? {} : { search }) }
      const page = await records.builds.list(filter, { limit: 1, cursor })
      seen.push(...page.items.map(({ build }) => build))
      cursor = page.nextCursor
      if (cursor === null) break
    }
    expect(seen).toEqual(search === undefined ? [4, 3, 2, 1] : [3, 1])
  })
})

test('builds of an environment are found among many that it never released', async () => {
  await using records = await archive()
  for (const build of [1, 4]) await released(records, 'production', build)
  for (const build of [1, 2, 3, 4]) await released(records, 'staging', build)
  expect(await numbers(records, { sight: [{ apps: null, environments: ['production'] }] })).toEqual([4, 1])
  expect(
    await numbers(records, { sight: [{ apps: null, environments: ['production', 'staging'] }] }),
  ).toEqual([4, 3, 2, 1])
  expect(await records.releases.appsOf(['production'])).toEqual(['desk', 'shop'])
})
