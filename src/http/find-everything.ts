/** Finds things of every kind by words: each kind by what its records are indexed by, and within the asker's sight. */
import type { Response } from 'express'
import { may, sightOf } from '../access/rights.ts'
import type { Principal, Sight } from '../access/rights.ts'
import type { Hub } from '../hub.ts'
import { principalOf } from './auth.ts'
import { visibleApps } from './build-routes.ts'
import {
  foundApp,
  foundBinpkg,
  foundBuild,
  foundCommit,
  foundFile,
  foundNode,
  foundPerson,
  foundPointFile,
  foundPromotion,
  foundRevision,
  foundTarball,
  foundToken,
} from './found.ts'
import { environmentsSeen } from './node-routes.ts'
import { FOUND_KINDS } from './openapi/search.ts'
import type { Found, Searched } from './openapi/search.ts'
import type { SearchWords } from './search-words.ts'

interface Asked {
  readonly hub: Hub
  readonly principal: Principal
  /** Apps that the asker sees; null: all. */
  readonly apps: readonly string[] | null
  readonly sight: Sight
  readonly words: SearchWords
  /** One more than are shown, so that it is known whether there are more. */
  readonly limit: number
}

/** Of files so many are judged by how well they match: those that were new last. */
const JUDGED_FILES = 200

/** Everything that the words find, `limit` of each kind. */
export async function findEverything(
  hub: Hub,
  response: Response,
  words: SearchWords,
  limit: number,
): Promise<Searched> {
  const principal = principalOf(response)
  const nothing = { q: words.text, groups: [], only: null }
  if (words.text === '') return nothing
  const sees = { sight: sightOf(principal), apps: await visibleApps(hub, response) }
  const asked: Asked = { hub, principal, ...sees, words, limit: limit + 1 }
  const found = (await Promise.all(FINDERS.map(async (find) => await find(asked)))).flat()
  const groups = FOUND_KINDS.flatMap((kind) => {
    const items = found.filter((one) => one.kind === kind)
    return items.length === 0 ? [] : [{ kind, items: items.slice(0, limit), more: items.length > limit }]
  }).sort((a, b) => rankOf(a.items[0], words) - rankOf(b.items[0], words))
  return { q: words.text, groups, only: onlyOf(found) }
}

/** The words whole, at the beginning, somewhere. */
function rankOf(one: Found | undefined, { text }: SearchWords): number {
  if (one?.exact === true) return 0
  return one?.matched.text.toLowerCase().startsWith(text.toLowerCase()) === true ? 1 : 2
}

/** What is named whole goes before what has the words somewhere. */
function onlyOf(found: readonly Found[]): string | null {
  const exact = found.filter((one) => one.exact)
  const pages = new Set((exact.length > 0 ? exact : found).map(({ page }) => page))
  const [page] = pages
  return pages.size === 1 && page !== undefined ? page : null
}

type Finder = (asked: Asked) => Promise<readonly Found[]>

const FINDERS: readonly Finder[] = [
  findApps,
  findBuilds,
  findCommits,
  findTarballs,
  findPromotions,
  findNodes,
  findRevisions,
  findKeptByNodes,
  findFiles,
  findWhoActs,
]

/** Stable: what matches alike stays in its order. */
function best(found: readonly Found[], words: SearchWords): readonly Found[] {
  return found.toSorted((a, b) => rankOf(a, words) - rankOf(b, words))
}

function unique<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  return [...new Map(items.map((item) => [keyOf(item), item])).values()]
}

async function findApps({ hub, apps, words, limit }: Asked): Promise<readonly Found[]> {
  const page = { limit, cursor: null }
  const named = await hub.records.apps.find(words.text.toLowerCase())
  const { items } = await hub.records.apps.list({ ...page, search: words.text, names: apps })
  const seen = named && (apps?.includes(named.name) ?? true) ? [named, ...items] : items
  const found = unique(seen, ({ name }) => name).map((app) => foundApp(app, words))
  return best(found, words)
}

async function findBuilds({ hub, words, ...wanted }: Asked): Promise<readonly Found[]> {
  const { search } = hub.records
  const { numbered, versioned } = words
  const byNumber = numbered === null ? [] : await search.buildsNumbered(numbered.build, numbered.app, wanted)
  const byVersion = versioned.map(
    async ({ app, version }) => await search.buildsOfVersion(app.toLowerCase(), version, wanted),
  )
  const byWords = await search.buildsOfWords(words.words, wanted)
  const builds = [...byNumber, ...(await Promise.all(byVersion)).flat(), ...byWords]
  const found = unique(builds, ({ app, build }) => `${app}/${String(build)}`)
  return best(
    found.map((build) => foundBuild(build, words)),
    words,
  )
}

