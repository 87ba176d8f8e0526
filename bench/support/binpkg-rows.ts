/** Packages of binhosts as their rows have them: what the index is made of. Their files are not there. */
import type { IndexFields } from '../../src/gentoo/packages-index.ts'
import type { ArchiveRows } from './archive-rows.ts'

export const REPO = 'hub-production'

export interface BinhostRows {
  readonly node: string
  readonly packages: number
  readonly timestampSec: number
}

/** Adds as many packages to the binhost of a node that there is. */
export function addBinpkgRows(rows: ArchiveRows, { node, packages, timestampSec }: BinhostRows): void {
  rows.transaction(() => {
    rows.add('binhosts', { node, timestampSec })
    for (let number = 0; number < packages; number++) {
      const fields = entryOf(number, 1)
      const sha512 = digestOf(number, 1, 128)
      rows.add('binpkgs', {
        ...{ node, cpv: fields['CPV'] ?? '', binpkgBuildId: 1, path: fields['PATH'] ?? '' },
        ...{ point: 'rp_20260102T030405Z_k3j9x2', uploadedSha512: sha512, sha512, sha256: sha512.slice(64) },
        ...{ sizeBytes: Number(fields['SIZE']), indexFields: JSON.stringify(fields) },
        imageDigest: null,
        changedFiles: null,
        signedBy: null,
        acceptedAt: '2026-01-02T03:04:05Z',
      })
    }
  })
}

/** As a package of an app has it; digests differ, as they do, so that packing it is no easier than in truth. */
export function entryOf(number: number, buildId: number): IndexFields {
  const pn = `app${String(number % 1000).padStart(4, '0')}`
  const pf = `${pn}-1.${Math.trunc(number / 1000)}.0_p${number}`
  return {
    BUILD_ID: String(buildId),
    BUILD_TIME: String(1_790_000_000 + number * 37),
    CPV: `app-acme/${pf}`,
    DEFINED_PHASES: 'compile configure install postinst preinst test unpack',
    EAPI: '8',
    KEYWORDS: '-* amd64',
    LICENSE: 'all-rights-reserved',
    MD5: digestOf(number, buildId, 32),
    PATH: `app-acme/${pn}/${pf}-${buildId}.gpkg.tar`,
    RDEPEND: 'acct-group/shop acct-user/shop dev-libs/openssl:0/3= sys-libs/zlib:0/1=',
    RESTRICT: 'bindist mirror strip',
    SHA1: digestOf(number, buildId, 40),
    SIZE: String(50_000_000 + number),
    MTIME: String(1_790_000_100 + number * 37),
    REPO,
  }
}

function digestOf(number: number, buildId: number, length: number): string {
  let hex = ''
  for (let state = number * 31 + buildId; hex.length < length;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    hex += state.toString(16).padStart(8, '0')
  }
  return hex.slice(0, length)
}
