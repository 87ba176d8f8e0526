import type { Command } from 'commander'

const EXAMPLE = 'HUB_DATA_DIR=/var/lib/portage-hub portage-hub serve'

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('run the hub until it is stopped')
    .addHelpText('after', `\n"portage-hub config show" lists its settings.\n\nExample:\n  ${EXAMPLE}`)
    .action(async () => {
      const { serve } = await import('../main.ts')
      process.exitCode = await serve()
    })
}
