/** The commands that work on a data folder, as processes. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, chmod, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import type { Config } from '../../src/config.ts'
import type { Diagnosis } from '../../src/jobs/diagnosis.ts'
import type { Finding } from '../../src/jobs/finding.ts'
import { openDataFolder } from '../../src/jobs/open-data-folder.ts'
import { verifyArchiveAndOverlays } from '../../src/jobs/verify-archive-and-overlays.ts'
import { startHub } from '../../src/serve.ts'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { tarball } from '../support/tarballs.ts'
import { localCliOf, runCli, temporaryFolder } from './support.ts'

const run = promisify(execFile)

async function git(...args: readonly string[]): Promise<string> {
  const env = {
    PATH: process.env['PATH'],
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
  }
  return (await run('git', ['-c', 'safe.directory=*', ...args], { env })).stdout.trim()
}

/** Releases, promotions, a withdrawal and a hand-kept file. */
async function fill(hub: TestHub): Promise<void> {
  for (const build of ['1', '2', '3']) {
    const reply = await hub.upload('shop', tarball({ 'shop/bin/shop': build }), {
      build,
      version: `1.${build}.0`,
    })
    expect(reply.status, reply.text).toBe(201)
  }
  await hub.upload('cart', tarball({ 'cart/x': 'y' }), { build: '7' })
  expect((await hub.promote('shop', 1, 'production')).status).toBe(201)
  expect((await hub.promote('shop', 2, 'production')).status).toBe(201)
  const releases = await hub.as().get('/api/v1/environments/production/releases?app=shop')
  const id = releases.body.items[0].id as string
  const withdrawn = await hub
    .as()
    .post(`/api/v1/environments/production/releases/${id}/withdraw`)
    .send({ reason: 'loses orders' })
  expect(withdrawn.status, withdrawn.text).toBe(200)
  await hub.as().put('/api/v1/environments/staging/files/profiles/package.mask/site').send('=app-hub/foo-1\n')
  await hub.hub.settled()
}

interface Folder {
  readonly directory: string
}

const PUBLIC_URL = 'http://hub.example'

/** The data folder of a filled hub that has stopped; made once, each test gets a copy. */
let filled: Folder & AsyncDisposable

beforeAll(async () => {
  await using hub = await createTestHub({ HUB_PUBLIC_URL: PUBLIC_URL })
  await fill(hub)
  filled = await copyOf(hub)
})

afterAll(async () => {
  await filled[Symbol.asyncDispose]()
})

async function copyOf({ directory }: Folder): Promise<Folder & AsyncDisposable> {
  const folder = await temporaryFolder()
  await run('cp', ['-a', `${directory}/.`, folder.path])
  return Object.assign(folder, { directory: folder.path })
}

/** Settings of a hub on the folder, with the address that stands in its overlays. */
function settingsOf({ directory }: Folder): Config {
  const env = {
    HUB_DATA_DIR: directory,
    HUB_PORT: '0',
    HUB_PUBLIC_URL: PUBLIC_URL,
    HUB_ADMIN_TOKEN: ADMIN_TOKEN,
    HUB_LOG_LEVEL: 'silent',
  }
  return loadConfig({ HUB_CONFIG: '', ...env }).config
}

async function tips({ directory }: Folder): Promise<readonly string[]> {
  return await Promise.all(
    ['staging', 'production'].map(
      async (name) => await git('-C', join(directory, `overlays/${name}.git`), 'rev-list', 'main'),
    ),
  )
}

async function trees({ directory }: Folder): Promise<Readonly<Record<string, string>>> {
  const root = join(directory, 'overlays')
  const files: Record<string, string> = {}
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isDirectory() && !path.includes('.git/'))
      files[path.slice(root.length)] = await readFile(path, 'utf8')
  }
  return files
}

/** What "verify" finds, without the process around it. */
async function findingsOf(folder: Folder): Promise<readonly Finding[]> {
  await using open = await openDataFolder(settingsOf(folder))
  const findings: Finding[] = []
  for await (const finding of verifyArchiveAndOverlays(open, () => undefined)) findings.push(finding)
  return findings
}

