/** One digest of an image, by the hub and by a node's program: what changes it, what does not, and that both agree. */
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect } from 'vitest'
import { imageDigest } from '../../src/binpkgs/image-digest.ts'
import { openBinpkg } from '../../src/binpkgs/open-binpkg.ts'
import type { Gpkg } from '../../src/binpkgs/open-binpkg.ts'
import { digestImageEntries } from '../../src/binpkgs/read-image.ts'
import { DEFAULT_ARCHIVE_LIMITS } from '../../src/builds/archive-limits.ts'
import { temporaryFolder } from '../git/support.ts'
import { GOLDEN_BINPKGS, goldenPackages, gpkgOf, programsOf, shopParts } from '../support/gpkgs.ts'
import { testWith } from '../support/programs.ts'
import { seededRandom } from '../support/random.ts'
import type { Random } from '../support/random.ts'
import { paxHeader, tarEntry, tarOf } from '../support/tarballs.ts'

const GOLDEN = '414e0bc2d33e7b116cb48971dec910542586eaf3d0c8fe8ac7c23463be1ac8bf'
const ASK = [
  'import importlib.machinery, importlib.util, pathlib, sys',
  'sys.dont_write_bytecode = True',
  'loader = importlib.machinery.SourceFileLoader("hub_node", sys.argv[1])',
  'module = importlib.util.module_from_spec(importlib.util.spec_from_loader("hub_node", loader))',
  'sys.modules["hub_node"] = module',
  'loader.exec_module(module)',
  'for name in sys.argv[2:]: print(module.image_digest(pathlib.Path(name)) or "null")',
].join('\n')

async function byHub(path: string): Promise<string> {
  const gpkg = (await openBinpkg(path)) as Gpkg
  return imageDigest(await digestImageEntries(gpkg, DEFAULT_ARCHIVE_LIMITS)) ?? 'null'
}

