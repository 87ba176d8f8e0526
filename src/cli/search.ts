import type { Command } from 'commander'
import type { Found, Searched } from '../http/openapi/search.ts'
import { apiPath } from './api-path.ts'
import { EXIT } from './exit-status.ts'
import { table, timeText } from './format.ts'
import type { Column } from './format.ts'
import { parseCount } from './lists.ts'
import { remote } from './session.ts'

interface Options {
  readonly limit?: number
}

const COLUMNS: readonly Column<Found>[] = [
  { title: 'KIND', value: ({ kind }) => kind },
  { title: 'ID', value: ({ id }) => id },
  { title: 'ABOUT', value: ({ about }) => about, cut: true },
  { title: 'SINCE (UTC)', value: ({ at }) => timeText(at) },
]

export function addSearch(program: Command): void {
  const command = program
    .command('search')
    .description('find apps, builds, commits, digests, files in tarballs, nodes and promotions')
    .argument('<words...>', 'a name, "shop 45", a version, a commit, a digest, part of a path, …')
    .option('--limit <count>', 'how many of each kind at the most, up to 50 (default: 10)', parseCount)
  remote<Options>(command, 'portage-hub search shop 45', async (session, { limit }, ...words) => {
    const q = words.flat().join(' ')
    const searched = await session.client.get<Searched>(apiPath('search'), { q, limit })
    const items = searched.groups.flatMap((group) => group.items)
    const { columns, urgent } = session.terminal
    session.show(searched, items.length === 0 ? '' : table(COLUMNS, items, columns, urgent))
    if (searched.groups.some(({ more }) => more))
      session.terminal.note('There are more: give a higher --limit.')
    if (items.length > 0) return EXIT.done
    session.terminal.note('Nothing that you may see has this.')
    return EXIT.notFound
  })
}