async function placesOf(folder: Folder): Promise<readonly string[]> {
  return (await findingsOf(folder)).map(({ where }) => where)
}

test('a hub that is in order passes, also while it runs', async () => {
  await using hub = await createTestHub()
  await fill(hub)
  const ended = await localCliOf(hub)('verify')
  expect(ended.status, ended.stdout + ended.stderr).toBe(0)
  expect(ended.stdout).toMatch(
    /^4 builds, 2 overlays, 10 revisions: everything is as recorded \(\S+ s\)\.\n$/,
  )
  expect(ended.stderr).toBe('')
})

test('verify finds and names what was changed, what is lost and what should not be there', async () => {
  await using copy = await copyOf(filled)
  const [first, second] = (await tarballsOf(copy)).map((path) => join(copy.directory, path))
  await chmod(first ?? '', 0o644)
  const bytes = await readFile(first ?? '')
  bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20)
  await writeFile(first ?? '', bytes)
  await rm(second ?? '')
  const stray = 'distfiles/archive/ab/'.padEnd('distfiles/archive/ab/'.length + 128, 'ab')
  await run('mkdir', ['-p', join(copy.directory, 'distfiles/archive/ab')])
  await writeFile(join(copy.directory, stray), 'stray')
  const mirrored = 'distfiles/production/hub-shop-1.1.0_p1.tar.gz'
  await rm(join(copy.directory, mirrored))
  await writeFile(join(copy.directory, 'distfiles/staging/foreign.tar'), '')
  const packs = join(copy.directory, 'overlays/staging.git/objects/pack')
  const pack = (await readdir(packs)).find((name) => name.endsWith('.pack')) ?? ''
  await chmod(join(packs, pack), 0o644)
  const packed = await readFile(join(packs, pack))
  packed.writeUInt8(packed.readUInt8(packed.length >> 1) ^ 0xff, packed.length >> 1)
  await writeFile(join(packs, pack), packed)
  await appendFile(join(copy.directory, 'overlays/production/profiles/repo_name'), 'x')
  const ebuild = alterText(copy)

  const ended = await localCliOf(copy)('verify', '--json')
  expect(ended.status).toBe(7)
  const { ok, findings } = JSON.parse(ended.stdout) as { ok: boolean; findings: readonly Finding[] }
  expect(ok).toBe(false)
  expect(findings.map(({ where }) => where).sort()).toEqual(
    [
      first?.slice(copy.directory.length + 1),
      second?.slice(copy.directory.length + 1),
      stray,
      mirrored,
      'distfiles/staging/foreign.tar',
      'overlays/staging.git',
      'overlays/production/profiles/repo_name',
      `overlay_blobs ${ebuild}`,
    ].sort(),
  )
  expect(ended.stdout).toContain('the text of the ebuild of shop build 3 has changed')
  const people = await localCliOf(copy)('verify')
  expect(people.status).toBe(7)
  expect(people.stdout).toContain(
    `${mirrored}\n  this distfile is missing in the mirror\n  to mend it: restart the hub`,
  )
  expect(people.stderr).toMatch(/^portage-hub: 8 faults found in \S+ s \(verify\.failed\)\n$/)
})

/** Changes the recorded ebuild of shop build 3; gives its id. */
function alterText({ directory }: Folder): string {
  const database = new Database(join(directory, 'var/hub.db'))
  const row = database.prepare("select ebuild_oid from builds where app = 'shop' and build = 3").get()
  database.close()
  const { ebuild_oid: oid } = row as { ebuild_oid: string }
  changeRecords(
    { directory },
    `update overlay_blobs set content = cast(content || '#' as blob) where oid = '${oid}'`,
  )
  return oid
}

async function tarballsOf({ directory }: Folder): Promise<readonly string[]> {
  const names = await readdir(join(directory, 'distfiles/archive'), { recursive: true })
  return names
    .filter((name) => name.length > 100)
    .map((name) => `distfiles/archive/${name}`)
    .sort()
}

