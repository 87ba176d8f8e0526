/**
 * The packages under tests/golden/binhost/, which the hub's code signed, and what somebody may make of them who has no key of
 * the hub: each is judged by Portage, which wrote `portage.json`, and by the hub's own verification.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openBinpkg, rangeOf } from '../../src/binpkgs/open-binpkg.ts'
import type { IndexPlace } from '../../src/binpkgs/read-index-entry.ts'
import { baseName, listedMembers } from '../../src/gentoo/gpkg.ts'
import { gpkgOf, manifestOf } from './gpkgs.ts'
import { tarOf } from './tarballs.ts'
import type { TarEntry } from './tarballs.ts'

export const GOLDEN_BINHOST = fileURLToPath(new URL('../golden/binhost/', import.meta.url))
export const GOLDEN_CPV = 'app-acme/shop-1.0.0_p1'
/** When they were signed, and the TIMESTAMP of their index. */
export const SIGNED_AT = new Date('2026-08-22T09:13:06Z')
export const SIGNED_AT_SEC = SIGNED_AT.getTime() / 1000
/** By build id: how the package was packed that was signed, a folder of tests/golden/binpkgs/. */
export const SIGNED_WAYS = ['gpkg-zstd', 'gpkg-gzip'] as const
export const OTHER_KEY = 'other-key.gpkg.tar'

/** Where the hub shows a package, as `signForBinhost` has it. */
export function placeOf(binpkgBuildId: number): IndexPlace {
  const path = `app-acme/shop/shop-1.0.0_p1-${String(binpkgBuildId)}.gpkg.tar`
  return { path, binpkgBuildId, mtimeSec: SIGNED_AT_SEC }
}

/** What Portage said: the name of the exception by which it refused, or null. */
export interface PortageSays {
  readonly portage: string
  readonly verdicts: Readonly<Record<string, string | null>>
  /** By CPV and build id: what it read from the hub's `Packages`. */
  readonly read: Readonly<Record<string, Readonly<Record<string, string>>>>
}

export function portageSays(): PortageSays {
  return JSON.parse(readFileSync(join(GOLDEN_BINHOST, 'portage.json'), 'utf8')) as PortageSays
}

type Members = Readonly<Record<string, Buffer>>

/** The members of a package by their names, in order. */
export async function membersOf(path: string): Promise<Members> {
  const binpkg = await openBinpkg(path)
  if (binpkg.format !== 'gpkg') throw new Error(`${path} is no gpkg`)
  const whole = readFileSync(path)
  const members = [...listedMembers(binpkg.layout), binpkg.layout.manifest].map((member) => {
    const { start, bytes } = rangeOf(member)
    return [baseName(member), whole.subarray(start, start + bytes)] as const
  })
  return Object.fromEntries(members)
}

/** Every way of tampering by its name, and the package itself as `nothing`. @param folder of the golden packages. */
export async function tamperedGpkgs(folder: string): Promise<Readonly<Record<string, Buffer>>> {
  const path = join(folder, placeOf(1).path)
  const whole = readFileSync(path)
  const ours = await membersOf(path)
  const second = await membersOf(join(folder, placeOf(2).path))
  const other = await membersOf(join(folder, OTHER_KEY))
  return {
    nothing: whole,
    ...changedBytes(ours),
    ...otherSignatures(ours, second, other),
    ...otherMembers(ours),
    'its end cut off': whole.subarray(0, whole.indexOf('image.tar.zst') + 600),
    'the image cut short': gpkgOf({
      ...ours,
      'image.tar.zst': member(ours, 'image.tar.zst').subarray(0, -1),
    }),
  }
}

function changedBytes(ours: Members): Record<string, Buffer> {
  const places = {
    'metadata.tar.zst': 4,
    'metadata.tar.zst.sig': 100,
    'image.tar.zst': 100,
    'image.tar.zst.sig': 100,
  }
  const changed = Object.entries(places).map(
    ([name, at]) => [`a byte of ${name}`, changedAt(ours, name, at)] as const,
  )
  const manifest = member(ours, 'Manifest')
  return {
    ...Object.fromEntries(changed),
    'a byte of the signed text': changedAt(ours, 'Manifest', manifest.indexOf('BLAKE2B') + 20),
    "a byte of the Manifest's signature": changedAt(ours, 'Manifest', manifest.length - 80),
  }
}

