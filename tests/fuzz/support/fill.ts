/** What a fuzzed hub has before the first case: builds, releases, a file by hand, tokens, nodes, and a restore point. */
import { gzipSync } from 'node:zlib'
import { ROLES } from '../../../src/access/rights.ts'
import { gpkgOf, metadataTar, shopParts } from '../../support/gpkgs.ts'
import { formBody, FORM_TYPE } from '../../support/raw-http.ts'
import { reportOf } from '../../support/node-reports.ts'
import { announcementOf, POINT } from '../../support/restore-points.ts'
import { tarball, tarOf } from '../../support/tarballs.ts'
import { ADMIN_TOKEN } from '../../support/test-hub.ts'
import type { Exchange, exchange } from './exchange.ts'

export interface Known {
  readonly tokens: Readonly<Record<string, string>>
  readonly build: Readonly<Record<string, unknown>>
  readonly tarball: Buffer
  readonly ids: readonly string[]
  readonly oids: readonly string[]
  readonly fleet: Fleet
}

/** Nodes, and what they have. */
export interface Fleet {
  /** A node with one complete restore point, which no case removes. */
  readonly packed: {
    readonly node: string
    readonly point: string
    readonly path: string
    /** As its binhost has it, signed; and the index. */
    readonly signed: Buffer
    readonly packages: Buffer
  }
  /** A node whose restore points come and go with each case. */
  readonly busy: { readonly node: string; readonly token: string }
  /** A package that the hub takes of any node. */
  readonly shop: { readonly cpv: string; readonly name: string; readonly bytes: Buffer }
}

type Ask = (wanted: Exchange) => ReturnType<typeof exchange>
type Json = Record<string, unknown>
type AskJson = (method: string, path: string, body?: object) => Promise<Json>

/** A build without a recipe, with one text and one file that is none. */
const TARBALL = tarball({
  'shop/bin/run': '#!/bin/sh\n',
  'shop/data': '\0'.repeat(3000),
  'shop/readme': 'hello\n',
})

export async function fill(ask: Ask): Promise<Known> {
  const json: AskJson = async (method, path, body) => {
    const wanted = { method, path: `/api/v1${path}`, headers: { 'Content-Type': 'application/json' } }
    const reply = await ask({ ...wanted, ...(body ? { body: Buffer.from(JSON.stringify(body)) } : {}) })
    if (reply.status >= 300) throw new Error(`${path}: ${reply.text}`)
    return JSON.parse(reply.text || '{}') as Json
  }
  const builds: Json[] = []
  for (const build of ['1', '2', '3']) {
    const body = formBody({ build, version: `1.0.${build}`, tarball: TARBALL })
    const headers = { 'Content-Type': FORM_TYPE }
    const reply = await ask({ method: 'POST', path: '/api/v1/apps/shop/builds', headers, body })
    builds.push(JSON.parse(reply.text) as Json)
  }
  const promotion = await json('POST', '/promotions', { app: 'shop', build: 2, environment: 'production' })
  const release = (builds[0]?.['releases'] as { readonly id: string }[])[0]?.id ?? ''
  await json('POST', `/environments/staging/releases/${release}/withdraw`, { reason: 'it was fuzzed' })
  await json('PUT', '/environments/staging/files/profiles/package.use', {})
  const tokens: Record<string, string> = { administrator: ADMIN_TOKEN }
  await json('POST', '/nodes', { name: 'web1', environment: 'staging' })
  for (const role of ROLES.slice(1)) {
    const scope = role === 'enrol' ? { environments: ['staging'] } : {}
    tokens[role] = String((await json('POST', '/tokens', { name: role, role, ...scope }))['token'])
  }
  const { overlay } = (await json('GET', '/environments/staging')) as {
    readonly overlay: { readonly commit: string }
  }
  const revision = await json('GET', '/environments/staging/revisions/2')
  const tree = JSON.parse((await ask({ path: '/overlays/staging/tree/profiles' })).text) as {
    readonly items: readonly { readonly oid: string }[]
  }
  const oids = [overlay.commit, revision['commit'], revision['tree'], tree.items[0]?.oid].map(String)
  const build = builds[1] ?? {}
  const fleet = await fillFleet(ask, json)
  const ids = [release, String(promotion['id']), 'tok_none', ...(await openThings(json, fleet))]
  return { tokens, build, tarball: TARBALL, ids, oids, fleet }
}

