/** Clients that keep files by hand, clients that read what is published, and the list of all that there are. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { decodePkts, encodePkt } from '../../src/git/pkt-line.ts'
import { git } from '../git/support.ts'
import { runPipeline } from './pipeline.ts'
import { manager } from './production.ts'
import { HubGone, ask, found } from './requests.ts'
import type { Client, World } from './requests.ts'
import { nodeClient } from './nodes.ts'
import { uploadInPieces } from './resumable.ts'
import { keepRules } from './rules.ts'
import { byForm, byPush, byPut, disputeBuild, sha512, uploadByKey, uploader } from './uploaders.ts'
import { treeOfClone, treeOfListing, treeOfPack, treeOfZip } from './views.ts'

const ENVIRONMENTS = ['staging', 'production', 'gated'] as const

/** Writes, changes and removes hand-kept files. */
export async function keepByHand(world: World): Promise<void> {
  const { ledger, random } = world
  const path = `profiles/by-hand/${String(random.int(4))}`
  const possible = ledger.files.get(path) ?? new Set([null])
  const isRemoval = !possible.has(null) && random.chance(0.3)
  const content = isRemoval ? null : random.bytes(12).toString('hex')
  ledger.files.set(path, new Set([...possible, content]))
  const request = {
    method: isRemoval ? 'DELETE' : 'PUT',
    path: `/api/v1/environments/staging/files/${path}`,
    ...(content === null ? {} : { body: Buffer.from(content) }),
  }
  const reply = await ask(world, request)
  ledger.files.set(path, reply.status === 200 ? new Set([content]) : possible)
  if (reply.status === 200) ledger.heard()
  else found(world, request, reply)
}

/** The real client: clones once, then fetches, as `emerge --sync` does. */
export async function syncByGit(world: World): Promise<void> {
  const environment = world.random.pick(ENVIRONMENTS) ?? 'staging'
  const clone = join(world.folder, environment)
  try {
    if (existsSync(join(clone, '.git', 'HEAD'))) {
      await git(clone, ['fetch', '--quiet', '--depth', '1', `${world.url}/git/${environment}.git`, 'main'])
      await git(clone, ['reset', '--quiet', '--hard', 'FETCH_HEAD'])
    } else
      await git(world.folder, ['clone', '--quiet', '--depth', '1', `${world.url}/git/${environment}.git`])
  } catch (error) {
    throw new HubGone('git did not get an answer', { cause: error })
  }
  const { commit, tree } = await treeOfClone(clone)
  world.ledger.views.push({ environment, by: 'git', tree, commit })
}

/** The same questions without git: faster, and it looks at every byte. */
export async function syncByHttp(world: World): Promise<void> {
  const environment = world.random.pick(ENVIRONMENTS) ?? 'staging'
  const refs = await askGit(world, environment, ['command=ls-refs'], ['ref-prefix HEAD'])
  const commit = refs[0]?.toString('latin1', 0, 40) ?? ''
  const lines = await askGit(world, environment, ['command=fetch'], [`want ${commit}`, 'deepen 1', 'done'])
  const begin = lines.findIndex((line) => line.toString('latin1') === 'packfile\n')
  const pack = Buffer.concat(
    lines.slice(begin + 1).flatMap((line) => (line[0] === 1 ? [line.subarray(1)] : [])),
  )
  try {
    world.ledger.views.push({ environment, by: 'git over HTTP', tree: treeOfPack(pack, commit), commit })
  } catch (error) {
    world.ledger.findings.push(`the pack of ${commit}: ${(error as Error).message}`)
  }
}

async function askGit(
  world: World,
  environment: string,
  command: readonly string[],
  args: readonly string[],
): Promise<readonly Buffer[]> {
  const path = `/git/${environment}.git/git-upload-pack`
  const pkts = [...command.map(encodeLine), Buffer.from('0001'), ...args.map(encodeLine), Buffer.from('0000')]
  const headers = { 'Git-Protocol': 'version=2', 'Content-Type': 'application/x-git-upload-pack-request' }
  const request = { method: 'POST', path, headers, body: Buffer.concat(pkts) }
  const reply = await ask(world, request)
  if (reply.status !== 200) {
    found(world, request, reply)
    return []
  }
  return decodePkts(reply.body).filter((pkt): pkt is Buffer => Buffer.isBuffer(pkt))
}

function encodeLine(line: string): Buffer {
  return encodePkt(`${line}\n`)
}

/** Polls the zip, and fetches one of the distfiles that it names: what a node would do. */
export async function pollZip(world: World): Promise<void> {
  const environment = world.random.pick(ENVIRONMENTS) ?? 'staging'
  const request = { path: `/overlays/${environment}.zip` }
  const reply = await ask(world, request)
  if (reply.status !== 200) found(world, request, reply)
  else world.ledger.views.push({ environment, by: 'zip', tree: treeOfZip(reply.body), commit: null })
}

/** Lists the top of the tree, and fetches one of the distfiles that a Manifest of it names. */
export async function browse(world: World): Promise<void> {
  const environment = world.random.pick(ENVIRONMENTS) ?? 'staging'
  const top = await ask(world, { path: `/overlays/${environment}/tree` })
  const tree = treeOfListing(top.json['items'] as Parameters<typeof treeOfListing>[0])
  world.ledger.views.push({ environment, by: 'listing', tree, commit: null })
  const listing = await ask(world, { path: `/overlays/${environment}/tree/app-hub` })
  if (listing.status !== 200) return
  const app = world.random.pick(listing.json['items'] as { name: string }[])?.name ?? ''
  const manifest = await ask(world, { path: `/overlays/${environment}/tree/app-hub/${app}/Manifest` })
  await fetchDistfile(world, environment, world.random.pick(manifest.text.trimEnd().split('\n')) ?? '')
}

/** @param line of a Manifest: `DIST <name> <bytes> BLAKE2B <hex> SHA512 <hex>` */
export async function fetchDistfile(
  world: Pick<World, 'url' | 'ledger'>,
  environment: string,
  line: string,
): Promise<void> {
  const [, name = '', sizeBytes, , , , digest] = line.split(' ')
  const request = { path: `/distfiles/${environment}/${name}` }
  const reply = await ask(world, request)
  if (reply.status !== 200) found(world, request, reply)
  else if (reply.body.length !== Number(sizeBytes) || sha512(reply.body) !== digest)
    world.ledger.findings.push(`${request.path} is not what its Manifest says`)
}

/** All that are at work at once. Another kind of client is another line here. */
export const CLIENTS: Readonly<Record<string, Client>> = {
  put: uploader('by-put', byPut),
  form: uploader('by-form', byForm),
  push: uploader('by-push', byPush),
  key: uploadByKey,
  pieces: uploadInPieces,
  dispute: disputeBuild,
  manager0: manager(0, 2),
  manager1: manager(1, 2),
  keeper: keepByHand,
  rules: keepRules,
  pipeline: runPipeline,
  node1: nodeClient('web1'),
  node2: nodeClient('web2'),
  git: syncByGit,
  http: syncByHttp,
  zip: pollZip,
  browser: browse,
}
