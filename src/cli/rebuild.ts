import type { Command } from 'commander'
import type { Config } from '../config.ts'
import { HubError } from '../errors.ts'
import type { Rebuilt } from '../jobs/rebuild-overlays.ts'
import { table } from './format.ts'
import { DRY_RUN, local } from './session.ts'

interface Options {
  readonly dryRun?: boolean
}

export function addRebuild(program: Command): void {
  const command = program
    .command('rebuild')
    .description('make overlays again from the records, byte for byte; the hub must be stopped')
    .argument('[environments...]', 'only these (default: all)')
    .option(...DRY_RUN)
    .addHelpText(
      'after',
      '\nRefuses while a hub works on the data folder. The repositories are made beside the old' +
        '\nones and take their places when git finds them whole; the commit ids are those of before.',
    )
  const example = 'HUB_DATA_DIR=/var/lib/portage-hub portage-hub rebuild staging'
  local<Options>(command, example, async ({ terminal, show }, options, given) => {
    const { loadConfig } = await import('../config.ts')
    const { config } = loadConfig()
    const environments = chosen(config, given as unknown as readonly string[])
    const { openDataFolder } = await import('../jobs/open-data-folder.ts')
    const { rebuildOverlays } = await import('../jobs/rebuild-overlays.ts')
    await using folder = await openDataFolder(config)
    const rebuilt: Rebuilt[] = []
    if (terminal.isWatched) terminal.draw('rebuilding …')
    try {
      const all = rebuildOverlays(folder, environments, options.dryRun === true)
      for await (const overlay of all) rebuilt.push(overlay)
    } finally {
      if (terminal.isWatched) terminal.draw('')
    }
    const columns = [
      { title: 'OVERLAY', value: ({ environment }: Rebuilt) => environment },
      { title: 'REVISIONS', value: ({ revision }: Rebuilt) => revision },
      { title: 'COMMIT', value: ({ commit }: Rebuilt) => commit ?? 'no revision yet' },
    ]
    show({ items: rebuilt, dryRun: options.dryRun === true }, table(columns, rebuilt, terminal.columns))
    terminal.note(
      options.dryRun === true
        ? 'The records give these overlays; nothing was changed.'
        : 'Rebuilt; each commit is the one that the records name.',
    )
  })
}

function chosen({ environments }: Config, given: readonly string[]): readonly string[] {
  const names = environments.map(({ name }) => name)
  for (const name of given) {
    if (names.includes(name)) continue
    const shown = JSON.stringify(name.slice(0, 100))
    throw new HubError(
      'environment.unknown',
      `there is no environment ${shown}; there are: ${names.join(', ')}`,
    )
  }
  return given.length > 0 ? given : names
}