function changeRecords({ directory }: Folder, sql: string): void {
  const database = new Database(join(directory, 'var/hub.db'))
  expect(database.prepare(sql).run().changes).toBeGreaterThan(0)
  database.close()
}

test.each([
  [
    "update revisions set author_name = 'mallory' where environment = 'staging' and number = 2",
    ['revision 2 of staging'],
  ],
  [
    "update revision_changes set oid = null where environment = 'production' and revision = 2 and path like '%.ebuild'",
    ['revision 2 of production'],
  ],
  [
    "update revisions set parent_oid = null where environment = 'staging' and number = 3",
    ['revision 3 of staging'],
  ],
  ["delete from revisions where environment = 'staging' and number = 3", ['revision 3 of staging']],
  [
    "delete from overlay_files where environment = 'staging' and path = 'profiles/eapi'",
    ['overlay_files staging profiles/eapi', 'overlays/staging/profiles/eapi'],
  ],
  [
    "update builds set size_bytes = 1, sha256 = 'x' where app = 'cart'",
    ['cart build 7', 'app-hub/cart/Manifest'],
  ],
  ["update builds set entry_count = 9 where app = 'cart'", ['cart build 7']],
  [
    "update releases set reason = 'none' where state = 'withdrawn'",
    ['profiles/package.mask/portage-hub-withdrawn in the overlay of production'],
  ],
  [
    "update builds set cache_oid = (select cache_oid from builds where build = 1) where app = 'shop' and build = 3",
    ['shop build 3', 'app-hub/shop/shop-1.3.0_p3.ebuild in the overlay of staging'],
  ],
])('verify finds what this does to the records: %s', async (sql, places) => {
  await using copy = await copyOf(filled)
  changeRecords(copy, sql)
  const found = (await placesOf(copy)).join('\n')
  for (const place of places) expect(found).toContain(place)
})

test('lost repositories and folders are found, and records that cannot be read', async () => {
  await using copy = await copyOf(filled)
  await rm(join(copy.directory, 'overlays'), { recursive: true })
  expect(await placesOf(copy)).toEqual([
    'overlays/staging.git',
    'overlays/staging',
    'overlays/production.git',
    'overlays/production',
  ])
  await using folder = await temporaryFolder()
  const none = await localCliOf({ directory: folder.path })('verify')
  expect(none).toMatchObject({ status: 1, stdout: '' })
  expect(none.stderr).toMatch(/there is no hub in .*; set HUB_DATA_DIR/)
  await mkdir(join(folder.path, 'var'))
  const text = 'this is no database, and is long enough to be none'.repeat(20)
  await writeFile(join(folder.path, 'var/hub.db'), text)
  const broken = await localCliOf({ directory: folder.path })('verify')
  expect(broken).toMatchObject({ status: 7, stdout: '' })
  expect(broken.stderr).toMatch(/cannot be read: file is not a database; restore it from a backup/)
})

test('a rebuild on an emptied folder gives the same commits and files, which git takes', async () => {
  await using copy = await copyOf(filled)
  const look = async () => ({ tips: await tips(copy), trees: await trees(copy) })
  const before = await look()
  expect(before.tips.map((list) => list.split('\n').length)).toEqual([6, 4])
  await rm(join(copy.directory, 'overlays'), { recursive: true })
  const ended = await localCliOf(copy)('rebuild')
  expect(ended.status, ended.stderr).toBe(0)
  const [staging = '', production = ''] = before.tips.map((list) => list.split('\n')[0])
  expect(ended.stdout).toBe(
    `OVERLAY     REVISIONS  COMMIT\nstaging             6  ${staging}\nproduction          4  ${production}\n`,
  )
  expect(await look()).toEqual(before)
  expect((await readdir(join(copy.directory, 'overlays'))).sort()).toEqual([
    'production',
    'production.git',
    'staging',
    'staging.git',
  ])
  for (const name of ['staging', 'production']) {
    const path = join(copy.directory, `overlays/${name}.git`)
    expect(await git('-C', path, 'fsck', '--strict', '--full')).toBe('')
  }
  expect(await placesOf(copy)).toEqual([])
  await using folder = await temporaryFolder()
  const clone = join(folder.path, 'clone')
  await using again = await startHub(settingsOf(copy), { hubNode: null })
  const url = `http://hub:${ADMIN_TOKEN}@127.0.0.1:${String(again.hub.config.port)}`
  await git('clone', '-q', `${url}/git/production.git`, clone)
  expect(await git('-C', clone, 'rev-list', 'HEAD')).toBe(before.tips[1])
  expect(await git('-C', clone, 'status', '--porcelain')).toBe('')
})

