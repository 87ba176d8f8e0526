/** The help, and the document that says the same at length. */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { EXIT, EXIT_MEANINGS } from '../../src/cli/exit-status.ts'
import { createProgram } from '../../src/cli/program.ts'
import { HUB_VERSION } from '../../src/version.ts'
import { runCli } from './support.ts'

const DOCUMENT = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')

function leaves(command: Command, path: readonly string[]): [path: string, command: Command][] {
  if (command.commands.length === 0) return [[path.join(' '), command]]
  return command.commands.flatMap((sub) => leaves(sub, [...path, sub.name()]))
}

const COMMANDS = leaves(createProgram(), [])

test('the help names every command and every exit status, in 100 columns', async () => {
  const { status, stdout } = await runCli(['--help'])
  expect(status).toBe(0)
  for (const [path] of COMMANDS) expect(stdout).toContain(path.split(' ')[0])
  for (const [name, number] of Object.entries(EXIT)) {
    expect(stdout).toContain(`  ${number}  ${EXIT_MEANINGS[name as keyof typeof EXIT]}\n`)
  }
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
})

test.each(COMMANDS)('%s has a purpose, an example, and an entry in docs/cli.md', (path, command) => {
  expect(command.description()).toMatch(/^[a-z].{10,}[^.]$/)
  let help = ''
  command.configureOutput({ writeOut: (text) => void (help += text) })
  command.outputHelp()
  expect(help).toMatch(new RegExp(`Example:\\n.*portage-hub ${path}`))
  expect(DOCUMENT).toMatch(new RegExp(`\`(${path}|overlay put \\| rm)[ \`]`))
})

test.each(COMMANDS)('the options of %s are in docs/cli.md', (_path, command) => {
  for (const { long } of command.options) expect(DOCUMENT).toContain(long)
})

test.each(COMMANDS)('%s can be tried without effect if it changes something', (path, command) => {
  const changes = [
    'push',
    'check',
    'yank',
    'unyank',
    'pin',
    'unpin',
    'promote',
    'approve',
    'reject',
    'cancel',
    'policy set',
    'withdraw',
    'hold set',
    'hold lift',
    'rebuild',
    'overlay put',
    'overlay rm',
    'token create',
    'token revoke',
    'nodes remove',
    'nodes remove-point',
    'nodes keep-point',
    'rollback',
    'trust add',
    'trust remove',
    'webhook create',
    'webhook enable',
    'webhook disable',
    'webhook delete',
    'webhook replay',
    'key rotate',
    'key revoke',
    ...['people add', 'people link', 'people grant', 'people disable', 'people enable', 'people sign-out'],
  ]
  expect(command.options.some(({ long }) => long === '--dry-run')).toBe(changes.includes(path))
})

test('docs/cli.md has the table of exit statuses', () => {
  for (const [name, number] of Object.entries(EXIT)) {
    expect(DOCUMENT).toMatch(
      new RegExp(`^\\| ${number} +\\| ${EXIT_MEANINGS[name as keyof typeof EXIT]} +\\|$`, 'm'),
    )
  }
})

test('no command takes a token on its command line', () => {
  const names = COMMANDS.flatMap(([, command]) => command.options.map(({ long }) => long))
  expect(names).not.toContain('--token')
})

test('--version prints the version', async () => {
  expect(await runCli(['--version'])).toMatchObject({ status: 0, stdout: `${HUB_VERSION}\n` })
})
