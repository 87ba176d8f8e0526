/** The launcher, in a small checkout of its own with an npm that only notes that it was called. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { existsSync, readlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'

const SCRIPTS = path.resolve(import.meta.dirname, '../../scripts')
const PINNED = `node-${process.platform}-${process.arch}`
const LOCK = { packages: { '': {}, 'node_modules/a': { version: '1.0.0' } } }

const SHOW = `console.log(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd(), noColor: process.env.NO_COLOR }))
process.exitCode = 3
`
const SERVE = `import { writeFileSync } from 'node:fs'
process.on('SIGTERM', () => { writeFileSync(process.argv[2], 'stopped'); process.exit(7) })
setInterval(() => {}, 1000)
console.log('ready')
`

test('start runs the hub with its arguments, in the caller’s folder, and ends with its exit status', async () => {
  await using checkout = await makeCheckout({ installed: true, main: SHOW })
  const ended = await checkout.run(['start', '--port', 'a b'])
  expect(ended.status).toBe(3)
  expect(JSON.parse(ended.stdout)).toEqual({ args: ['--port', 'a b'], cwd: checkout.folder, noColor: '1' })
})

test('demo runs the command of that name, and needs no development packages', async () => {
  await using checkout = await makeCheckout({ installed: true, cli: SHOW })
  const ended = await checkout.run(['demo', '--seed', '3'])
  expect(ended.status).toBe(3)
  expect(JSON.parse(ended.stdout)).toMatchObject({ args: ['demo', '--seed', '3'] })
})

test('a stop signal reaches the hub, and the launcher ends with the hub’s exit status', async () => {
  await using checkout = await makeCheckout({ installed: true, main: SERVE })
  const launcher = checkout.start(['start', checkout.path('note')])
  await lineFrom(launcher, 'ready')
  launcher.kill('SIGTERM')
  expect(await once(launcher, 'exit')).toEqual([7, null])
  expect(await readFile(checkout.path('note'), 'utf8')).toBe('stopped')
})

test('the hub stops by itself when its launcher is killed outright', async () => {
  await using checkout = await makeCheckout({ installed: true, main: SERVE })
  const launcher = checkout.start(['start', checkout.path('note')])
  await lineFrom(launcher, 'ready')
  launcher.kill('SIGKILL')
  // The hub holds the other end of this pipe: its end is the hub's end.
  await once(launcher, 'close')
  expect(await readFile(checkout.path('note'), 'utf8')).toBe('stopped')
})

test('two first starts at once install once, and the next start does not call npm at all', async () => {
  await using checkout = await makeCheckout({ main: SHOW })
  const ended = await Promise.all([checkout.run(['start']), checkout.run(['start'])])
  expect(ended.map(({ status }) => status)).toEqual([3, 3])
  expect(ended.map(({ stderr }) => stderr).join('')).toMatch(
    /Installing \(first start only\) …\nInstalled in \d+ s\./,
  )
  await checkout.run(['start'])
  expect(await checkout.npmCalls()).toEqual(['ci --loglevel=error --include=optional --include=dev'])
  expect(await checkout.files()).not.toContain('.install.lock')
})

test('changed packages are installed at the next start', async () => {
  await using checkout = await makeCheckout({ installed: true, main: SHOW })
  await checkout.run(['start'])
  await checkout.write(
    'package-lock.json',
    JSON.stringify({ packages: { 'node_modules/a': { version: '2.0.0' } } }),
  )
  expect((await checkout.run(['start'])).stderr).toContain('Installing (the packages have changed) …')
  expect(await checkout.npmCalls()).toHaveLength(1)
})

test('what somebody installed by hand is taken as it is', async () => {
  await using checkout = await makeCheckout({ installed: true, main: SHOW })
  expect((await checkout.run(['start'])).status).toBe(3)
  expect(await checkout.npmCalls()).toEqual([])
})

test('packages for production are enough to start, and tests install the rest', async () => {
  await using checkout = await makeCheckout({ installed: true, main: SHOW })
  const dev = { 'node_modules/vitest': { version: '1.0.0', dev: true } }
  await checkout.write('package-lock.json', JSON.stringify({ packages: { ...LOCK.packages, ...dev } }))
  await checkout.run(['start'])
  expect(await checkout.npmCalls()).toEqual([])
  await checkout.run(['test'])
  expect(await checkout.npmCalls()).toHaveLength(1)
})

test('a failed installation says what npm said, and leaves no lock behind', async () => {
  await using checkout = await makeCheckout({ main: SHOW, npm: 'echo registry is down >&2; exit 9' })
  const ended = await checkout.run(['start'])
  expect(ended).toMatchObject({ status: 9, stdout: '' })
  expect(ended.stderr).toContain('registry is down\nnpm ci failed, see above.')
  expect(await checkout.files()).not.toContain('.install.lock')
})

test('the lock of an installation that died is taken over', async () => {
  await using checkout = await makeCheckout({ main: SHOW })
  await mkdir(checkout.path('.install.lock'))
  await utimes(checkout.path('.install.lock'), 0, 0)
  expect((await checkout.run(['start'])).status).toBe(3)
})

test('the link to the pinned Node is put back where npm dropped it', async () => {
  await using checkout = await makeCheckout({ installed: true, main: SHOW })
  await checkout.run(['start'])
  expect(readlinkSync(checkout.path('node_modules/.bin/node'))).toBe(`../${PINNED}/bin/node`)
  await rm(checkout.path('node_modules/.bin/node'))
  await checkout.run(['start'])
  expect(existsSync(checkout.path('node_modules/.bin/node'))).toBe(true)
})

test('where the pinned Node does not run, the host’s Node does, and no link leads to the other', async () => {
  await using checkout = await makeCheckout({ installed: true, main: SHOW, pinned: '/bin/false' })
  expect((await checkout.run(['start'])).status).toBe(3)
  expect(existsSync(checkout.path('node_modules/.bin/node'))).toBe(false)
})

test('an unknown verb is refused with the list of verbs', async () => {
  await using checkout = await makeCheckout({})
  const ended = await checkout.run(['strat'])
  expect(ended.status).toBe(2)
  expect(ended.stderr).toContain('usage: node scripts/run.mjs <verb>')
})

test('the command line runs through a link from any folder, before and after its packages are there', async () => {
  await using checkout = await makeCheckout({ cli: SHOW })
  await symlink('checkout/scripts/portage-hub', path.join(checkout.folder, 'hub'))
  for (const time of ['first', 'second']) {
    const ended = await checkout.run(['push', time, 'a b'], path.join(checkout.folder, 'hub'))
    expect(ended.status).toBe(3)
    expect(JSON.parse(ended.stdout)).toEqual({
      args: ['push', time, 'a b'],
      cwd: checkout.folder,
      noColor: '1',
    })
  }
  expect(await checkout.npmCalls()).toHaveLength(1)
})

interface Wishes {
  /** As if npm had been run by hand. */
  readonly installed?: boolean
  readonly main?: string
  readonly cli?: string
  /** What the pretend npm does, in sh; it installs if this is not given. */
  readonly npm?: string
  readonly pinned?: string
}

