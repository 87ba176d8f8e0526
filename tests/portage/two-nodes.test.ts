/** Two real nodes of one hub, with packages that a real Portage packed: what is one's is neither the other's nor anybody's. */
import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readHubNodeProgram } from '../../src/hub-node-program.ts'
import { routesOfPoint } from '../support/point-routes.ts'
import { announcementOf, enrolNode, pointsOf } from '../support/restore-points.ts'
import type { PackedFile } from '../support/restore-points.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { enrolledNode, hubNode } from './support/enrolled-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import { POINTS, pointIds } from './support/hub-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const CPV = 'app-acme/shop-1.0.0_p1'
const BINPKG = 'app-acme/shop/shop-1.0.0_p1-1.gpkg.tar'
const RECIPE =
  'backup: {commands: [\'echo rows of $(hostname) > "$HUB_BACKUP_DIR/shop.dump"\'], expect: [shop.dump]}\n'
const CHANGED_BYTES = 40

const tests = (): void => {
  test('neither of two nodes reads or writes what is the other’s, by whichever address', async () => {
    await using hub = await openHub()
    await using web1 = await nodeWithPoint(hub, 'web1')
    await using web2 = await nodeWithPoint(hub, 'web2')
    const both = [
      { name: 'web1', node: web1 },
      { name: 'web2', node: web2 },
    ] as const
    const tokens = { web1: await tokenOf(web1), web2: await tokenOf(web2) }
    for (const [own, other] of [both, [both[1], both[0]]] as const) {
      const [point = ''] = await pointIds(other.node)
      for (const { method, path, bytes } of routesOfPoint(other.name, point, BINPKG)) {
        const ask = async (token: string) =>
          await fetch(hub.url + path, {
            method,
            headers: { Authorization: `Bearer ${token}` },
            body: bytes ?? null,
          })
        const refused = await ask(tokens[own.name])
        expect([method, path, refused.status]).toEqual([method, path, 403])
        expect(await refused.text()).toContain('auth.forbidden')
        // The same question by whom it concerns is one that the hub answers.
        if (method === 'GET') expect([path, (await ask(tokens[other.name])).status]).toEqual([path, 200])
      }
    }

    // By Portage itself: another's binhost gives neither an index nor a package.
    await web2.bash('sed -i s,/binhost/nodes/web2,/binhost/nodes/web1, /etc/portage/binrepos.conf/*')
    await web2.must('emerge', '--unmerge', '--quiet', `=${CPV}`)
    await forgetPackages(web2)
    const foreign = await web2.run('emerge', '--oneshot', '--getbinpkgonly', `=${CPV}`)
    expect(foreign.status, foreign.output).not.toBe(0)
    expect(await client.installedPackages(web2)).not.toContain(CPV)
    await web2.bash('sed -i s,/binhost/nodes/web1,/binhost/nodes/web2, /etc/portage/binrepos.conf/*')
    await web2.must('emerge', '--oneshot', '--getbinpkgonly', `=${CPV}`)
    expect(await client.installedPackages(web2)).toContain(CPV)
  })

  test('a package with one byte changed is refused by the hub, wherever the byte is, and nothing of it is kept', async () => {
    await using hub = await openHub()
    await using web1 = await nodeWithPoint(hub, 'web1')
    const bytes = await packedBy(web1)
    const points = pointsOf(hub, 'web1', await tokenOf(web1))
    const before = [await stored(hub), (await points.index()).bytes.toString()]
    for (let nth = 0; nth < CHANGED_BYTES; nth += 1) {
      const place = Math.floor((bytes.byteLength * nth) / CHANGED_BYTES) + (nth % 7)
      const changed = Buffer.from(bytes)
      changed[place] = (changed[place] ?? 0) ^ 1
      const reply = await send(points, { kind: 'binpkg', name: BINPKG, bytes: changed }, idOf(nth))
      expect([place, reply.status]).toEqual([place, 422])
      expect([await stored(hub), (await points.index()).bytes.toString()]).toEqual(before)
    }
  })

  test('a package signed by another hub’s key is refused by Portage, and one by its own hub’s is installed', async () => {
    await using hub = await openHub()
    await using web1 = await nodeWithPoint(hub, 'web1')
    await using other = await openHub()
    const token = await enrolNode(other, 'web1')
    const points = pointsOf(other, 'web1', token)
    const bytes = await packedBy(web1)
    const taken = await send(points, { kind: 'binpkg', name: BINPKG, bytes }, idOf(0))
    expect(taken.status, taken.text).toBe(200)
    await web1.must('emerge', '--unmerge', '--quiet', `=${CPV}`)

    await forgetPackages(web1)
    const own = await web1.bash('tar -C /etc/portage -c binrepos.conf hub/.netrc hub/fetch | base64 -w0')
    await web1.bash(
      'sed -i "s,$1,$2," /etc/portage/binrepos.conf/* /etc/portage/hub/fetch',
      hub.url,
      other.url,
    )
    await web1.bash('sed -i "s/$1/$2/" /etc/portage/hub/.netrc', await tokenOf(web1), token)
    const foreign = await web1.run('emerge', '--oneshot', '--getbinpkgonly', `=${CPV}`)
    expect(foreign.status).not.toBe(0)
    expect(foreign.output).toContain('GnuPG verification failed')
    expect(await client.installedPackages(web1)).not.toContain(CPV)

    await web1.bash('base64 -d <<< "$1" | tar -C /etc/portage -x', own)
    await forgetPackages(web1)
    await web1.must('emerge', '--oneshot', '--getbinpkgonly', `=${CPV}`)
    expect(await client.installedPackages(web1)).toContain(CPV)
  })
}

