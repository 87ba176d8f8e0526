import { expect, test } from 'vitest'
import type { Oid } from '../../src/git/objects.ts'
import { Tree } from '../../src/git/tree.ts'
import { FormerStates } from '../../src/overlays/former-states.ts'
import type { OverlayState } from '../../src/overlays/overlay-history.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

function staging({ hub }: TestHub) {
  const overlay = hub.overlays.get('staging')
  if (!overlay) throw new Error('there is no staging')
  return overlay
}

async function withHistory(): Promise<{ hub: TestHub; states: readonly OverlayState[] }> {
  const hub = await createTestHub({ HUB_KEEP_RELEASES: '2', HUB_PUBLIC_URL: 'http://hub.example' })
  const states: OverlayState[] = []
  for (let build = 1; build <= 4; build++) {
    await hub.upload(build % 2 ? 'shop' : 'desk', tarball({ f: `${build}` }), { build: `${build}` })
    const { state } = staging(hub)
    if (state) states.push(state)
  }
  await hub.as().put('/api/v1/environments/staging/files/profiles/package.use/mine').send('a/b c\n')
  return { hub, states }
}

test('every revision of before the start is given back as it was', async () => {
  const { hub: before, states } = await withHistory()
  await using hub = await before.restart()
  expect(staging(hub).former).toHaveLength(0)
  for (const state of states) {
    const recalled = await staging(hub).recall(state.commit)
    expect(recalled?.tree.oid).toBe(state.tree.oid)
    expect(recalled?.commitBytes.equals(state.commitBytes)).toBe(true)
    expect(await staging(hub).recall(state.commit)).toBe(recalled)
  }
  const { state } = staging(hub)
  expect(await staging(hub).recall(state?.commit as Oid)).toBe(state)
})

test('a commit that there never was is not recalled', async () => {
  const { hub } = await withHistory()
  await using _hub = hub
  expect(await staging(hub).recall('0'.repeat(40) as Oid)).toBeNull()
})

test('an overlay without a revision recalls nothing, and one in memory is given as it is', async () => {
  const { hub, states } = await withHistory()
  await using _hub = hub
  const [first] = states
  expect(await staging(hub).recall(first?.commit as Oid)).toBe(first)
})

test('of former states as many are held as fit, the newest of them whatever their size', () => {
  const former = new FormerStates()
  const oidOf = (revision: number): Oid => String(revision).padStart(40, '0') as Oid
  const file = { name: 'f', mode: '100644', oid: oidOf(0), encodedBytes: 29 } as const
  const state = (revision: number, files: number): OverlayState => ({
    ...{ revision, commit: oidOf(revision), commitBytes: Buffer.alloc(0) },
    tree: new Tree(new Array<typeof file>(files).fill(file), []),
  })
  // The list of so many files takes 2.4 MB.
  for (let revision = 1; revision <= 100; revision++)
    former.add(state(revision, 300_000), state(revision + 1, 0))
  expect(former.list.map(({ revision }) => revision)).toEqual(Array.from({ length: 32 }, (_, at) => 100 - at))
  expect(former.get(oidOf(69))?.revision).toBe(69)
  expect(former.get(oidOf(68))).toBeUndefined()
  for (let revision = 101; revision <= 1300; revision++)
    former.add(state(revision, 0), state(revision + 1, 0))
  expect(former.list).toHaveLength(1024)
})
