/** Files of a node that are not as its build has them: found in restore points, told of points, packages and nodes. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { reportOf } from '../support/node-reports.ts'
import {
  BINPKG,
  CPV,
  announcementOf,
  enrolNode,
  packedShop,
  pointsOf,
  uploadShop,
} from '../support/restore-points.ts'
import type { PackedFile } from '../support/restore-points.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { cliOf } from '../cli/support.ts'

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
const CONTENTS = ['dir /opt', 'dir /opt/shop', `obj /opt/shop/run ${md5('a shop\n')} 1767323000`]
const EDITED = 'rp_20260101T000000Z_aaaaaa'
const AS_INSTALLED = 'rp_20260102T000000Z_aaaaaa'

/** What quickpkg packs where the program has this content; `also` was installed and is gone. */
async function pack(hub: TestHub, content: string, also: readonly string[] = []): Promise<PackedFile> {
  const folders = ['image/', 'image/opt/', 'image/opt/shop/'].map((name) => ({ name, type: '5' }) as const)
  const gone = also.map((path) => `obj ${path} ${md5('x')} 1767323000`)
  const bytes = await packedShop(hub, {
    metadata: { CONTENTS: `${[...CONTENTS, ...gone].join('\n')}\n` },
    image: [...folders, { name: 'image/opt/shop/run', content }],
  })
  return { kind: 'binpkg', name: BINPKG, bytes }
}

type Points = ReturnType<typeof pointsOf>

async function store(points: Points, file: PackedFile, id: string, change: object = {}): Promise<void> {
  const day = `${id.slice(3, 7)}-${id.slice(7, 9)}-${id.slice(9, 11)}`
  await points.announce(announcementOf([file], { id, takenAt: `${day}T00:00:00Z`, ...change }))
  await points.put(file, id)
  const completed = await points.complete(id)
  if (completed.status !== 200) throw new Error(completed.text)
}

async function reporting(hub: TestHub, name: string): Promise<Points> {
  const token = await enrolNode(hub, name)
  const reply = await hub
    .as(token)
    .post(`/api/v1/nodes/${name}/report`)
    .send(reportOf([CPV]))
  if (reply.status !== 200) throw new Error(reply.text)
  return pointsOf(hub, name, token)
}

async function changedFilesOf(hub: TestHub, name: string): Promise<unknown> {
  const one = (await hub.as().get(`/api/v1/nodes/${name}`)).body as Listed
  const { items } = (await hub.as().get('/api/v1/nodes')).body as { readonly items: readonly Listed[] }
  const listed = items.find((item) => item.name === name)
  expect(listed?.packages).toEqual(one.packages)
  return one.packages[0]?.changedFiles
}

interface Listed {
  readonly name: string
  readonly drifted: boolean
  readonly packages: readonly { readonly changedFiles: unknown }[]
}

test('a node, its packages and its points tell which files were changed, by the newest point that knows', async () => {
  await using hub = await createTestHub()
  await uploadShop(hub)
  const points = await reporting(hub, 'web1')
  await reporting(hub, 'web2')
  expect(await changedFilesOf(hub, 'web1')).toBeNull()

  await store(points, await pack(hub, 'edited\n', ['/etc/shop.toml']), EDITED)
  const edited = { count: 2, names: ['/etc/shop.toml', '/opt/shop/run'] }
  expect(await changedFilesOf(hub, 'web1')).toEqual({
    ...edited,
    ...{ restorePoint: EDITED, at: '2026-01-01T00:00:00Z' },
  })
  expect(await changedFilesOf(hub, 'web2')).toBeNull()
  expect((await hub.as().get('/api/v1/nodes/web1')).body.drifted).toBe(false)
  expect((await points.show(EDITED)).body.changedFiles).toEqual(edited)
  expect((await points.list()).body.items).toMatchObject([{ id: EDITED, changedFiles: edited }])

  // Somebody put it right; and of what is encrypted the hub knows nothing, however new.
  await store(points, await pack(hub, 'a shop\n'), AS_INSTALLED)
  const encrypted = { kind: 'binpkg', name: `${BINPKG}.age`, bytes: Buffer.from('sealed') } as const
  await store(points, encrypted, 'rp_20260103T000000Z_aaaaaa', { encrypted: true })
  const right = { count: 0, names: [] }
  expect(await changedFilesOf(hub, 'web1')).toMatchObject({ ...right, restorePoint: AS_INSTALLED })
  const { items } = (await points.list()).body as { readonly items: readonly { changedFiles: unknown }[] }
  expect(items.map(({ changedFiles }) => changedFiles)).toEqual([null, right, edited])

  // The same bytes in another point are the same package.
  await store(points, await pack(hub, 'edited\n', ['/etc/shop.toml']), 'rp_20260104T000000Z_aaaaaa')
  expect(await changedFilesOf(hub, 'web1')).toMatchObject({
    ...edited,
    restorePoint: 'rp_20260104T000000Z_aaaaaa',
  })
})

test('the command line shows them, the names as text', async () => {
  await using hub = await createTestHub()
  const cli = cliOf(hub)
  await uploadShop(hub)
  const points = await reporting(hub, 'web1')
  const many = Array.from({ length: 22 }, (_, at) => `/etc/shop/${String(at).padStart(2, '0')}\u001b[2J`)
  await store(points, await pack(hub, 'a shop\n', many), EDITED)
  expect((await cli('nodes')).stdout).toMatch(/ as released, files of 1 changed /)
  expect((await cli('nodes', 'points', 'web1')).stdout).toMatch(/FILES CHANGED\n.* 22\n$/)
  const { stdout } = await cli('nodes', 'show', 'web1')
  expect(stdout).toContain(
    `\n22 files of ${CPV} not as installed, by ${EDITED} of 2026-01-01 00:00 UTC:\n  /etc/shop/00?[2J\n`,
  )
  expect(stdout).toMatch(/ {2}\/etc\/shop\/19\?\[2J\n {2}and 2 more\n$/)
})