/**
 * What Portage packed at the unmerge, and what it fetched: it would install from there. It knows an index by the hub's name
 * without its port, and two hubs of one moment have the same TIMESTAMP.
 */
async function forgetPackages(node: GentooNode): Promise<void> {
  await node.bash('rm -rf /var/cache/binpkgs /var/cache/binhost /var/cache/edb/binhost')
}

/** A hub with one build, which is the same in each such hub. */
async function openHub(): Promise<TestHub> {
  const hub = await createTestHub({ HUB_CATEGORY: 'app-acme' }, { hubNode: readHubNodeProgram() })
  const fields = { build: '1', version: '1.0.0', recipe: RECIPE }
  const reply = await hub.upload('shop', tarball({ 'shop/run': 'build 1\n' }), fields)
  expect(reply.status, reply.text).toBe(201)
  return hub
}

/** A host that was enrolled by the hub's own script, has the build installed, and a restore point of it in the hub. */
async function nodeWithPoint(hub: TestHub, name: string): Promise<GentooNode> {
  const node = await enrolledNode(hub, name)
  await node.must('emerge', '--oneshot', '--quiet', `=${CPV}`)
  await hubNode(node, 'backup', 'shop')
  return node
}

async function tokenOf(node: GentooNode): Promise<string> {
  return (await node.read('etc/portage/hub/.netrc')).trim().split(' ').at(-1) ?? ''
}

/** What the node's Portage packed for its restore point. */
async function packedBy(node: GentooNode): Promise<Buffer> {
  const [point = ''] = await pointIds(node)
  return await readFile(node.path(`${POINTS}/${point}/packages/${BINPKG}`))
}

function idOf(nth: number): string {
  return `rp_20260102T030405Z_${createHash('sha256').update(String(nth)).digest('hex').slice(0, 6)}`
}

async function send(points: ReturnType<typeof pointsOf>, file: PackedFile, id: string) {
  const announced = await points.announce(announcementOf([file], { id, cpv: CPV }))
  expect(announced.status, announced.text).toBe(201)
  const put = await points.put(file, id)
  expect(put.status < 300, put.text).toBe(true)
  return await points.complete(id)
}

/** Every blob of restore points, and every upload of one that is in progress. */
async function stored(hub: TestHub): Promise<readonly string[]> {
  const folders = ['binpkgs', 'var/binpkg-uploads'].map(async (folder) => {
    const entries = await readdir(join(hub.directory, folder), { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  })
  return (await Promise.all(folders)).flat().toSorted()
}

describeWithPortage('two nodes of one hub', tests, { timeoutMs: 600_000 })
