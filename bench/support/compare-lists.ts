/** Every list and page of the API, asked of archives of several sizes; pages of equal length, so that what is compared is finding them. */
import type { Bench } from './part.ts'
import type { GrownArchive } from './growth-folder.ts'
import { ask } from './http-client.ts'
import type { BenchHub } from './hub.ts'
import type { GitRequests } from './light-git.ts'
import { quantile, summarise } from './rounds.ts'

/** Up to 1.5 times the time of the smallest: 1 / 1.5. */
const LEAST_RATIO = 0.667
const ASKED = 15
const API = '/api/v1'

/** A hub on an archive, and what is needed to publish to it. */
export interface GrownHub {
  readonly archive: GrownArchive
  readonly hub: BenchHub
  readonly requests: GitRequests
}

/** What is asked for differs where it names something of the archive. */
interface Known {
  readonly commit: string
  readonly sha512: string
  /** Tokens' secrets. */
  readonly admin: string
  readonly producer: string
  readonly buildsInTheMiddle: string
  readonly revisionsInTheMiddle: string
}

type Route = (known: Known) => { readonly path: string; readonly token?: string }

const one = (path: string) => (): { readonly path: string } => ({ path })

/** By what the table calls them. */
const ROUTES: Readonly<Record<string, Route>> = {
  apps: one('/apps?limit=50'),
  'apps by a part of the name': one('/apps?q=app-a00&limit=50'),
  'apps that a node of production may see': ({ producer }) => ({ path: '/apps?limit=1', token: producer }),
  'one app': one('/apps/app-a0007'),
  'builds of an app': one('/apps/app-a0007/builds?limit=1'),
  'builds of an app by a text': one('/apps/app-a0007/builds?q=main&limit=1'),
  'all builds': one('/builds?limit=50'),
  'all builds, from the middle on': ({ buildsInTheMiddle: at }) => ({
    path: `/builds?limit=20&cursor=${at}`,
  }),
  'builds that a node of production may see': ({ producer }) => ({
    path: '/builds?limit=1',
    token: producer,
  }),
  'search that finds most': one('/builds?q=app-a0&limit=50'),
  'search that finds one': ({ commit }) => ({ path: `/builds?q=${commit.slice(5, 25)}&limit=50` }),
  'search that finds nothing': one('/builds?q=nothing-of-that-name'),
  'search of two letters that finds most': one('/builds?q=ap&limit=50'),
  'search of two letters that finds nothing': one('/builds?q=zz'),
  'one build': one('/apps/app-a0007/builds/1'),
  'what is in a build': one('/apps/app-a0007/builds/1/files'),
  "a build's ebuild": one('/apps/app-a0007/builds/1/ebuild'),
  'why it may not be promoted': one('/apps/app-a0007/builds/1/eligibility/production'),
  'builds of a digest': ({ sha512 }) => ({ path: `/digests/${sha512}` }),
  releases: one('/environments/staging/releases?limit=50'),
  'releases of an app': one('/environments/staging/releases?app=app-a0007&limit=1'),
  'releases that were withdrawn': one('/environments/staging/releases?state=withdrawn'),
  'releases of production': one('/environments/production/releases'),
  revisions: one('/environments/staging/revisions?limit=50'),
  'revisions, from the middle on': ({ revisionsInTheMiddle: at }) => ({
    path: `/environments/staging/revisions?limit=20&cursor=${at}`,
  }),
  'what a revision changed': one('/environments/staging/revisions/9/diff'),
  promotions: one('/promotions?limit=50'),
  'promotions of an app': one('/promotions?app=app-a0007&limit=1'),
  'promotions that a node of production may see': ({ producer }) => ({
    path: '/promotions?limit=1',
    token: producer,
  }),
}

/** A row for each: the largest archive against the smallest. */
export async function compareLists({ options, report }: Bench, hubs: readonly GrownHub[]): Promise<void> {
  const [smallest, largest] = [hubs[0], hubs.at(-1)]
  if (!smallest || !largest || smallest === largest) return
  const [known, knownOfLargest] = [await learn(smallest), await learn(largest)]
  const times = new Map<string, { small: number[]; large: number[] }>()
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, route] of Object.entries(ROUTES)) {
      const both = times.get(name) ?? { small: [], large: [] }
      both.small.push(await medianMs(smallest.hub, route(known), known))
      both.large.push(await medianMs(largest.hub, route(knownOfLargest), knownOfLargest))
      times.set(name, both)
    }
    process.stderr.write(`  round ${round + 1}/${options.rounds}  ${Object.keys(ROUTES).length} lists\n`)
  }
  for (const [name, { small, large }] of times) {
    report.row({
      measured: `list: ${name}`,
      ...{ unit: 'ms', better: 'less', hub: summarise(large), peer: summarise(small) },
      ...{ peerName: `${smallest.archive.builds} builds`, target: { ratio: LEAST_RATIO } },
    })
  }
}

async function medianMs(
  hub: BenchHub,
  { path, token }: ReturnType<Route>,
  { admin }: Known,
): Promise<number> {
  const times: number[] = []
  for (let count = 0; count < ASKED; count++) {
    const started = performance.now()
    const headers = { Authorization: `Bearer ${token ?? admin}` }
    const { status, body } = await ask({ url: hub.url + API + path, headers })
    times.push(performance.now() - started)
    if (status !== 200) throw new Error(`${path} answered ${status}: ${body.toString()}`)
  }
  return quantile(times, 0.5)
}

async function learn({ hub, archive }: GrownHub): Promise<Known> {
  const build = await hub.api<{ commit: string; tarball: { sha512: string } }>(
    'GET',
    `${API}/apps/app-a0007/builds/1`,
  )
  // What production has is one old build: the newest that a node of it may see lies far back.
  await hub.api('POST', `${API}/promotions`, { app: 'app-a0007', build: 1, environment: 'production' })
  return {
    commit: build.commit,
    sha512: build.tarball.sha512,
    admin: hub.adminToken,
    producer: await hub.createToken({ role: 'node', environments: ['production'] }),
    buildsInTheMiddle: await middleOf(hub, '/builds', archive.builds),
    revisionsInTheMiddle: await middleOf(hub, '/environments/staging/revisions', archive.builds),
  }
}

/** The cursor that leads to the middle of a list. */
async function middleOf(hub: BenchHub, path: string, items: number): Promise<string> {
  const limit = Math.min(500, Math.ceil(items / 4))
  let cursor = ''
  for (let passed = 0; passed < items / 2; passed += limit) {
    const query = new URLSearchParams({ limit: String(limit), ...(cursor && { cursor }) }).toString()
    const page = await hub.api<{ nextCursor: string }>('GET', `${API}${path}?${query}`)
    cursor = page.nextCursor
  }
  return encodeURIComponent(cursor)
}