function otherSignatures(ours: Members, second: Members, other: Members): Record<string, Buffer> {
  const { Manifest: signedText, ...listed } = ours
  const unsigned = Object.fromEntries(Object.entries(listed).filter(([name]) => !name.endsWith('.sig')))
  const line = 'DATA more 0 BLAKE2B 00 SHA512 00\n'
  return {
    'no signature': gpkgOf(unsigned),
    'a Manifest that is not signed': gpkgOf(listed),
    'the key of somebody else': gpkgOf(other),
    'the Manifest of somebody else': gpkgOf({ ...ours, Manifest: member(other, 'Manifest') }),
    'the Manifest of another package of the hub': gpkgOf({ ...ours, Manifest: member(second, 'Manifest') }),
    'the image of another package of the hub': gpkgOf({
      ...ours,
      'image.tar.zst': member(second, 'image.tar.gz'),
      'image.tar.zst.sig': member(second, 'image.tar.gz.sig'),
    }),
    'the signatures of image and metadata swapped': gpkgOf({
      ...ours,
      'image.tar.zst.sig': member(ours, 'metadata.tar.zst.sig'),
      'metadata.tar.zst.sig': member(ours, 'image.tar.zst.sig'),
    }),
    'a line before the signed text': gpkgOf({ ...ours, Manifest: `${line}${String(signedText)}` }),
    'a line behind the signature': gpkgOf({ ...ours, Manifest: `${String(signedText)}${line}` }),
    'a second signed text': gpkgOf({
      ...ours,
      Manifest: `${String(signedText)}${String(other['Manifest'])}`,
    }),
    'an empty Manifest': gpkgOf({ ...ours, Manifest: '' }),
  }
}

function otherMembers(ours: Members): Record<string, Buffer> {
  const lacking = Object.keys(ours).map((name) => {
    const { [name]: _, ...rest } = ours
    return [`no ${name}`, name === 'Manifest' ? entries(rest) : gpkgOf(rest)] as const
  })
  const image = member(ours, 'image.tar.zst')
  return {
    ...Object.fromEntries(lacking),
    'a member more': entries({ ...ours, more: Buffer.from('x') }),
    'a member twice': entries(ours, { name: `${PREFIX}/image.tar.zst`, content: image }),
    'a member in another folder': entries(ours, { name: 'other/image.tar.zst', content: image }),
    'a member further down': entries(ours, { name: `${PREFIX}/more/x`, content: 'x' }),
    'a member above': entries(ours, { name: '../x', content: 'x' }),
    'a member with its whole path': entries(ours, { name: '/etc/x', content: 'x' }),
    'a link beside': entries(ours, { name: `${PREFIX}/more`, type: '2', link: '/etc/passwd' }),
    'a repacked image, listed anew': gpkgOf(
      relisted({ ...ours, 'image.tar.zst': Buffer.concat([image, image]) }),
    ),
  }
}

const PREFIX = 'shop-1.0.0_p1'

function relisted({ Manifest: _, ...listed }: Members): Record<string, Buffer | string> {
  return { ...listed, Manifest: manifestOf(listed) }
}

function entries(members: Members, ...more: readonly TarEntry[]): Buffer {
  const all = Object.entries(members).map(([name, content]) => ({ name: `${PREFIX}/${name}`, content }))
  return tarOf(...all, ...more)
}

function changedAt(members: Members, name: string, at: number): Buffer {
  const bytes = Buffer.from(member(members, name))
  bytes[at] = (bytes[at] ?? 0) ^ 1
  return gpkgOf({ ...members, [name]: bytes })
}

function member(members: Members, name: string): Buffer {
  const found = members[name]
  if (found) return found
  throw new Error(`there is no ${name}`)
}
