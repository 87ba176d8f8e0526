import { describe, expect, test } from 'vitest'
import { objectId } from '../../src/git/objects.ts'
import { EMPTY_TREE, treeFromFiles } from '../../src/git/tree.ts'
import type { Tree } from '../../src/git/tree.ts'
import {
  newestReleases,
  planApp,
  planMask,
  planSettings,
  WITHDRAWN_MASK,
} from '../../src/overlays/plan-overlay.ts'
import type { OverlayPlan } from '../../src/overlays/plan-overlay.ts'
import type { ListedBuild } from '../../src/records/releases.ts'

const CONFIG = {
  overlayPrefix: 'hub',
  publicUrl: 'https://hub.example',
  masters: ['gentoo'],
  freeLicenses: ['acme'],
  category: 'app-hub',
  keepReleases: 2,
}
const SOME_OID = objectId('blob', Buffer.from('x'))

function listed(build: number, change: Partial<ListedBuild> = {}): ListedBuild {
  const pv = `0_p${String(build)}`
  return {
    app: 'shop',
    build,
    category: 'app-acme',
    pn: 'shop',
    pv,
    ebuildOid: objectId('blob', Buffer.from(`ebuild ${pv}`)),
    cacheOid: objectId('blob', Buffer.from(`cache ${pv}`)),
    distfileName: `hub-shop-${pv}.tar.gz`,
    sizeBytes: build,
    blake2b: 'b'.repeat(128),
    sha512: 'a'.repeat(128),
    state: 'released',
    reason: null,
    withdrawnBy: null,
    withdrawnAt: null,
    ...change,
  }
}

function treeOf(...paths: readonly string[]): Tree {
  return treeFromFiles(paths.map((path) => [path, SOME_OID] as const))
}

/** A plan with its texts, short enough to compare. */
function shape(plan: OverlayPlan): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    Array.from(plan, ([path, file]) => [
      path,
      file === null ? null : 'oid' in file ? file.oid : file.content.toString(),
    ]),
  )
}

test('the settings decide on names, mirror, licences and masters', () => {
  expect(shape(planSettings(CONFIG, 'staging', treeOf('app-acme/shop/Manifest')))).toEqual({
    'profiles/repo_name': 'hub-staging\n',
    'profiles/eapi': '8\n',
    'profiles/categories': 'app-acme\napp-hub\n',
    'profiles/thirdpartymirrors': 'hub https://hub.example/distfiles/staging\n',
    'profiles/license_groups': 'FREE acme\n',
    'metadata/layout.conf': expect.stringContaining('masters = gentoo\nthin-manifests = true\n'),
  })
  const none = planSettings({ ...CONFIG, freeLicenses: [] }, 'staging', EMPTY_TREE)
  expect(none.get('profiles/license_groups')).toBeNull()
})

describe('an app', () => {
  test('lists its newest releases; what is no longer listed goes, cache entry and all', () => {
    const tree = treeOf('app-acme/shop/shop-0_p1.ebuild', 'metadata/md5-cache/app-acme/shop-0_p1')
    const plan = shape(planApp(CONFIG, tree, [listed(1), listed(2), listed(3)], null))
    expect(plan).toMatchObject({
      'app-acme/shop/shop-0_p1.ebuild': null,
      'metadata/md5-cache/app-acme/shop-0_p1': null,
      'app-acme/shop/shop-0_p2.ebuild': listed(2).ebuildOid,
      'metadata/md5-cache/app-acme/shop-0_p3': listed(3).cacheOid,
      'profiles/categories': 'app-acme\napp-hub\n',
    })
    expect(plan['app-acme/shop/Manifest']?.match(/^DIST \S+/gm)).toEqual([
      'DIST hub-shop-0_p2.tar.gz',
      'DIST hub-shop-0_p3.tar.gz',
    ])
  })

  test('has no cache entry for an ebuild that was sent complete, also where there was one', () => {
    const tree = treeOf('metadata/md5-cache/app-acme/shop-0_p1')
    const plan = planApp(CONFIG, tree, [listed(1, { cacheOid: null })], null)
    expect(plan.get('metadata/md5-cache/app-acme/shop-0_p1')).toBeNull()
  })

  test('without a release plans nothing', () => {
    expect(planApp(CONFIG, EMPTY_TREE, [], null).size).toBe(0)
  })
})

test('the newest are those of Portage’s order, not of arrival or of text', () => {
  const builds = ['1.9', '1.10', '1.10_rc1', '0_p99', '1.10_p3'].map((pv, at) => listed(at + 1, { pv }))
  expect(newestReleases(builds, 3).map(({ pv }) => pv)).toEqual(['1.10_p3', '1.10', '1.10_rc1'])
})

describe('the mask', () => {
  const withdrawn = listed(1, {
    state: 'withdrawn',
    reason: 'loses\norders',
    withdrawnBy: 'ada',
    withdrawnAt: '2026-01-02T03:04:05Z',
  })

  test('names who, when and why above the version', () => {
    const plan = planMask(treeOf('app-acme/shop/shop-0_p1.ebuild'), [withdrawn], new Map())
    expect(shape(plan)[WITHDRAWN_MASK]).toBe('# ada (2026-01-02)\n# loses orders\n=app-acme/shop-0_p1\n')
  })

  test('is gone when nothing withdrawn is listed', () => {
    expect(planMask(EMPTY_TREE, [withdrawn], new Map()).get(WITHDRAWN_MASK)).toBeNull()
    expect(planMask(EMPTY_TREE, [], new Map()).get(WITHDRAWN_MASK)).toBeNull()
  })

  test('follows what the same change lists and takes away', () => {
    const path = 'app-acme/shop/shop-0_p1.ebuild'
    const gone = planMask(treeOf(path), [withdrawn], new Map([[path, null]]))
    expect(gone.get(WITHDRAWN_MASK)).toBeNull()
    const comes = planMask(EMPTY_TREE, [withdrawn], new Map([[path, { oid: SOME_OID }]]))
    expect(comes.get(WITHDRAWN_MASK)).not.toBeNull()
  })
})