test('a damaged repository and folder are mended by a rebuild of that overlay alone', async () => {
  await using copy = await copyOf(filled)
  const before = await tips(copy)
  const production = join(copy.directory, 'overlays/production.git')
  const untouched = (await stat(production)).ino
  await writeFile(join(copy.directory, 'overlays/staging.git/refs/heads/main'), `${'0'.repeat(40)}\n`)
  await writeFile(join(copy.directory, 'overlays/staging/foreign'), '')
  expect(await placesOf(copy)).toEqual([
    'overlays/staging.git',
    'overlays/staging.git',
    'overlays/staging/foreign',
  ])
  expect((await localCliOf(copy)('rebuild', 'staging')).status).toBe(0)
  expect(await tips(copy)).toEqual(before)
  expect((await stat(production)).ino).toBe(untouched)
  expect(await placesOf(copy)).toEqual([])
})

test('a rebuild from damaged records changes nothing, nor does a dry run', async () => {
  await using copy = await copyOf(filled)
  const before = (await stat(join(copy.directory, 'overlays/staging.git'))).ino
  expect(await localCliOf(copy)('rebuild', '--dry-run')).toMatchObject({
    status: 0,
    stderr: 'The records give these overlays; nothing was changed.\n',
  })
  changeRecords(
    copy,
    "update revisions set author_name = 'mallory' where environment = 'staging' and number = 2",
  )
  const ended = await localCliOf(copy)('rebuild')
  expect(ended).toMatchObject({ status: 7, stdout: '' })
  expect(ended.stderr).toMatch(/the overlay of staging cannot be made from the records: .*\n.* as it was/s)
  expect((await stat(join(copy.directory, 'overlays/staging.git'))).ino).toBe(before)
  const left = (await readdir(join(copy.directory, 'overlays'))).filter((name) => /\.(new|old)$/.test(name))
  expect(left).toEqual([])
})

test('a rebuild is refused while a hub works on the folder, and of an unknown environment', async () => {
  await using hub = await createTestHub()
  const refused = await localCliOf(hub)('rebuild')
  expect(refused).toMatchObject({ status: 3, stdout: '' })
  expect(refused.stderr).toMatch(/works on this data folder; stop it.*\(hub\.running\)/)
  expect((await localCliOf(hub)('rebuild', '--dry-run')).status).toBe(0)
  expect(await localCliOf(hub)('rebuild', 'nowhere')).toMatchObject({ status: 5 })
})

test('config show tells each value and where it comes from, and no secret', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'hub.yaml')
  await writeFile(file, 'category: app-acme\n')
  const env = { HUB_CONFIG: file, HUB_PORT: '8181', HUB_ADMIN_TOKEN: 'very-secret' }
  const shown = await runCli(['config', 'show'], { env })
  expect(shown.status).toBe(0)
  expect(shown.stdout).toContain('port = 8181  (HUB_PORT)\n    HUB_PORT: port to listen on\n')
  expect(shown.stdout).toContain(`category = app-acme  (${file})\n`)
  expect(shown.stdout).toContain('adminToken = ********  (HUB_ADMIN_TOKEN)\n')
  expect(shown.stdout).toContain('environments = staging:automatic production:request  (default)\n')
  const json = await runCli(['config', 'show', '--json'], { env })
  expect(shown.stdout + json.stdout).not.toContain('very-secret')
  expect(JSON.parse(json.stdout)).toMatchObject({
    settings: expect.arrayContaining([
      { name: 'port', variable: 'HUB_PORT', value: 8181, source: 'HUB_PORT', meaning: 'port to listen on' },
    ]),
  })
  const wrong = await runCli(['config', 'show'], { env: { HUB_PORT: 'x', HUB_MAX_UPLOAD: 'y' } })
  expect(wrong).toMatchObject({ status: 1, stdout: '' })
  expect(wrong.stderr).toMatch(/port.*HUB_PORT[\s\S]*maxUploadBytes.*HUB_MAX_UPLOAD/)
})

