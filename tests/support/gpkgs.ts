/** Binary packages for tests: those that Portage made, and others put together by code, right or wrong. */
import { createHash } from 'node:crypto'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { tarEntry, tarOf } from './tarballs.ts'
import type { TarEntry } from './tarballs.ts'

export const GOLDEN_BINPKGS = fileURLToPath(new URL('../golden/binpkgs/', import.meta.url))

/** Paths below `GOLDEN_BINPKGS` of the packages of one format, or of both. */
export function goldenPackages(format: 'gpkg' | 'xpak' | '*' = '*'): readonly string[] {
  return globSync(`${format}-*/**/*.{gpkg.tar,xpak,tbz2}`, { cwd: GOLDEN_BINPKGS }).sort()
}

/** The programs that a golden package's name says are needed to unpack it. */
export function programsOf(name: string): readonly string[] {
  return ['xz', 'bzip2', 'lz4', 'lzip'].filter((program) => name.startsWith(`gpkg-${program}/`))
}

/** What a package consists of, in its order; `Manifest` comes last unless it is given. */
export type Parts = Readonly<Record<string, Buffer | string>>

export const SHOP_METADATA: Readonly<Record<string, string>> = {
  CATEGORY: 'app-acme\n',
  PF: 'shop-1.0.0_p1\n',
  SLOT: '0\n',
  EAPI: '8\n',
  KEYWORDS: 'amd64\n',
  BUILD_TIME: '1795336822\n',
}

export const SHOP_IMAGE: readonly TarEntry[] = [
  { name: 'image/opt/', type: '5' },
  { name: 'image/opt/shop', content: 'a shop\n', mode: 0o755 },
]

/** The inner tar of metadata, plain. */
export function metadataTar(values: Readonly<Record<string, string | Buffer>> = SHOP_METADATA): Buffer {
  return tarOf(...Object.entries(values).map(([key, content]) => ({ name: `metadata/${key}`, content })))
}

/** Members of a whole package. */
export function shopParts(changes: Readonly<Record<string, Buffer | string>> = {}): Parts {
  return {
    'gpkg-1': '',
    'metadata.tar.gz': gzipSync(metadataTar()),
    'image.tar.gz': gzipSync(tarOf(...SHOP_IMAGE)),
    ...changes,
  }
}

export function gpkgOf(parts: Parts = shopParts(), prefix = 'shop-1.0.0_p1'): Buffer {
  const all = { ...parts, Manifest: parts['Manifest'] ?? manifestOf(parts) }
  return tarOf(
    ...Object.entries(all).map(([name, content]) => tarEntry({ name: `${prefix}/${name}`, content })),
  )
}

export function manifestOf(parts: Parts): string {
  return Object.entries(parts)
    .map(([name, content]) => {
      const hex = (algorithm: string): string => createHash(algorithm).update(content).digest('hex')
      return `DATA ${name} ${Buffer.byteLength(content)} BLAKE2B ${hex('blake2b512')} SHA512 ${hex('sha512')}\n`
    })
    .join('')
}
