import { tmpdir } from 'node:os'
import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import type { Demo } from '../demo/demo.ts'
import { EXIT } from './exit-status.ts'

const EXAMPLE = 'portage-hub demo --port 8081'

/** Slow enough to follow with the eyes. */
const STEP_MS = 3000

export function addDemo(program: Command): void {
  program
    .command('demo')
    .description('run a hub to look at, with apps, people and simulated nodes')
    .option('--port <number>', 'port to listen on; where it is taken, any', wholeNumber, 8080)
    .option('--seed <number>', 'another one is another demo', wholeNumber, 1)
    .addHelpText(
      'after',
      `\nIt is real, on a temporary folder and on this host alone; Ctrl-C ends it and removes the folder.\n\nExample:\n  ${EXAMPLE}`,
    )
    .action(async (options: { port: number; seed: number }) => {
      process.exitCode = await demo(options)
    })
}

async function demo({ port, seed }: { port: number; seed: number }): Promise<number> {
  const { startDemo } = await import('../demo/demo.ts')
  const stop = new AbortController()
  const end = (): void => {
    stop.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end)
  process.stdout.write('A hub lives through three weeks; it takes some seconds …\n')
  try {
    await using running = await startDemo({ port, seed, signal: stop.signal })
    process.stdout.write(welcome(running))
    await running.goOn({ stepMs: STEP_MS })
  } catch (error) {
    if (!stop.signal.aborted) throw error
  }
  process.stdout.write(`The demo is over; nothing of it is left in ${tmpdir()}.\n`)
  return EXIT.done
}

function welcome({ url, folder, adminToken, links }: Demo): string {
  const lines = [
    '',
    `Ready: ${url}   (a demo: its nodes, sim-…, are simulated; the hub is real)`,
    '',
    'Sign in, each once; the second in another browser or a private window:',
    '',
    `  admin, administrator  ${links.admin}`,
    `  tomas, approver       ${links.approver}`,
    '',
    'Look at:',
    '',
    `  ${url}/                              what is where, what waits, and it goes on while you look`,
    `  ${url}/promotions                    billing 16 waits for somebody who approves it: tomas may`,
    `  ${url}/apps/shop                     fourteen builds and more: rolled back, yanked, pinned, failed`,
    `  ${url}/nodes                         sim-web-3 stays behind, sim-batch-2 is silent`,
    `  ${url}/environments/production       policy, a hold, the history of its overlay`,
    '',
    'Or from a terminal:',
    '',
    `  export HUB_URL=${url} HUB_TOKEN=${adminToken}`,
    '  portage-hub nodes',
    '',
    `Ctrl-C ends it and removes ${folder}.`,
    '',
  ]
  return `${lines.join('\n')}\n`
}

function wholeNumber(text: string): number {
  if (/^[0-9]{1,5}$/.test(text) && Number(text) < 65_536) return Number(text)
  throw new InvalidArgumentError('It is a whole number from 0 to 65535.')
}
