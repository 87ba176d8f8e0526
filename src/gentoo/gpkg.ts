/**
 * GPKG, the binary package: an uncompressed tar of one folder with a marker, metadata and image as tars of their own,
 * their signatures, and a Manifest of them all. Here are its rules; who reads a file walks it by `tar-member.ts`.
 * Sources: GLEP 78; Portage lib/portage/gpkg.py `_verify_binpkg`, `_load_manifest`, `_get_inner_tarinfo`.
 *
 *     <prefix>/gpkg-1                     empty
 *     <prefix>/metadata.tar.<c>  [.sig]   members metadata/<KEY>
 *     <prefix>/image.tar.<c>     [.sig]   members image/…
 *     <prefix>/Manifest                   plain or clear-signed
 */
import { HubError } from '../errors.ts'
import { shown } from './version.ts'

/** More than a package has; whoever walks a file may stop there. */
export const MOST_GPKG_MEMBERS = 8

/** How the two inner tars may be packed, by the end of their names. */
export const GPKG_COMPRESSIONS = ['', '.gz', '.bz2', '.xz', '.zst', '.lz4', '.lz'] as const
export type GpkgCompression = (typeof GPKG_COMPRESSIONS)[number]

export interface GpkgMember {
  /** With the folder: `shop-1.0.0_p1/gpkg-1`. */
  readonly name: string
  /** Where its content begins in the file. */
  readonly offset: number
  readonly sizeBytes: number
}

export interface PackedMember extends GpkgMember {
  readonly compression: GpkgCompression
}

/** The members of a package, each known for what it is. */
export interface GpkgLayout {
  /** Mostly PF, or PF and build id: a name that says nothing certain. */
  readonly prefix: string
  readonly marker: GpkgMember
  readonly metadata: PackedMember
  readonly metadataSignature: GpkgMember | null
  readonly image: PackedMember
  readonly imageSignature: GpkgMember | null
  readonly manifest: GpkgMember
}

/** One `DATA` line of a Manifest. */
export interface GpkgDigests {
  readonly sizeBytes: number
  /** BLAKE2b of 512 bits, 128 lower-case hex digits. */
  readonly blake2b: string
  /** 128 lower-case hex digits. */
  readonly sha512: string
}

/** By the members' names without the folder. */
export type GpkgManifest = ReadonlyMap<string, GpkgDigests>

export const GPKG_MARKER = 'gpkg-1'
export const GPKG_MANIFEST = 'Manifest'
const PACKED = /^(metadata|image)\.tar(\.[a-z0-9]+)?$/
const DIGESTS: Readonly<Record<string, keyof GpkgDigests>> = { BLAKE2B: 'blake2b', SHA512: 'sha512' }
const SIGNED_BEGIN = '-----BEGIN PGP SIGNED MESSAGE-----\n'
const SIGNATURE_BEGIN = '\n-----BEGIN PGP SIGNATURE-----\n'

/**
 * Says which member is what.
 * @throws {HubError} `binpkg.invalid` if they do not lie in one folder, one comes twice, one is missing or unknown, or an
 *   inner tar is packed in a way that is not read.
 */
export function gpkgLayout(members: readonly GpkgMember[]): GpkgLayout {
  const prefix = commonPrefix(members)
  const left = new Map(members.map((member) => [baseName(member), member]))
  if (left.size < members.length) throw invalid('it has two members of the same name')
  const take = (name: string): GpkgMember | null => {
    const member = left.get(name) ?? null
    left.delete(name)
    return member
  }
  const marker = required(take(GPKG_MARKER), GPKG_MARKER)
  if (marker.sizeBytes > 0) throw invalid('its gpkg-1 is not empty')
  const manifest = required(take(GPKG_MANIFEST), GPKG_MANIFEST)
  const [metadataName, imageName] = [packedName(left, 'metadata'), packedName(left, 'image')]
  const layout = {
    ...{ prefix, marker, manifest },
    metadata: { ...required(take(metadataName), metadataName), compression: compressionOf(metadataName) },
    metadataSignature: take(`${metadataName}.sig`),
    image: { ...required(take(imageName), imageName), compression: compressionOf(imageName) },
    imageSignature: take(`${imageName}.sig`),
  }
  const [unknown] = left.keys()
  if (unknown !== undefined) throw invalid(`it has ${shown(unknown)}, which readers do not know`)
  return layout
}

/** The name without the folder, as the Manifest has it. */
export function baseName({ name }: GpkgMember): string {
  return name.slice(name.indexOf('/') + 1)
}

/** All members but the Manifest: what it must list. */
export function listedMembers(layout: GpkgLayout): readonly GpkgMember[] {
  const { marker, metadata, metadataSignature, image, imageSignature } = layout
  return [marker, metadata, metadataSignature, image, imageSignature].filter((member) => member !== null)
}

/**
 * Reads a Manifest, clear-signed or not. Whether a signature holds is not looked at here.
 * @throws {HubError} `binpkg.invalid` for a line that is no `DATA <name> <size> <digest name> <hex> …`, lacks BLAKE2B or
 *   SHA512 (Portage dies of that), or names a member again.
 */
