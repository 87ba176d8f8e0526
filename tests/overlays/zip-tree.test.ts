import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { testWith } from '../support/programs.ts'
import { objectId } from '../../src/git/objects.ts'
import type { Oid } from '../../src/git/objects.ts'
import { EMPTY_TREE, treeFromFiles } from '../../src/git/tree.ts'
import { zipTree } from '../../src/overlays/zip-tree.ts'

const run = promisify(execFile)

const FILES: Readonly<Record<string, string>> = {
  'app-acme/shop/Manifest': 'DIST\n',
  'metadata/layout.conf': 'masters =\n',
  'profiles/profiles/deep': '',
  'profiles/repo_name': 'hub\n',
  'zz/profiles/x': 'x',
}

async function zipOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const contents = new Map<Oid, Buffer>()
  const entries = Object.entries(files).map(([path, text]) => {
    const content = Buffer.from(text)
    const oid = objectId('blob', content)
    contents.set(oid, content)
    return [path, oid] as const
  })
  return await zipTree(treeFromFiles(entries), async () => contents)
}

/** Names in the order of the zip's local headers: what a reader that streams meets. */
function namesOf(zip: Buffer): readonly string[] {
  const names: string[] = []
  for (let at = zip.indexOf('PK\x03\x04'); at >= 0; at = zip.indexOf('PK\x03\x04', at + 4)) {
    names.push(zip.subarray(at + 30, at + 30 + zip.readUInt16LE(at + 26)).toString())
  }
  return names
}

test('profiles comes first, at the top, and each folder before what is in it', async () => {
  expect(namesOf(await zipOf(FILES))).toEqual([
    'profiles/',
    'profiles/profiles/',
    'profiles/profiles/deep',
    'profiles/repo_name',
    'app-acme/',
    'app-acme/shop/',
    'app-acme/shop/Manifest',
    'metadata/',
    'metadata/layout.conf',
    'zz/',
    'zz/profiles/',
    'zz/profiles/x',
  ])
})

test('the same tree gives the same bytes, whatever the zone of the machine', async () => {
  const module = new URL('../../src/overlays/zip-tree.ts', import.meta.url).href
  const trees = new URL('../../src/git/tree.ts', import.meta.url).href
  const script =
    `import { zipTree } from '${module}'; import { treeFromFiles } from '${trees}';` +
    `const tree = treeFromFiles([['profiles/x', '${objectId('blob', Buffer.from('x'))}']]);` +
    `process.stdout.write(await zipTree(tree, async (oids) => new Map(oids.map((oid) => [oid, Buffer.from('x')]))))`
  const zipIn = async (zone: string): Promise<Buffer> => {
    const args = ['--input-type=module', '-e', script]
    return (await run(process.execPath, args, { env: { TZ: zone }, encoding: 'buffer' })).stdout
  }
  const here = await zipOf({ 'profiles/x': 'x' })
  for (const zone of ['Pacific/Auckland', 'America/Los_Angeles'])
    expect((await zipIn(zone)).equals(here), zone).toBe(true)
})

testWith('unzip')('unzip makes the files and folders of it, with ordinary modes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'portage-hub-zip-'))
  try {
    await writeFile(join(folder, 'x.zip'), await zipOf(FILES))
    await run('unzip', ['-q', 'x.zip', '-d', 'out'], { cwd: folder })
    for (const [path, text] of Object.entries(FILES)) {
      expect(await readFile(join(folder, 'out', path), 'utf8')).toBe(text)
      expect((await stat(join(folder, 'out', path))).mode & 0o777).toBe(0o644)
    }
    expect((await readdir(join(folder, 'out'))).sort()).toEqual(['app-acme', 'metadata', 'profiles', 'zz'])
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('an empty tree is an empty zip', async () => {
  const zip = await zipTree(EMPTY_TREE, () => Promise.reject(new Error('nothing to read')))
  expect(zip.toString('latin1')).toBe(`PK\x05\x06${'\0'.repeat(18)}`)
})

test('a text that cannot be read fails the zip', async () => {
  const tree = treeFromFiles([['a', objectId('blob', Buffer.from('a'))]])
  await expect(zipTree(tree, () => Promise.reject(new Error('lost')))).rejects.toThrow('lost')
})

testWith('unzip')('more files than the old form can count are all in it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'portage-hub-zip-'))
  try {
    const oid = objectId('blob', Buffer.from('x'))
    const paths = Array.from({ length: 66_000 }, (_, at) => [`a${at % 100}/f${at}`, oid] as const)
    const read = async () => new Map([[oid, Buffer.from('x')]])
    await writeFile(join(folder, 'x.zip'), await zipTree(treeFromFiles(paths), read))
    const { stdout } = await run('unzip', ['-tq', 'x.zip'], { cwd: folder })
    expect(stdout).toContain('No errors')
    const listed = await run('unzip', ['-Z', '-t', 'x.zip'], { cwd: folder })
    expect(listed.stdout).toContain('66100 files')
  } finally {
    await rm(folder, { recursive: true })
  }
})