test('doctor finds a running hub well, and a key that others can read ill', async () => {
  await using hub = await createTestHub()
  const cli = localCliOf(hub, { env: { HUB_PORT: new URL(hub.url).port } })
  const well = await cli('doctor')
  expect(well.status, well.stdout).toBe(0)
  expect(well.stdout).toMatch(/^ok {4}port +a hub answers at 127\.0\.0\.1:\d+$/m)
  expect(well.stdout).toMatch(/^ok {4}public URL +http:\S+ leads to a hub$/m)
  await chmod(join(hub.directory, 'var/keys/hub.key'), 0o644)
  const ill = await cli('doctor', '--json')
  expect(ill.status).toBe(1)
  const { checks } = JSON.parse(ill.stdout) as { checks: readonly Diagnosis[] }
  expect(checks.filter(({ state }) => state === 'fail')).toEqual([
    expect.objectContaining({ check: 'overlay key', toDo: expect.stringMatching(/^chmod 600 /) }),
  ])
})

test('doctor tells a missing folder, a port that is taken, a clock that went back and wrong settings', async () => {
  await using folder = await temporaryFolder()
  const server = createServer((socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const taken = String((server.address() as AddressInfo).port)
  const ended = await localCliOf(
    { directory: join(folder.path, 'none') },
    { env: { HUB_PORT: taken } },
  )('doctor')
  server.close()
  expect(ended.status).toBe(1)
  expect(ended.stdout).toMatch(/^warn {2}data folder +.* is not there\n +the first start makes it/m)
  expect(ended.stdout).toMatch(
    /^fail {2}port +127\.0\.0\.1:\d+: another program has it\n +stop what has the port/m,
  )
  const wrong = await runCli(['doctor'], { env: { HUB_PORT: 'x' } })
  expect(wrong.status).toBe(1)
  expect(wrong.stdout).toMatch(/^fail {2}settings +port/m)
  await using copy = await copyOf(filled)
  changeRecords(
    copy,
    "update revisions set time_sec = 9999999999 where environment = 'staging' and number = 6",
  )
  expect((await localCliOf(copy)('doctor')).stdout).toMatch(
    /^fail {2}clock +\S+ is before revision 6 of staging$/m,
  )
})

test('serve runs the hub, prints its first token, and ends with 0 when it is stopped', async () => {
  await using folder = await temporaryFolder()
  const cli = resolve(import.meta.dirname, '../../src/cli.ts')
  const env = { PATH: process.env['PATH'], HUB_CONFIG: '', HUB_DATA_DIR: folder.path, HUB_PORT: '0' }
  const child = spawn(process.execPath, [cli, 'serve'], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  using _end = { [Symbol.dispose]: () => void child.kill('SIGKILL') }
  const exited = once(child, 'exit')
  let printed = ''
  for await (const chunk of child.stdout) {
    printed += String(chunk)
    if (/HUB_TOKEN=\S+\n/.test(printed)) break
  }
  const url = /HUB_URL=(\S+)/.exec(printed)?.[1] ?? ''
  const token = /HUB_TOKEN=(\S+)/.exec(printed)?.[1] ?? ''
  const whoami = await runCli(['whoami'], { env: { HUB_URL: url, HUB_TOKEN: token } })
  expect(whoami.stdout).toMatch(/^first administrator: administrator \(tok_/)
  child.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
})