async function fillFleet(ask: Ask, json: AskJson): Promise<Fleet> {
  await json('POST', '/nodes', { name: 'packed', environment: 'staging' })
  const busy = await json('POST', '/nodes', { name: 'busy', environment: 'staging' })
  const shop = await packShop(ask)
  const point = `/nodes/packed/restore-points`
  const dump = { kind: 'dump', name: 'shop.dump', bytes: Buffer.from('a dump\n') } as const
  const binpkg = { kind: 'binpkg', name: shop.name, bytes: shop.bytes } as const
  await json('POST', point, announcementOf([binpkg, dump], { cpv: shop.cpv }))
  for (const [place, { name, bytes }] of [
    ['binpkgs', binpkg],
    ['dumps', dump],
  ] as const) {
    const path = `/api/v1${point}/${POINT}/${place}/${name}`
    const reply = await ask({ method: 'PUT', path, body: bytes })
    if (reply.status !== 201) throw new Error(reply.text)
  }
  const completed = await json('POST', `${point}/${POINT}/complete`)
  const [{ path = '' } = {}] = completed['binpkgs'] as { readonly path?: string }[]
  await json('POST', '/nodes/packed/report', reportOf([shop.cpv]))
  const { body: signed } = await ask({ path: `/binhost/nodes/packed/${path}` })
  const { body: packages } = await ask({ path: '/binhost/nodes/packed/Packages' })
  return {
    packed: { node: 'packed', point: POINT, path, signed, packages },
    busy: { node: 'busy', token: String(busy['token']) },
    shop,
  }
}

/** What quickpkg would make of the second build. */
async function packShop(ask: Ask): Promise<Fleet['shop']> {
  const pf = 'shop-1.0.2_p2'
  const ebuild = await ask({ path: '/api/v1/apps/shop/builds/2/ebuild' })
  const metadata = {
    ...{ CATEGORY: 'app-hub\n', PF: `${pf}\n`, SLOT: '0\n', EAPI: '8\n', KEYWORDS: 'amd64 arm64\n' },
    ...{ BUILD_TIME: '1767323000\n', repository: 'hub-staging\n', RDEPEND: 'a? ( b/c ) || ( d/e f/g )\n' },
    ...{ USE: 'a\n', 'environment.bz2': 'BZh', [`${pf}.ebuild`]: ebuild.text },
  }
  const image = ['image/', 'image/opt/', 'image/opt/shop/'].map((name) => ({ name, type: '5' }) as const)
  const parts = shopParts({
    'metadata.tar.gz': gzipSync(metadataTar(metadata)),
    'image.tar.gz': gzipSync(tarOf(...image, { name: 'image/opt/shop/readme', content: 'hello\n' })),
  })
  return { cpv: `app-hub/${pf}`, name: `app-hub/shop/${pf}-1.gpkg.tar`, bytes: gpkgOf(parts, pf) }
}

/** A hold, a rollback that waits, and a check, by their ids. */
async function openThings(json: AskJson, { packed }: Fleet): Promise<readonly string[]> {
  const hold = await json('POST', '/holds', { app: 'shop', build: 3, reason: 'it is fuzzed' })
  const rollback = await json('POST', '/rollbacks', { node: packed.node, app: 'shop' })
  const told = { stage: 'commit', name: 'unit', status: 'passed' }
  const check = await json('POST', '/apps/shop/builds/2/checks', told)
  return [hold, rollback, check].map(({ id }) => String(id))
}