async function makeCheckout({
  installed = false,
  main = '',
  cli = '',
  npm,
  pinned = process.execPath,
}: Wishes) {
  const folder = await mkdtemp(path.join(tmpdir(), 'launcher-'))
  const root = path.join(folder, 'checkout')
  const put = async (file: string, text: string, mode = 0o644): Promise<void> => {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true })
    await writeFile(path.join(folder, file), text, { mode })
  }
  const calls = path.join(folder, 'npm-calls')
  const install = `sleep 0.3; mkdir -p node_modules/${PINNED}/bin; ln -sf '${pinned}' node_modules/${PINNED}/bin/node`
  await cp(SCRIPTS, path.join(root, 'scripts'), { recursive: true })
  await put('checkout/package-lock.json', JSON.stringify(LOCK))
  await put('checkout/package.json', '{"type":"module"}')
  await put('checkout/src/main.ts', main)
  await put('checkout/src/cli.ts', cli)
  await put('bin/npm', `#!/bin/sh\necho "$*" >> '${calls}'\n${npm ?? install}\n`, 0o755)
  if (installed) {
    await put('checkout/node_modules/.package-lock.json', JSON.stringify(LOCK))
    await mkdir(path.join(root, 'node_modules', PINNED, 'bin'), { recursive: true })
    await symlink(pinned, path.join(root, 'node_modules', PINNED, 'bin/node'))
  }
  const { npm_lifecycle_event: _, NO_COLOR: __, FORCE_COLOR: ___, ...inherited } = process.env
  const folders = [path.join(folder, 'bin'), path.dirname(process.execPath), inherited.PATH]
  const env = { ...inherited, PATH: folders.join(':') }
  const started: ChildProcess[] = []
  const start = (args: readonly string[], command = process.execPath): ChildProcess => {
    const script = command === process.execPath ? [path.join(root, 'scripts/run.mjs')] : []
    const child = spawn(command, [...script, ...args], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    started.push(child)
    return child
  }
  return {
    folder,
    start,
    path: (file: string) => path.join(root, file),
    write: (file: string, text: string) => put(path.join('checkout', file), text),
    files: () => readdir(root),
    npmCalls: async () => (existsSync(calls) ? (await readFile(calls, 'utf8')).trim().split('\n') : []),
    run: async (args: readonly string[], command?: string) => collect(start(args, command)),
    [Symbol.asyncDispose]: async () => {
      for (const child of started) child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function collect(
  child: ChildProcess,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const texts = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk: Buffer) => (texts.stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (texts.stderr += chunk.toString()))
  await once(child, 'close')
  return { status: child.exitCode, ...texts }
}

async function lineFrom(child: ChildProcess, line: string): Promise<void> {
  for await (const chunk of child.stdout ?? []) if (String(chunk).includes(line)) return
  throw new Error(`The launcher ended before it said ${line}`)
}
