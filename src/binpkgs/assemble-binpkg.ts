/**
 * A package put together of the image archive that the hub holds and the metadata archive of the node whose package it
 * becomes. Nothing is judged here: the whole is judged as one that was sent whole. Source: GLEP 78.
 */
import type { FileHandle } from 'node:fs/promises'
import type { Digests } from '../builds/digest-blocks.ts'
import { HubError } from '../errors.ts'
import { baseName, GPKG_MARKER, parseGpkgManifest } from '../gentoo/gpkg.ts'
import type { Gpkg } from './open-binpkg.ts'
import { openBinpkg, rangeOf, readManifestText } from './open-binpkg.ts'
import { GpkgWriter, piecesOf } from './sign-binpkg.ts'

export interface PackageParts {
  /** The folder in the package: PF. */
  readonly prefix: string
  readonly metadata: {
    /** `metadata.tar.zst` */
    readonly name: string
    readonly path: string
    readonly digests: Digests
  }
  /** The package whose image it gets. */
  readonly imageOf: string
  readonly mtimeSec: number
}

/**
 * Writes the package to `file`, unsigned; fsync is the caller's.
 * @throws {HubError} as `openBinpkg` and `readManifestText`. The file system's error.
 */
export async function assembleGpkg(parts: PackageParts, file: FileHandle): Promise<void> {
  const source = await openGpkg(parts.imageOf)
  const { image } = source.layout
  const imageName = baseName(image)
  const imageDigests = parseGpkgManifest(await readManifestText(source)).get(imageName)
  if (!imageDigests)
    throw new HubError('binpkg.digest_mismatch', `${imageName} is not listed in its Manifest`)
  const { metadata } = parts
  const writer = new GpkgWriter(file, parts)
  await writer.add(GPKG_MARKER, Buffer.alloc(0))
  const whole = { start: 0, bytes: metadata.digests.sizeBytes }
  await writer.copy(metadata.name, metadata.digests, piecesOf(metadata.path, whole), drain)
  await writer.copy(imageName, imageDigests, piecesOf(source.path, rangeOf(image)), drain)
  await writer.finish(async (text) => await Promise.resolve(text))
}

async function openGpkg(path: string): Promise<Gpkg> {
  const binpkg = await openBinpkg(path)
  if (binpkg.format === 'gpkg') return binpkg
  throw new HubError('binpkg.invalid', 'an xpak package has no image archive of its own')
}

async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _piece of pieces);
}