async function findCommits({ hub, words, ...wanted }: Asked): Promise<readonly Found[]> {
  if (words.commit === null) return []
  const builds = await hub.records.search.buildsOfCommit(words.commit, wanted)
  return builds.map((build) => foundCommit(build, words))
}

async function findTarballs({ hub, words, ...wanted }: Asked): Promise<readonly Found[]> {
  if (words.digest === null) return []
  const builds = await hub.records.search.buildsOfDigest(words.digest, wanted)
  return builds.map((build) => foundTarball(build, words))
}

async function findPromotions({ hub, words, ...wanted }: Asked): Promise<readonly Found[]> {
  if (words.promotion === null) return []
  const promotions = await hub.records.search.promotionsOfId(words.promotion, wanted)
  return promotions.map((promotion) => foundPromotion(promotion, words))
}

async function findNodes({ hub, principal, words, limit }: Asked): Promise<readonly Found[]> {
  const page = { limit, cursor: null }
  const filter = { ...nodesSeen(hub, principal), left: null }
  const { items } = await hub.records.nodes.list({ ...filter, q: words.text }, page)
  const named = { ...filter, q: null, name: words.text }
  const own = filter.name === null ? (await hub.records.nodes.list(named, page)).items : []
  const nodes = unique([...own, ...items], ({ name }) => name)
  return best(
    nodes.map((node) => foundNode(node, words)),
    words,
  )
}

/** As the list of nodes: a node sees itself, and who sees all sees those of environments that are gone as well. */
function nodesSeen(hub: Pick<Hub, 'config'>, principal: Principal) {
  const self = nodeOf(principal)
  if (self !== null) return { environments: null, name: self }
  const seesAll = may(principal, { to: 'see nodes', environment: '' })
  return { environments: seesAll ? null : environmentsSeen(hub, principal), name: null }
}

function nodeOf(principal: Principal): string | null {
  const { node } = principal
  return node !== null && may(principal, { to: 'act as node', node }) ? node : null
}

async function findRevisions({ hub, principal, words, limit }: Asked): Promise<readonly Found[]> {
  const readable = hub.config.environments
    .map(({ name }) => name)
    .filter((environment) => may(principal, { to: 'read', environment }))
  if (words.commit === null || readable.length === 0) return []
  const rows = await hub.records.search.revisionsOfCommit(words.commit.toLowerCase(), readable, limit)
  return rows.map((revision) => foundRevision(revision, words))
}

/** What a node keeps is for itself and for administrators. */
async function findKeptByNodes({ hub, principal, words, limit }: Asked): Promise<readonly Found[]> {
  const node = nodeOf(principal)
  const { digest } = words
  if (digest === null || (node === null && !may(principal, { to: 'administer' }))) return []
  const { search } = hub.records
  const binpkgs = await search.binpkgsOfDigest(digest, node, limit)
  const files = await search.pointFilesOfDigest(digest, node, limit)
  return [
    ...binpkgs.map((one) => foundBinpkg(one, words)),
    ...files.map((file) => foundPointFile(file, words)),
  ]
}

async function findFiles({ hub, sight, words, limit }: Asked): Promise<readonly Found[]> {
  const all = await hub.records.fileIndex.find(words.words, sight, JUDGED_FILES)
  const files = unique(all, ({ app, path }) => `${app}/${path}`)
    .toSorted((a, b) => fileRank(a.path, words) - fileRank(b.path, words))
    .slice(0, limit)
  const found = files.map(async (file) => {
    const build = await hub.records.builds.find(file.app, file.newestBuild)
    return build ? [foundFile(file, build, words)] : []
  })
  return (await Promise.all(found)).flat()
}

/** The file's own name, its beginning, part of it, part of its folder; the shorter path first. */
function fileRank(path: string, { words }: SearchWords): number {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase()
  const last = (words.at(-1) ?? '').toLowerCase()
  const at = name === last ? 0 : name.startsWith(last) ? 1 : name.includes(last) ? 2 : 3
  return at * 10_000 + path.length
}

async function findWhoActs({ hub, principal, words, limit }: Asked): Promise<readonly Found[]> {
  if (!may(principal, { to: 'administer' })) return []
  const people = await hub.records.search.people(words.text, limit)
  const tokens = await hub.records.search.tokens(words.text, limit)
  return [
    ...best(
      people.map((person) => foundPerson(person, words)),
      words,
    ),
    ...tokens.map((token) => foundToken(token, words)),
  ]
}
