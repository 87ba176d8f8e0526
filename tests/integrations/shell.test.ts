/** `portage-hub-ci` against a hub, in every shell that is here. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { cuttingProxy } from '../support/cutting-proxy.ts'
import { folderOf, testWith } from '../support/programs.ts'
import { tarball } from '../support/tarballs.ts'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { openJob, PROGRAM, SHELLS } from './support.ts'
import type { Job } from './support.ts'

const JUNIT = '<testsuite name="unit"><testcase name="adds" classname="sums"/></testsuite>'
const STAGING = { promote: 'automatic', checks: { commit: ['unit'], acceptance: ['functional'] } }

async function setPolicy(hub: TestHub, environment: string, policy: object): Promise<void> {
  const reply = await hub.as().put(`/api/v1/environments/${environment}/policy`).send(policy)
  expect(reply.status, reply.text).toBe(200)
}

/** A job of the app's CI, with a tarball in its folder. */
async function jobOf(hub: TestHub, env: Readonly<Record<string, string>> = {}, shell = 'sh'): Promise<Job> {
  const job = await openJob(
    hub,
    { HUB_TOKEN: await hub.token('uploader', { apps: ['shop'] }), ...env },
    shell,
  )
  writeFileSync(join(job.folder, 'shop.tar'), tarball({ 'shop/run': 'true' }))
  return job
}

const build = async (hub: TestHub, number: number) =>
  (await hub.as().get(`/api/v1/apps/shop/builds/${String(number)}`)).body as Record<string, unknown>
const newestCheck = async (hub: TestHub, number = 1) =>
  (await hub.as().get(`/api/v1/apps/shop/builds/${String(number)}/checks`)).body.items[0] as object

describe.each(SHELLS)('in %s', (shell) => {
  test('a build goes from its upload through both stages of checks to staging', async () => {
    await using hub = await createTestHub()
    await setPolicy(hub, 'staging', STAGING)
    const facts = { GIT_COMMIT: '4f1c2d9', BRANCH_NAME: 'main', BUILD_URL: 'https://ci.acme.example/shop/45' }
    await using job = await jobOf(hub, facts, shell)
    const uploaded = await job.ci('upload', 'shop', 'shop.tar', '--build', '45', '--version', '1.4.0-rc.2')
    expect(uploaded, uploaded.stderr).toMatchObject({ status: 0, stdout: '45\n' })
    expect(uploaded.stderr).toContain(
      'shop build 45 is archived as app-hub/shop-1.4.0_rc2_p45\n  staging: checking. The commit check',
    )
    expect(await build(hub, 45)).toMatchObject({
      ...{ version: '1.4.0-rc.2', commit: '4f1c2d9', branch: 'main', ciUrl: facts.BUILD_URL },
    })

    const early = await job.ci('wait', 'shop', '45', 'staging', '--timeout', '0')
    expect(early.status, early.stderr).toBe(8)
    expect(early.stderr).toContain(
      '  unmet   The commit check "unit" was never reported.\n          Report it as passed',
    )

    writeFileSync(join(job.folder, 'unit.xml'), JUNIT)
    const unit = await job.ci('check', 'shop', '45', 'commit', 'unit', '--junit', 'unit.xml')
    expect(unit.stderr).toBe('portage-hub-ci: shop build 45: the commit check "unit" is reported as passed\n')
    expect(await newestCheck(hub, 45)).toMatchObject({
      url: facts.BUILD_URL,
      reports: [{ counts: { passed: 1 } }],
    })

    const command = 'echo "$HUB_APP $HUB_BUILD $HUB_ENVIRONMENT $HUB_PROMOTION" >told; umask >>told'
    const acceptance = ['acceptance', 'functional', '--app', 'shop', '--', 'sh', '-c', command]
    const accepted = await job.ci(...acceptance)
    expect(accepted.status, accepted.stderr).toBe(0)
    // The command has the umask of the job, and not that of the program.
    expect(readFileSync(join(job.folder, 'told'), 'utf8')).toMatch(/^shop 45 staging pro_\w+\n0*22\n$/)
    const released = await job.ci('wait', 'shop', '45', 'staging')
    expect(released, released.stderr).toMatchObject({ status: 0, stdout: '' })
    expect(released.stderr).toContain('shop build 45 is released in staging, revision 2')

    expect(await job.ci(...acceptance)).toMatchObject({ status: 0, stderr: '' })
    const fetched = await job.ci('download', 'shop', '45', 'fetched.tar')
    expect(fetched.status, fetched.stderr).toBe(0)
    expect(readFileSync(join(job.folder, 'fetched.tar'))).toEqual(readFileSync(join(job.folder, 'shop.tar')))
  })

  test('a value from outside is a value, whatever stands in it', async () => {
    await using hub = await createTestHub()
    await using job = await jobOf(hub, {}, shell)
    const name = 'a "b";type=text, \\c.tar'
    writeFileSync(join(job.folder, name), tarball({ 'shop/run': 'true' }))
    const branch = '@/etc/passwd "x" \\n;<&é'
    const uploaded = await job.ci('upload', 'shop', name, '--build', '1', '--branch', branch)
    expect(uploaded.status, uploaded.stderr).toBe(0)
    expect(await build(hub, 1)).toMatchObject({ branch })
    const summary = '#1 @x "quoted" \\ back\nheader = "X-Evil: 1"\nlast'
    const check = ['check', 'shop', '1', 'commit', 'a "b" & c=d', '--summary', summary]
    const plain = await job.ci(...check, '--status', 'failed')
    expect(plain.status, plain.stderr).toBe(0)
    expect(await newestCheck(hub)).toMatchObject({ name: 'a "b" & c=d', status: 'failed', summary })
    writeFileSync(join(job.folder, 'unit.xml'), JUNIT)
    const form = await job.ci(...check, '--junit', 'unit.xml')
    expect(form.status, form.stderr).toBe(0)
    expect(await newestCheck(hub)).toMatchObject({ name: 'a "b" & c=d', status: 'passed', summary })
  })

  test('a large tarball goes on where its connection was cut', async () => {
    await using hub = await createTestHub()
    await using proxy = await cuttingProxy(hub.url)
    await using job = await jobOf(
      hub,
      { HUB_URL: proxy.url, HUB_PIECES_FROM: '100000', HUB_TRIES: '3' },
      shell,
    )
    const bytes = tarball({ 'shop/data': randomBytes(800_000) })
    writeFileSync(join(job.folder, 'large.tar'), bytes)
    proxy.cuts.push(300_000, 300_000)
    const uploaded = await job.ci('upload', 'shop', 'large.tar', '--build', '2')
    expect(uploaded, uploaded.stderr).toMatchObject({ status: 0, stdout: '2\n' })
    expect(uploaded.stderr).toMatch(/the upload was cut at byte \d+ of \d+; going on/)
    expect(proxy.cuts).toEqual([])
    expect(proxy.sentBytes).toBeLessThan(1.6 * bytes.byteLength)
    expect((await hub.as().get('/api/v1/apps/shop/builds/2/tarball')).body).toEqual(bytes)
  })
})

