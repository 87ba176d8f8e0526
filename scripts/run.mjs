/**
 * The launcher behind `npm start`, `npm test` and the other scripts of package.json. It installs what is missing and
 * runs the project under the pinned Node, whatever Node the host has (20 or newer), and with whichever npm.
 */
import fs from 'node:fs'
import path from 'node:path'
import { ensureInstalled, findNode, root } from './install.mjs'
import { captureProgram, LaunchError, runProgram, say } from './processes.mjs'

const VITEST = 'node_modules/vitest/vitest.mjs'
const PRETTIER = 'node_modules/prettier/bin/prettier.cjs'

/** What `check` runs, all of them whatever the others say. */
const CHECKS = {
  'types (tsc)': ['node_modules/typescript/bin/tsc', '--noEmit'],
  'lint (eslint)': ['node_modules/eslint/bin/eslint.js', '--max-warnings=0', '.'],
  'format (prettier)': [PRETTIER, '--check', '.'],
  'house rules (tests/hygiene.test.ts)': [VITEST, 'run', 'tests/hygiene.test.ts'],
}

const VERBS = {
  start: { help: 'run the hub', run: startHub },
  demo: {
    help: 'run a hub to look at, with apps, people and simulated nodes: demo [options]',
    run: startDemo,
  },
  cli: { help: 'run the command line: cli <command> [options]', run: runCommandLine },
  test: { help: 'run the tests: test [file or name …]', run: (args) => runTool([VITEST, 'run', ...args]) },
  'test:portage': { help: 'run the tests that need a Portage checkout (PORTAGE_SRC)', run: testWithPortage },
  coverage: {
    help: 'run the tests and print the coverage',
    run: (args) => runTool([VITEST, 'run', '--coverage', ...args]),
  },
  check: { help: 'types, lint, format and house rules', run: checkAll },
  format: { help: 'rewrite the files in the house format', run: () => runTool([PRETTIER, '--write', '.']) },
  tour: { help: 'make the pictures of docs/tour.md again: tour [picture …]', run: makeTour },
  bench: { help: 'run the measurements: bench [part …] [--quick] [--rounds N] [--seconds N]', run: runBench },
}

async function main([name = '', ...args]) {
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
  if (!verb) {
    say(usage())
    return 2
  }
  const needsDev = !['start', 'demo', 'cli'].includes(name)
  await ensureInstalled(needsDev)
  return verb.run(needsDev && args[0] === '--' ? args.slice(1) : args)
}

function usage() {
  const lines = Object.entries(VERBS).map(([name, { help }]) => `  ${name.padEnd(14)}${help}`)
  return ['usage: node scripts/run.mjs <verb> [arguments]', ...lines].join('\n')
}

function startHub(args) {
  return runServer('src/main.ts', args)
}

function startDemo(args) {
  return runServer('src/cli.ts', ['demo', ...args])
}

/** Relative paths mean the caller's folder, so the hub and the command line stay in it. */
function runServer(file, args) {
  const command = ['--import', new URL('stop-with-launcher.mjs', import.meta.url).href, path.join(root, file)]
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc']
  return runProgram(findNode(), [...command, ...args], { stdio, env: environment() }, stopWithNpm)
}

/** `npm start` killed outright would leave the hub behind: nobody tells us, but our parent is another one then. */
function stopWithNpm(hub) {
  if (!['start', 'demo'].includes(process.env.npm_lifecycle_event)) return
  const npm = process.ppid
  setInterval(() => {
    if (process.ppid !== npm) hub.kill('SIGTERM')
  }, 1_000).unref()
}

function runCommandLine(args) {
  return runProgram(findNode(), [path.join(root, 'src/cli.ts'), ...args], { env: environment() })
}

function runTool(args, extra = {}) {
  return runProgram(findNode(), args, { cwd: root, env: toolEnvironment(extra) })
}

function makeTour(args) {
  return runTool(['scripts/tour.mjs', ...args])
}

function testWithPortage(args) {
  const source = process.env.PORTAGE_SRC ?? ''
  if (!fs.existsSync(path.join(source, 'bin', 'emerge'))) {
    throw new LaunchError(
      'Set PORTAGE_SRC to a checkout of Portage (it has bin/emerge), then run this again.',
      2,
    )
  }
  return runTool([VITEST, 'run', 'tests/portage', ...args], { PORTAGE_SRC: path.resolve(source) })
}

async function checkAll() {
  const node = findNode()
  const env = toolEnvironment(process.stdout.isTTY ? { FORCE_COLOR: '1' } : {})
  const running = Object.entries(CHECKS).map(async ([name, args]) => {
    const startedMs = performance.now()
    const result = await captureProgram(node, args, { cwd: root, env })
    return { name, ...result, seconds: ((performance.now() - startedMs) / 1000).toFixed(1) }
  })
  const failed = []
  for (const check of running) {
    const { name, status, output, seconds } = await check
    console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name}, ${seconds} s`)
    if (status === 0) continue
    failed.push(name)
    console.log(output.trimEnd().replace(/^/gm, '    '))
  }
  console.log(failed.length === 0 ? 'All checks passed.' : `Failed: ${failed.join(', ')}.`)
  return failed.length === 0 ? 0 : 1
}

/** Runs the named parts, or all, whatever the others end with; the options go to each. */
async function runBench(args) {
  const folder = path.join(root, 'bench')
  const files = fs.existsSync(folder) ? fs.readdirSync(folder).sort() : []
  const parts = files.filter((file) => file.endsWith('.ts')).map((file) => file.slice(0, -'.ts'.length))
  const firstOption = args.findIndex((arg) => arg.startsWith('-'))
  const named = firstOption < 0 ? args : args.slice(0, firstOption)
  const unknown = named.filter((name) => !parts.includes(name))
  if (unknown.length > 0 || parts.length === 0) {
    throw new LaunchError(`No measurement ${unknown.join(', ')}. There are: ${parts.join(', ')}`, 2)
  }
  const options = args.slice(named.length)
  const failed = []
  for (const name of named.length > 0 ? named : parts) {
    if ((await runTool([path.join('bench', `${name}.ts`), ...options])) !== 0) failed.push(name)
  }
  if (failed.length > 0) say(`Failed: ${failed.join(', ')}.`)
  return failed.length > 0 ? 1 : 0
}

function environment(extra = {}) {
  const env = {
    NODE_COMPILE_CACHE: path.join(root, 'node_modules', '.cache', 'node-compile'),
    ...process.env,
    ...extra,
  }
  // Several tools print colours into pipes. Node warns when both variables are there.
  if (!process.stdout.isTTY && env.FORCE_COLOR === undefined) env.NO_COLOR = '1'
  return env
}

/** Tools and tests find the pinned Node, and the tools that came with it, first. */
function toolEnvironment(extra) {
  const bin = path.join(root, 'node_modules', '.bin')
  return environment({ PATH: [bin, process.env.PATH].join(path.delimiter), ...extra })
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof LaunchError)) throw error
  say(error.message)
  process.exitCode = error.status
}
