import { describe, expect, test } from 'vitest'
import { statusOf } from '../../src/nodes/node-status.ts'
import type { NodePackageRow, NodeRow } from '../../src/records/nodes.ts'
import type { StandingBuild } from '../../src/records/releases.ts'

const NODE: NodeRow = {
  ...{
    name: 'web1',
    environment: 'staging',
    machineId: null,
    tokenId: 'tok_1',
    enrolledBy: 'x',
    enrolledWith: null,
    retrySha256: null,
  },
  ...{ enrolledAt: '2026-01-01T00:00:00Z', leftAt: null, reportedAt: null, syncedCommit: null },
}
const NOTHING = { packages: [], changes: new Map() }
const NOW = new Date('2026-01-01T01:00:00Z')

function installed(pvr: string, build: number | null, change: Partial<NodePackageRow> = {}): NodePackageRow {
  return {
    ...{ node: 'web1', cpv: `app-hub/shop-${pvr}`, repository: 'hub-staging', binpkgBuildId: null },
    ...{ app: build === null ? null : 'shop', build, restorePoint: null, since: '2026-01-01T00:00:00Z' },
    ...change,
  }
}

function standing(pv: string, build: number, state: StandingBuild['state'] = 'released'): StandingBuild {
  return { app: 'shop', build, category: 'app-hub', pn: 'shop', pv, release: `rel_${String(build)}`, state }
}

function reasons(pkg: NodePackageRow, builds: readonly StandingBuild[]): readonly string[] {
  const status = statusOf(
    NODE,
    { packages: [pkg], changes: new Map() },
    { overlay: 'hub-staging', builds: Map.groupBy(builds, ({ app }) => app) },
    NOW,
  )
  expect(status.isDrifted).toBe(status.packages.some(({ drift }) => drift.length > 0))
  return status.packages.flatMap(({ drift }) => drift.map(({ code }) => code))
}

describe('a package', () => {
  // By Portage's order, not by that of arrival: 9 came before 10, and a candidate is below its release.
  const BUILDS = [standing('1.0.0_p9', 9), standing('1.0.0_p10', 10), standing('1.0.0_rc2_p11', 11)]

  test.each<[string, number, readonly string[]]>([
    ['1.0.0_p10', 10, []],
    ['1.0.0_p10-r1', 10, []],
    ['1.0.0_p9', 9, ['behind']],
    ['1.0.0_rc2_p11', 11, ['behind']],
    ['2.0.0_p12', 12, ['not_released', 'ahead']],
  ])('%s is build %i: %j', (pvr, build, expected) => {
    expect(reasons(installed(pvr, build), BUILDS)).toEqual(expected)
  })

  test('that was withdrawn is ahead of what remains', () => {
    const builds = [standing('1.0.0_p9', 9), standing('1.0.0_p10', 10, 'withdrawn')]
    expect(reasons(installed('1.0.0_p10', 10), builds)).toEqual(['withdrawn', 'ahead'])
    expect(reasons(installed('1.0.0_p10', 10), builds.slice(1))).toEqual(['withdrawn'])
  })

  test('of another repository is told, and one of no app is nobody’s wish', () => {
    expect(reasons(installed('1.0.0_p10', 10, { repository: 'local' }), BUILDS)).toEqual(['other_repository'])
    expect(reasons(installed('1', null, { repository: 'local' }), BUILDS)).toEqual([])
  })
})

test('silence counts from the last report, or from enrolment, and ends with leaving', () => {
  const at = (change: Partial<NodeRow>, now: string) =>
    statusOf({ ...NODE, ...change }, NOTHING, { overlay: '', builds: new Map() }, new Date(now)).notSeenSince
  expect(at({}, '2026-01-02T00:00:00Z')).toBeNull()
  expect(at({}, '2026-01-02T00:00:01Z')).toBe('2026-01-01T00:00:00Z')
  expect(at({ reportedAt: '2026-01-02T00:00:00Z' }, '2026-01-02T12:00:00Z')).toBeNull()
  expect(at({ leftAt: '2026-01-01T00:00:00Z' }, '2026-02-01T00:00:00Z')).toBeNull()
})