export function parseGpkgManifest(text: string): GpkgManifest {
  const lines = signedText(text).split('\n')
  if (lines.pop() !== '') throw invalid('its Manifest does not end in a line end')
  const manifest = new Map<string, GpkgDigests>()
  for (const line of lines) {
    const { name, digests } = parseLine(line)
    if (manifest.has(name)) throw invalid(`its Manifest names ${shown(name)} twice`)
    manifest.set(name, digests)
  }
  return manifest
}

/** Renders the lines of a Manifest, in the map's order; `parseGpkgManifest` reads them back to the same. */
export function renderGpkgManifest(manifest: GpkgManifest): string {
  return [...manifest]
    .map(
      ([name, { sizeBytes, blake2b, sha512 }]) =>
        `DATA ${name} ${sizeBytes} BLAKE2B ${blake2b} SHA512 ${sha512}\n`,
    )
    .join('')
}

/**
 * Checks that the Manifest lists each member but itself, with its size, and nothing else.
 * @throws {HubError} `binpkg.digest_mismatch` otherwise.
 */
export function checkAgainstManifest(layout: GpkgLayout, manifest: GpkgManifest): void {
  const members = new Map(listedMembers(layout).map((member) => [baseName(member), member]))
  for (const [name, member] of members) {
    const listed = manifest.get(name)
    if (!listed) throw mismatch(name, 'is not listed in its Manifest')
    if (listed.sizeBytes !== member.sizeBytes)
      throw mismatch(name, `has ${member.sizeBytes} bytes, and ${listed.sizeBytes} by its Manifest`)
  }
  const missing = [...manifest.keys()].find((name) => !members.has(name))
  if (missing !== undefined) throw mismatch(missing, 'is listed in its Manifest and not there')
}

/** A member is not what the Manifest says; `what` reads on from its name. */
export function mismatch(name: string, what: string): HubError {
  return new HubError(
    'binpkg.digest_mismatch',
    `the binary package is damaged: ${shown(name)} ${what}; send it again, or pack it again with quickpkg`,
    { member: name },
  )
}

function commonPrefix(members: readonly GpkgMember[]): string {
  const prefixes = new Set(members.map(({ name }) => /^([^/]+)\/[^/]+$/.exec(name)?.[1]))
  const [prefix, ...others] = prefixes
  if (prefix === undefined || others.length > 0 || prefix === '.' || prefix === '..')
    throw invalid('its members do not all lie in one folder')
  return prefix
}

/** `metadata.tar.zst`: Portage would take the first of several, so there must be one. */
function packedName(members: ReadonlyMap<string, GpkgMember>, what: 'metadata' | 'image'): string {
  const [name, ...others] = [...members.keys()].filter((one) => PACKED.exec(one)?.[1] === what)
  if (name === undefined) throw invalid(`it has no ${what}.tar`)
  if (others.length > 0) throw invalid(`it has more than one ${what}.tar`)
  return name
}

function compressionOf(name: string): GpkgCompression {
  const end = PACKED.exec(name)?.[2] ?? ''
  const compression = GPKG_COMPRESSIONS.find((known) => known === end)
  if (compression !== undefined) return compression
  throw invalid(`the hub does not unpack ${shown(name)}; pack it with BINPKG_COMPRESS=zstd`)
}

function required(member: GpkgMember | null, name: string): GpkgMember {
  if (member) return member
  throw invalid(`it has no ${name}`)
}

/** What is signed of a clear-signed text (RFC 9580 "Cleartext Signature Framework"); any other text as it is. */
function signedText(text: string): string {
  if (!text.startsWith(SIGNED_BEGIN)) return text
  const start = text.indexOf('\n\n') + 2
  const end = text.indexOf(SIGNATURE_BEGIN)
  if (start < 2 || end < start) throw invalid('its Manifest is no whole clear-signed text')
  return text.slice(start, end + 1)
}

function parseLine(line: string): { readonly name: string; readonly digests: GpkgDigests } {
  const [, name, size, rest] = /^DATA (\S+) (0|[1-9]\d{0,15})((?: [A-Z0-9_]+ [0-9a-f]+)+)$/.exec(line) ?? []
  if (name === undefined || rest === undefined) throw invalid(`its Manifest has the line ${shown(line)}`)
  const found: Partial<Record<keyof GpkgDigests, string>> = {}
  for (const [, algorithm = '', hex = ''] of rest.matchAll(/ (\S+) (\S+)/g)) {
    const key = Object.hasOwn(DIGESTS, algorithm) ? DIGESTS[algorithm] : undefined
    if (key === undefined) continue
    if (found[key] !== undefined || hex.length !== 128)
      throw invalid(`its Manifest has the line ${shown(line)}`)
    found[key] = hex
  }
  const { blake2b, sha512 } = found
  if (blake2b === undefined || sha512 === undefined)
    throw invalid(`its Manifest has not both BLAKE2B and SHA512 of ${shown(name)}`)
  return { name, digests: { sizeBytes: Number(size), blake2b, sha512 } }
}

function invalid(what: string): HubError {
  return new HubError('binpkg.invalid', `this is no gpkg that Portage would take: ${what}`)
}
