/** A node with packages of its own, as its program would pack and announce them. */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { gpkgOf, metadataTar, shopParts } from './gpkgs.ts'
import { tarOf, tarball } from './tarballs.ts'
import type { TarEntry } from './tarballs.ts'
import type { TestHub } from './test-hub.ts'

export const POINT = 'rp_20260102T030405Z_k3j9x2'
export const CPV = 'app-hub/shop-1.0.0_p1'
export const BINPKG = 'app-hub/shop/shop-1.0.0_p1-1.gpkg.tar'

export interface PackedFile {
  readonly kind: 'binpkg' | 'dump' | 'info'
  readonly name: string
  readonly bytes: Buffer
}

const PLACES = { binpkg: 'binpkgs', dump: 'dumps', info: 'infos' } as const

/** Enrols a node and gives its token. */
export async function enrolNode(hub: TestHub, name: string, environment = 'staging'): Promise<string> {
  const reply = await hub.as().post('/api/v1/nodes').send({ name, environment })
  if (reply.status !== 201) throw new Error(reply.text)
  return (reply.body as { token: string }).token
}

/** Uploads the build that `packedShop` is of. */
export async function uploadShop(hub: TestHub): Promise<void> {
  const reply = await hub.upload('shop', tarball({ 'shop/run': 'a shop\n' }), {
    build: '1',
    version: '1.0.0',
  })
  if (reply.status !== 201) throw new Error(reply.text)
}

/** What the installed-package database has of the build. */
export async function shopMetadata(hub: TestHub): Promise<Readonly<Record<string, string>>> {
  const ebuild = await hub.as().get('/api/v1/apps/shop/builds/1/ebuild')
  return {
    ...{ CATEGORY: 'app-hub\n', PF: 'shop-1.0.0_p1\n', SLOT: '0\n', EAPI: '8\n', KEYWORDS: 'amd64 arm64\n' },
    ...{ BUILD_TIME: '1767323000\n', repository: 'hub-staging\n', 'environment.bz2': 'BZh' },
    'shop-1.0.0_p1.ebuild': ebuild.text,
  }
}

/** What quickpkg would make of it: `metadata` and `image` change single files. */
export async function packedShop(
  hub: TestHub,
  changes: {
    readonly metadata?: Readonly<Record<string, string>>
    readonly image?: readonly TarEntry[]
  } = {},
): Promise<Buffer> {
  const metadata = { ...(await shopMetadata(hub)), ...changes.metadata }
  const image = changes.image ?? [
    ...['image/', 'image/opt/', 'image/opt/shop/'].map((name) => ({ name, type: '5' }) as const),
    { name: 'image/opt/shop/run', content: 'a shop\n' },
  ]
  return gpkgOf(
    shopParts({
      'metadata.tar.gz': gzipSync(metadataTar(metadata)),
      'image.tar.gz': gzipSync(tarOf(...image)),
    }),
  )
}

export function announcementOf(files: readonly PackedFile[], changes: object = {}) {
  return {
    ...{ id: POINT, app: 'shop', cpv: CPV, reason: 'upgrade', takenAt: '2026-01-02T03:04:05Z' },
    ...{ hubNode: '0.1.0', encrypted: false, schemaVersion: null },
    files: files.map(({ kind, name, bytes }) => ({
      ...{ kind, name, sizeBytes: bytes.byteLength },
      sha512: createHash('sha512').update(bytes).digest('hex'),
    })),
    ...changes,
  }
}

/** What a node asks of its own restore points. */
export function pointsOf(hub: TestHub, node: string, token: string) {
  const points = `/api/v1/nodes/${node}/restore-points`
  return {
    announce: async (announcement: object) => await hub.as(token).post(points).send(announcement),
    put: async ({ kind, name, bytes }: PackedFile, id = POINT) =>
      await hub
        .as(token)
        .put(`${points}/${id}/${PLACES[kind]}/${name}`)
        .set('Content-Type', 'application/octet-stream')
        .send(bytes),
    putMetadata: async (name: string, bytes: Buffer, id = POINT) =>
      await hub
        .as(token)
        .put(`${points}/${id}/metadata/${name}`)
        .set('Content-Type', 'application/octet-stream')
        .send(bytes),
    fetch: async ({ kind, name }: Pick<PackedFile, 'kind' | 'name'>, id = POINT) =>
      await bytesAt(`${hub.url}${points}/${id}/${PLACES[kind]}/${name}`, token),
    complete: async (id = POINT) => await hub.as(token).post(`${points}/${id}/complete`),
    show: async (id = POINT) => await hub.as(token).get(`${points}/${id}`),
    list: async () => await hub.as(token).get(points),
    index: async (file = 'Packages', headers: Readonly<Record<string, string>> = {}) =>
      await bytesAt(`${hub.url}/binhost/nodes/${node}/${file}`, token, headers),
  }
}

async function bytesAt(url: string, token: string, headers: Readonly<Record<string, string>> = {}) {
  const reply = await fetch(url, { headers: { Authorization: `Bearer ${token}`, ...headers } })
  return {
    status: reply.status,
    headers: Object.fromEntries(reply.headers),
    bytes: Buffer.from(await reply.arrayBuffer()),
  }
}
