/** What every command has: its options in common, its way to the hub or to the data folder, and how it ends. */
import type { Command } from 'commander'
import { readFileSync } from 'node:fs'
import type { ClientSettings } from '../config.ts'
import type { Client } from './client.ts'
import { EXIT } from './exit-status.ts'
import type { ExitStatus } from './exit-status.ts'
import { failureOf, failureText, wrongUsage } from './failure.ts'
import { harmless } from './format.ts'
import { processTerminal } from './terminal.ts'
import type { Terminal } from './terminal.ts'

export interface LocalSession {
  readonly terminal: Terminal
  /** Whether a program reads the result. */
  readonly json: boolean
  /** Prints the result: the answer as it is for programs, `text` for people. */
  readonly show: (answer: unknown, text: string) => void
}

export interface Session extends LocalSession {
  readonly client: Client
  readonly settings: ClientSettings
}

type Run<S, O> = (session: S, options: O, ...args: string[]) => Promise<ExitStatus | undefined>

interface CommonOptions {
  readonly json?: boolean
  readonly url?: string
  readonly tokenFile?: string
}

/** Makes `command` one that speaks to the hub. `run` gives the exit status; nothing means done. */
export function remote<O extends object>(command: Command, example: string, run: Run<Session, O>): void {
  command
    .option('--json', 'print the JSON of the API')
    .option('--url <address>', 'the hub (default: HUB_URL, or http://127.0.0.1:8080)')
    .option('--token-file <file>', 'file whose first line is the token (default: HUB_TOKEN)')
  act<O & CommonOptions>(command, example, async (terminal, options, ...args) => {
    // Loaded when they are needed: help and wrong usage are told at once.
    const [{ clientSettings }, { Client }] = await Promise.all([
      import('../config.ts'),
      import('./client.ts'),
    ])
    const settings = clientSettings()
    const token = options.tokenFile === undefined ? settings.token : readToken(options.tokenFile)
    const client = new Client(options.url ?? settings.url, token)
    return await run({ ...localSession(terminal, options), client, settings }, options, ...args)
  })
}

/** Makes `command` one that works on this host: on the data folder, with no server. */
export function local<O extends object>(command: Command, example: string, run: Run<LocalSession, O>): void {
  command.option('--json', 'print JSON')
  act<O & CommonOptions>(command, example, async (terminal, options, ...args) => {
    return await run(localSession(terminal, options), options, ...args)
  })
}

/** The text of `--dry-run`, the same everywhere. */
export const DRY_RUN = ['--dry-run', 'say what would happen, and change nothing'] as const

function act<O extends CommonOptions>(command: Command, example: string, run: Run<Terminal, O>): void {
  command.addHelpText('after', `\nExample:\n${example.replace(/^/gm, '  ')}`)
  command.action(async (...given: unknown[]) => {
    const options = given.at(-2) as O
    const args = given.slice(0, -2) as string[]
    const terminal = processTerminal()
    process.exitCode = await endOf(terminal, options, run(terminal, options, ...args))
  })
}

async function endOf(
  terminal: Terminal,
  { json }: CommonOptions,
  work: Promise<ExitStatus | undefined>,
): Promise<ExitStatus> {
  try {
    return (await work) ?? EXIT.done
  } catch (error) {
    const failure = failureOf(error)
    const { code, message, problem, exitStatus } = failure
    if (json === true) terminal.out(JSON.stringify(problem ?? { code, detail: message }, null, 2))
    terminal.note(harmless(failureText(failure)))
    return exitStatus
  }
}

function localSession(terminal: Terminal, { json }: CommonOptions): LocalSession {
  return {
    terminal,
    json: json === true,
    show(answer, text) {
      terminal.out(json === true ? JSON.stringify(answer, null, 2) : text)
    },
  }
}

function readToken(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw wrongUsage(`the token file cannot be read: ${(error as Error).message}`)
  }
  const token = text.split('\n', 1)[0]?.trim() ?? ''
  if (token === '') throw wrongUsage(`the token file ${path} is empty`)
  return token
}