describe('portage-hub-ci', () => {
  test('reports how a command ended, and ends with its status', async () => {
    await using hub = await createTestHub()
    await using job = await jobOf(hub)
    await job.ci('upload', 'shop', 'shop.tar', '--build', '1')
    writeFileSync(join(job.folder, 'unit.xml'), JUNIT)
    const check = ['check', 'shop', '1', 'commit', 'unit', '--junit', 'unit.xml', '--', 'sh', '-c']
    const failed = await job.ci(...check, 'exit 7')
    expect(failed.status).toBe(7)
    expect(failed.stderr).toContain('the command left no report unit.xml')
    expect(await newestCheck(hub)).toMatchObject({ status: 'failed', reports: [] })
    const passed = await job.ci(...check, `echo '${JUNIT}' >unit.xml`)
    expect(passed.status).toBe(0)
    expect(await newestCheck(hub)).toMatchObject({ status: 'passed', reports: [{ name: 'unit.xml' }] })
    const { items } = (await hub.as().get('/api/v1/apps/shop/builds/1/checks')).body
    expect(items.map(({ status }: { status: string }) => status)).toEqual([
      'passed',
      'running',
      'failed',
      'running',
    ])
  })

  test('runs the acceptance check of what waits for it, once, and of nothing else', async () => {
    await using hub = await createTestHub()
    await setPolicy(hub, 'production', { checks: { acceptance: ['functional'], manual: ['seen'] } })
    await using job = await jobOf(hub)
    for (const number of ['1', '2']) await job.ci('upload', 'shop', 'shop.tar', '--build', number)
    const command = ['--', 'sh', '-c', 'echo "$HUB_BUILD" >>ran; exit 3']
    expect(await job.ci('acceptance', 'functional', ...command)).toMatchObject({ status: 0, stderr: '' })
    await hub.promote('shop', 2, 'production')
    await job.ci('check', 'shop', '2', 'acceptance', 'functional', '--status', 'running')
    expect(await job.ci('acceptance', 'functional', ...command)).toMatchObject({ status: 0, stderr: '' })
    for (const option of [
      ['--build', '1'],
      ['--environment', 'staging'],
      ['--app', 'other'],
    ])
      expect(await job.ci('acceptance', 'functional', '--again', ...option, ...command)).toMatchObject({
        status: 0,
        stderr: '',
      })
    expect((await job.ci('acceptance', 'functional', '--again', ...command)).status).toBe(3)
    expect(await job.ci('acceptance', 'functional', '--again', ...command)).toMatchObject({
      status: 0,
      stderr: '',
    })
    expect(readFileSync(join(job.folder, 'ran'), 'utf8')).toBe('2\n')
  })

  test('waits for people and says for what, and hears the end', async () => {
    await using hub = await createTestHub()
    await setPolicy(hub, 'production', { approvals: { count: 1, roles: ['approver'] } })
    await using job = await jobOf(hub, { HUB_TOKEN: ADMIN_TOKEN })
    await job.ci('upload', 'shop', 'shop.tar', '--build', '1')
    const nobody = await job.ci('wait', 'shop', '1', 'production')
    expect(nobody.status).toBe(5)
    expect(nobody.stderr).toContain(
      'nobody asked for shop build 1 in production\n  met     It is released in staging',
    )
    expect((await job.ci('promote', 'shop', '1', 'production', '--dry-run')).stderr).toContain(
      'would be: awaiting approval',
    )
    const asked = await job.ci('promote', 'shop', '1', 'production')
    expect(asked.stdout).toMatch(/^pro_\w+\n$/)
    expect(asked.stderr).toContain('  unmet   0 of 1 approvals.\n          1 more of approver must approve')
    const waiting = job.ci('wait', 'shop', '1', 'production')
    const bob = await hub.token('approver')
    await hub.as(bob).post(`/api/v1/promotions/${asked.stdout.trim()}/reject`).send({ reason: 'too big' })
    const ended = await waiting
    expect(ended.status, ended.stderr).toBe(3)
    expect(ended.stderr).toContain('shop build 1 in production: refused. Rejected by a approver: too big')
    const why = await job.ci('why', 'shop', '1', 'production')
    expect(why).toMatchObject({ status: 3, stdout: '' })
    expect(why.stderr).toContain('  unmet   0 of 1 approvals.')
  })

  test('says what the hub refuses, and tells each kind of failure by its status', async () => {
    await using hub = await createTestHub()
    await using job = await jobOf(hub)
    await job.ci('upload', 'shop', 'shop.tar', '--build', '1')
    writeFileSync(join(job.folder, 'other.tar'), tarball({ 'shop/run': 'false' }))
    const duplicate = await job.ci('upload', 'shop', 'other.tar', '--build', '1')
    expect(duplicate).toMatchObject({ status: 3, stdout: '' })
    expect(duplicate.stderr).toMatch(
      /This build is archived already.* \(409 build\.duplicate\)\n {2}build 1 of shop .*\n {2}requestId: req_/,
    )
    const nearest = await job.ci('upload', 'shop', 'shop.tar', '--version', '1.4.0-dev.5')
    expect(nearest.stderr).toContain('  nearest: 1.4.0-alpha.5\n')
    expect((await job.ci('upload', 'other', 'shop.tar')).status).toBe(4)
    expect((await job.ci('why', 'shop', '9', 'staging')).status).toBe(5)
    expect((await job.ci('upload', 'shop', 'none.tar')).status).toBe(1)
    for (const args of [
      ...[
        [],
        ['dance'],
        ['upload', 'shop'],
        ['upload', 'Shop', 'shop.tar'],
        ['upload', 'shop', 'shop.tar', '--junit', 'x'],
      ],
      ...[
        ['check', 'shop', '1', 'commit', 'unit'],
        ['check', 'shop', '1', 'unit', 'unit', '--status', 'passed'],
      ],
      ...[
        ['check', 'shop', 'x', 'commit', 'unit', '--status', 'passed'],
        ['acceptance', 'functional'],
        ['why', 'shop', '1', '../x'],
      ],
      ...[
        ['upload', 'shop', 'shop.tar', '--build'],
        ['wait', 'shop', '1', 'staging', '--', 'true'],
      ],
    ]) {
      const { status, stderr } = await job.ci(...args)
      expect({ args, status, stderr }).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('--help') as string,
      })
    }
    const help = await job.ci('--help')
    expect(help).toMatchObject({ status: 0, stderr: '' })
    expect((await job.run(`unset HUB_URL; sh '${PROGRAM}' why shop 1 staging`)).status).toBe(2)
    expect((await job.run(`HUB_TOKEN= sh '${PROGRAM}' why shop 1 staging`)).status).toBe(4)
    expect(
      (await job.run(`HUB_URL=http://127.0.0.1:1 HUB_TRIES=2 sh '${PROGRAM}' why shop 1 staging`)).status,
    ).toBe(6)
    expect(await build(hub, 2)).toMatchObject({ code: 'build.unknown' })
  })

  test('reads the token from a file, and tries what it would do', async () => {
    await using hub = await createTestHub()
    await using job = await jobOf(hub)
    writeFileSync(join(job.folder, 'token'), `${ADMIN_TOKEN}\n`)
    const dry = await job.run(
      `HUB_TOKEN= HUB_TOKEN_FILE=token sh '${PROGRAM}' upload shop shop.tar --dry-run`,
    )
    expect(dry, dry.stderr).toMatchObject({ status: 0, stdout: '1\n' })
    expect(dry.stderr).toContain('would be archived as app-hub/shop-0_p1')
    expect(await hub.storedFiles()).toEqual([])
  })

  test('asks again under the same key when a hub does not answer, and gives up in the end', async () => {
    const asked: { readonly url: string; readonly key: string }[] = []
    const server = createServer((request, response) => {
      asked.push({ url: request.url ?? '', key: String(request.headers['idempotency-key']) })
      request.resume().once('end', () => {
        if (asked.length === 1) response.socket?.destroy()
        else if (asked.length === 2) response.writeHead(503, { 'Retry-After': '0' }).end('<html>')
        else if (asked.length === 3) response.writeHead(201).end('{"id":"chk_1","status":"pass\\u0007ed"}')
        else response.writeHead(503).end()
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
    await using job = await openJob({ url }, { HUB_TOKEN: 'x', HUB_TRIES: '3' })
    const check = ['check', 'shop', '1', 'commit', 'unit', '--status', 'passed']
    const told = await job.ci(...check)
    expect(told.status, told.stderr).toBe(0)
    // What could move the cursor of a terminal does not get there.
    expect(told.stderr).toContain('reported as pass ed\n')
    expect(new Set(asked.map(({ key }) => key)).size).toBe(1)
    expect(asked[0]?.key).toMatch(/^[0-9a-f]{32}$/)
    const given = await job.ci(...check)
    expect(given.status, given.stderr).toBe(6)
    expect(asked).toHaveLength(6)
    server.close()
  })

  test('shows its token to no process list, and leaves nothing behind', async () => {
    await using hub = await createTestHub()
    await using job = await jobOf(hub)
    const [bin, temporary] = [join(job.folder, 'bin'), join(job.folder, 'tmp')]
    mkdirSync(bin)
    mkdirSync(temporary)
    for (const name of 'awk cat curl cut date mkfifo mktemp mv od rm sed sha512sum sleep tail tr wc'.split(
      ' ',
    )) {
      const real = join(folderOf(name) ?? '', name)
      writeFileSync(
        join(bin, name),
        `#!/bin/sh\nprintf '%s\\n' "${name} $*" >>'${job.folder}/calls'\nexec '${real}' "$@"\n`,
        { mode: 0o755 },
      )
    }
    const token = await hub.token('uploader')
    const ended = await job.run(
      `export PATH='${bin}':"$PATH" TMPDIR='${temporary}' HUB_TOKEN='${token}'
       sh '${PROGRAM}' upload shop shop.tar
       HUB_PIECES_FROM=1 sh '${PROGRAM}' upload shop shop.tar
       sh '${PROGRAM}' check shop 1 commit unit -- sh -c 'ls -ld "$TMPDIR"/* >modes; ls -l "$TMPDIR"/*/ >>modes'`,
    )
    expect(ended.status, ended.stderr).toBe(0)
    const calls = readFileSync(join(job.folder, 'calls'), 'utf8')
    expect(calls).toContain('curl -q --config')
    expect(calls).toContain('tail -c')
    expect(calls).not.toContain(token)
    const modes = readFileSync(join(job.folder, 'modes'), 'utf8')
      .split('\n')
      .filter((line) => /^[-dp]r/.test(line))
    expect(modes.length).toBeGreaterThan(3)
    expect(modes.filter((line) => !/^.{4}------ /.test(line))).toEqual([])
    expect(readdirSync(temporary)).toEqual([])
  })

  test('is to be had from the hub', async () => {
    await using hub = await createTestHub()
    await using job = await openJob(hub, {})
    const fetched = await job.run(
      'curl -fsS -o portage-hub-ci "$HUB_URL/ci.sh" && sh ./portage-hub-ci --help',
    )
    expect(fetched.status, fetched.stderr).toBe(0)
    expect(readFileSync(join(job.folder, 'portage-hub-ci'))).toEqual(readFileSync(PROGRAM))
  })

  testWith('shellcheck')('is clean for shellcheck', async () => {
    await using job = await openJob({ url: '' }, {})
    expect(await job.run(`shellcheck '${PROGRAM}'`)).toMatchObject({ status: 0, stdout: '' })
  })
})
