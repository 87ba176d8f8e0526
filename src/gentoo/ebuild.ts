/**
 * One generated ebuild, EAPI 8, without eclasses or USE flags: the model, its metadata and its text. The md5-cache is
 * rendered from the same `ebuildMetadata` and `ebuildPhases`, so the two cannot disagree.
 * Sources: PMS "Ebuild file format", "Ebuild-defined variables"; Portage lib/portage/__init__.py `_parse_eapi_ebuild_head`
 * (the first line that is no comment must be `EAPI=8` and nothing else).
 */
import { checkEbuild } from './check-ebuild.ts'
import { renderPhases } from './ebuild-phases.ts'
import { renderNodeFacts } from './node-facts.ts'
import type { NodeFacts } from './node-facts.ts'
import { cleanText, quoteShell } from './quote.ts'

export { checkEbuild } from './check-ebuild.ts'

/** How the distfile is packed; also the end of its name. */
export type SourceFormat = 'tar' | 'tar.gz' | 'tar.bz2' | 'tar.xz' | 'tar.zst'

export interface InstalledFile {
  /** Path in the source tree, relative. */
  readonly from: string
  /** Path on the node, absolute. */
  readonly to: string
  /** Four octal digits; 0644 if absent, whatever the tarball has. */
  readonly mode?: string | undefined
  /** `user:group`; root if absent. */
  readonly owner?: string | undefined
}

export interface KeptDirectory {
  readonly path: string
  readonly mode?: string | undefined
  readonly owner?: string | undefined
}

/** All that goes into an ebuild. Paths, names, modes and owners are of the grammar that `checkEbuild` has for them. */
export interface EbuildModel {
  readonly pn: string
  /** For the comment in the first line only. */
  readonly origin: { readonly build: number; readonly version: string | null; readonly commit: string | null }
  readonly description: string
  readonly homepage: string | null
  readonly source: {
    readonly mirrorName: string
    readonly distfileName: string
    readonly format: SourceFormat
  }
  /** The single top folder of the archive, which is not part of what is installed; null if there is none. */
  readonly topDirectory: string | null
  readonly licenses: readonly string[]
  readonly slot: string
  readonly keywords: readonly string[]
  /** Dependency strings, normalised. */
  readonly runtimeDepends: readonly string[]
  readonly buildDepends: readonly string[]
  /** Where the tree goes, absolute. */
  readonly prefix: string
  /** Absolute paths that get `a+x`. */
  readonly executables: readonly string[]
  readonly files: readonly InstalledFile[]
  /** Installed files outside /etc that the client must not overwrite. */
  readonly configProtect: readonly string[]
  /** Links: at `to`, an absolute path, stands a link to `from`, absolute or relative to the link. */
  readonly symlinks: readonly { readonly from: string; readonly to: string }[]
  readonly keepdirs: readonly KeptDirectory[]
  readonly user: { readonly name: string; readonly home: string | null } | null
  readonly service: {
    readonly openrc: string | null
    readonly systemd: string | null
    readonly restart: boolean
  }
  readonly backup: { readonly commands: readonly string[]; readonly timeoutSec: number } | null
  /** Told to the program on the node; nothing of it is in a phase but what `backup` and `service` say. */
  readonly nodeFacts: NodeFacts
}

type MetadataKey = (typeof METADATA_KEYS)[number]
const METADATA_KEYS = [
  'DESCRIPTION', 'HOMEPAGE', 'SRC_URI', 'LICENSE', 'SLOT', 'KEYWORDS', 'RDEPEND', 'BDEPEND', 'RESTRICT',
] as const // prettier-ignore

// No mirror but the hub has the file; vendor binaries stay as they are.
const RESTRICT = 'bindist mirror strip'
const PLAIN_NAME = /^[A-Za-z0-9._+-]+$/
/** The longest DESCRIPTION, in code points; longer ones are cut. */
export const MAX_DESCRIPTION_CHARS = 80

/** The values of the metadata variables, unquoted, in the order of the ebuild; empty ones are left out. */
export function ebuildMetadata(model: EbuildModel): readonly (readonly [MetadataKey, string])[] {
  const values: Readonly<Record<MetadataKey, string>> = {
    DESCRIPTION: cleanText(model.description, MAX_DESCRIPTION_CHARS),
    HOMEPAGE: model.homepage ?? '',
    SRC_URI: `mirror://${model.source.mirrorName}/${model.source.distfileName}`,
    LICENSE: model.licenses.join(' '),
    SLOT: model.slot,
    KEYWORDS: model.keywords.join(' '),
    RDEPEND: model.runtimeDepends.join(' '),
    BDEPEND: buildDepends(model).join(' '),
    RESTRICT,
  }
  return METADATA_KEYS.map((key) => [key, values[key]] as const).filter(([, value]) => value !== '')
}

/**
 * Renders the ebuild's text and re-reads it with `checkEbuild`. The same model always gives the same bytes.
 * @throws {HubError} `ebuild.unsafe` if a value of the model does not keep to its grammar.
 */
export function renderEbuild(model: EbuildModel): string {
  const header = ebuildMetadata(model).flatMap(([key, value]) => [
    `${key}=${quoteShell(value)}`,
    ...(key === 'SRC_URI' ? [`S=${sourceFolder(model.topDirectory)}`] : []),
  ])
  const nodeFacts = renderNodeFacts(model.nodeFacts)
  const comments = [originComment(model), ...(nodeFacts === null ? [] : [nodeFacts])]
  const lines = [...comments, 'EAPI=8', '', ...header, `QA_PREBUILT='*'`, ...renderPhases(model)]
  const text = `${lines.join('\n')}\n`
  checkEbuild(text)
  return text
}

function originComment({ pn, origin }: EbuildModel): string {
  const version = cleanText(origin.version ?? '', 128)
  const commit = cleanText(origin.commit ?? '', 64)
  const facts = [
    ...(version === '' ? [] : [`version ${version}`]),
    ...(commit === '' ? [] : [`commit ${commit}`]),
  ]
  const inBrackets = facts.length === 0 ? '' : ` (${facts.join(', ')})`
  return `# Generated by Portage Hub from ${pn} build ${origin.build}${inBrackets}. Do not edit.`
}

function sourceFolder(topDirectory: string | null): string {
  if (topDirectory === null) return '"${WORKDIR}/tree"'
  if (PLAIN_NAME.test(topDirectory)) return `"\${WORKDIR}/tree/${topDirectory}"`
  return `"\${WORKDIR}/tree/"${quoteShell(topDirectory)}`
}

// The other decompressors belong to every Gentoo system; zstd does not.
function buildDepends(model: EbuildModel): readonly string[] {
  const zstd = model.source.format === 'tar.zst' && !model.buildDepends.includes('app-arch/zstd')
  return zstd ? [...model.buildDepends, 'app-arch/zstd'] : model.buildDepends
}
