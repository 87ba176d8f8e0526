/**
 * The Manifest of one package in a thin-Manifest overlay: DIST lines only.
 * Sources: GLEP 74 "Manifest file format"; Portage lib/portage/manifest.py `_manifest_re` (exactly one space between
 * fields, any other line is silently ignored) and lib/portage/checksum.py `verify_all` (hex is compared as lower case).
 */
import { HubError } from '../errors.ts'
import { shown } from './version.ts'

export interface Distfile {
  readonly name: string
  readonly sizeBytes: number
  /** 128 lower-case hex digits. */
  readonly blake2b: string
  /** 128 lower-case hex digits. */
  readonly sha512: string
}

const DISTFILE_NAME = /^[A-Za-z0-9_+][A-Za-z0-9._+-]{0,254}$/
const HEX_512 = /^[0-9a-f]{128}$/
const LINE = /^DIST (\S+) ([1-9][0-9]*) BLAKE2B ([0-9a-f]{128}) SHA512 ([0-9a-f]{128})$/

/**
 * Returns the name if it can stand in a Manifest, a URL and a shell word alike: `[A-Za-z0-9._+-]`, no leading '-' or '.'.
 * @throws {HubError} `request.invalid` otherwise.
 */
export function checkDistfileName(name: string): string {
  if (DISTFILE_NAME.test(name)) return name
  throw new HubError(
    'request.invalid',
    `${shown(name)} is no name for a distfile: use letters, digits and . _ + - only`,
  )
}

/**
 * Renders the Manifest: one line per distfile, sorted by name, `DIST <name> <size in bytes> BLAKE2B <hex> SHA512 <hex>`.
 * No distfile, no text. Portage never accepts an empty distfile, nor upper-case hex.
 * @throws {HubError} `request.invalid` if a name, size or digest is not of that form, or two have the same name.
 */
export function renderManifest(distfiles: readonly Distfile[]): string {
  const sorted = distfiles.map(checkDistfile).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  refuseTwins(sorted)
  return sorted.map((d) => `DIST ${d.name} ${d.sizeBytes} BLAKE2B ${d.blake2b} SHA512 ${d.sha512}\n`).join('')
}

/**
 * Reads a Manifest as `renderManifest` writes it, in the order of its lines. Stricter than Portage, which skips what it
 * cannot read.
 * @throws {HubError} `request.invalid` naming the first line of another form.
 */
export function parseManifest(text: string): readonly Distfile[] {
  if (text === '') return []
  if (!text.endsWith('\n')) throw new HubError('request.invalid', 'the Manifest does not end in a newline')
  const distfiles = text.slice(0, -1).split('\n').map(parseLine)
  refuseTwins(distfiles.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
  return distfiles
}

function parseLine(line: string, index: number): Distfile {
  const [, name, size, blake2b, sha512] = LINE.exec(line) ?? []
  if (!name || !size || !blake2b || !sha512) {
    throw new HubError('request.invalid', `line ${index + 1} of the Manifest is no DIST line: ${shown(line)}`)
  }
  return checkDistfile({ name, sizeBytes: Number(size), blake2b, sha512 })
}

function checkDistfile(distfile: Distfile): Distfile {
  checkDistfileName(distfile.name)
  if (!Number.isSafeInteger(distfile.sizeBytes) || distfile.sizeBytes < 1) {
    throw new HubError('request.invalid', `the distfile ${distfile.name} must have a size of at least 1 byte`)
  }
  if (!HEX_512.test(distfile.blake2b) || !HEX_512.test(distfile.sha512)) {
    throw new HubError(
      'request.invalid',
      `the digests of ${distfile.name} must be 128 lower-case hex digits each`,
    )
  }
  return distfile
}

function refuseTwins(sorted: readonly Distfile[]): void {
  const twin = sorted.find((distfile, index) => distfile.name === sorted[index + 1]?.name)
  if (twin) throw new HubError('request.invalid', `the Manifest would name ${twin.name} twice`)
}