function byNode(...paths: readonly string[]): readonly string[] {
  const program = resolve(import.meta.dirname, '../../node/hub-node')
  const ran = spawnSync('python3', ['-c', ASK, program, ...paths], { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(ran.stderr)
  return ran.stdout.trim().split('\n')
}

async function packages(folder: string, tars: readonly Buffer[]): Promise<readonly string[]> {
  return await Promise.all(
    tars.map(async (tar, number) => {
      const path = join(folder, `${String(number)}.gpkg.tar`)
      await writeFile(path, gpkgOf(shopParts({ 'image.tar.gz': gzipSync(tar) })))
      return path
    }),
  )
}

/** What both say of each image; they must say the same. */
async function digestsOf(...tars: readonly Buffer[]): Promise<readonly string[]> {
  await using folder = await temporaryFolder()
  const paths = await packages(folder.path, tars)
  const digests: string[] = []
  for (const path of paths) digests.push(await byHub(path))
  expect(byNode(...paths)).toEqual(digests)
  return digests
}

for (const name of goldenPackages('gpkg')) {
  const programs = name.startsWith('gpkg-zstd/') ? ['zstd'] : programsOf(name)
  testWith('python3', ...programs)(`however it is packed, ${name} has the same digest for both`, async () => {
    const path = join(GOLDEN_BINPKGS, name)
    expect([await byHub(path), ...byNode(path)]).toEqual([GOLDEN, GOLDEN])
  })
}

const FOLDER = { name: 'image/opt/', type: '5', mode: 0o755 }
const FILE = { name: 'image/opt/a', content: 'abc' }

testWith('python3')('neither times nor the order of the entries are in it, nor the root', async () => {
  const root = { name: 'image', type: '5', mode: 0o700 }
  const later = { ...FILE, raw: { mtime: '00000001750\0' } }
  const owned = { ...FILE, raw: { uid: '0000000\0' } }
  const digests = await digestsOf(
    tarOf(FOLDER, FILE),
    tarOf(root, later, FOLDER),
    tarOf(paxHeader([['mtime', '1.5']]), tarEntry(FILE), FOLDER),
    tarOf(FOLDER, owned),
  )
  expect(new Set(digests).size).toBe(1)
  expect(digests[0]).toMatch(/^[0-9a-f]{64}$/)
})

testWith('python3')('each other fact of an entry changes it', async () => {
  const digests = await digestsOf(
    tarOf(FOLDER, FILE),
    tarOf(FILE),
    tarOf({ ...FOLDER, mode: 0o750 }, FILE),
    tarOf(FOLDER, { ...FILE, content: 'abd' }),
    tarOf(FOLDER, { ...FILE, name: 'image/opt/b' }),
    tarOf(FOLDER, { ...FILE, mode: 0o755 }),
    tarOf(FOLDER, { ...FILE, raw: { uid: '0000001\0' } }),
    tarOf(FOLDER, { ...FILE, raw: { gid: '0000001\0' } }),
    tarOf(FOLDER, paxHeader([['uname', 'shop']]), tarEntry(FILE)),
    tarOf(FOLDER, paxHeader([['uname', '0']]), tarEntry(FILE)),
    tarOf(FOLDER, paxHeader([['gname', '0']]), tarEntry(FILE)),
    tarOf(FOLDER, { name: 'image/opt/a', type: '2', link: 'abc' }),
    tarOf(FOLDER, { name: 'image/opt/a', type: '5' }),
    tarOf(FOLDER, FILE, { name: 'image/opt/b', type: '1', link: 'image/opt/a' }),
    tarOf(FOLDER, FILE, { name: 'image/opt/b', content: 'abc' }),
  )
  expect(new Set(digests).size).toBe(digests.length)
  expect(digests).not.toContain('null')
})

testWith('python3')(
  'what the digest does not tell apart has none: attributes, and names that would forge it',
  async () => {
    const attribute = [['SCHILY.xattr.security.capability', 'x']] as const
    const digests = await digestsOf(
      tarOf(FOLDER, paxHeader(attribute), tarEntry(FILE)),
      tarOf(paxHeader(attribute, 'g'), FOLDER, FILE),
      tarOf(FOLDER, paxHeader([['uname', 'a\nb']]), tarEntry(FILE)),
      tarOf(FOLDER, paxHeader([['gname', 'a\0b']]), tarEntry(FILE)),
    )
    expect(digests).toEqual(['null', 'null', 'null', 'null'])
  },
)

testWith('python3')('both agree on images of any shape', async () => {
  const random = seededRandom(20_260_801)
  const digests = await digestsOf(...Array.from({ length: 60 }, () => anyImage(random)))
  expect(new Set(digests).size).toBe(digests.length)
})

const NAMES = ['a', 'b b', 'ü', '日本', 'z'.repeat(120), '-> x', 'A', '\u{1f600}', '～']

function anyImage(random: Random): Buffer {
  const parts: Buffer[] = [tarEntry({ name: 'image/opt/', type: '5', mode: 0o755 })]
  const used = new Set<string>()
  for (let count = 1 + random.int(12); count > 0; count--) {
    const name = `image/opt/${String(random.pick(NAMES))}${String(random.int(9))}`
    if (used.has(name)) continue
    used.add(name)
    const records: [string, string][] = [['path', name]]
    if (random.chance(0.3)) records.push(['uname', String(random.pick(['root', 'shop', 'ö']))])
    if (random.chance(0.3)) records.push(['gid', String(random.int(70_000))])
    parts.push(paxHeader(records), anyEntry(random))
  }
  return tarOf(...parts, tarEntry({ name: 'image/opt/last', content: random.bytes(8) }))
}

function anyEntry(random: Random): Buffer {
  const mode = random.int(0o2000)
  if (random.chance(0.2))
    return tarEntry({ name: 'x', type: '2', link: `/opt/${String(random.int(99))}`, mode })
  if (random.chance(0.2)) return tarEntry({ name: 'x', type: '5', mode })
  return tarEntry({ name: 'x', content: random.bytes(random.int(3000)), mode })
}
