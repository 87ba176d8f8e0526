/** The texts that Portage will see of a build, rendered once, before it is archived; every environment publishes them. */
import { HubError } from '../errors.ts'
import type { Category, Pn } from '../gentoo/cpv.ts'
import { checkEbuild, renderEbuild } from '../gentoo/ebuild.ts'
import { renderMd5Cache } from '../gentoo/md5-cache.ts'
import type { Pv } from '../gentoo/version.ts'
import { objectId } from '../git/objects.ts'
import type { Oid } from '../git/objects.ts'
import type { Hub } from '../hub.ts'
import type { ArchiveContents } from './archive-contents.ts'
import type { ChosenRecipe } from './choose-recipe.ts'
import { ebuildModel } from './ebuild-from-recipe.ts'
import type { Upload } from './receive-build.ts'

export interface EbuildDraft {
  readonly ebuildText: string
  readonly ebuildOid: Oid
  /** null for an ebuild that was sent complete: the hub never sources it, so it has no cache entry. */
  readonly cacheOid: Oid | null
  readonly texts: ReadonlyMap<Oid, Buffer>
}

interface Draftable {
  readonly pn: Pn
  readonly pv: Pv
  readonly semver: string | null
  readonly number: number
  readonly category: string
  readonly distfileName: string
  readonly contents: ArchiveContents
  readonly chosen: ChosenRecipe
}

const MAX_TEMPLATE_BYTES = 64 * 1024

/**
 * Renders the ebuild and its cache entry.
 * @throws {HubError} `ebuild.unsafe` when the rendered text is not of the known form: a fault of ours, and nothing is
 *   published; `ebuild.template_invalid` for a sent ebuild that no client would take.
 */
export function draftEbuild(
  hub: Pick<Hub, 'config'>,
  upload: Pick<Upload, 'ebuildTemplate' | 'commit'>,
  draftable: Draftable,
): EbuildDraft {
  if (upload.ebuildTemplate !== null) return drafted(checkTemplate(upload.ebuildTemplate), null)
  const { chosen, number, category, ...rest } = draftable
  const model = ebuildModel({
    ...rest,
    category: category as Category,
    recipe: chosen.recipe,
    build: number,
    commit: upload.commit,
    mirrorName: hub.config.overlayPrefix,
    defaultKeywords: hub.config.keywords,
  })
  const ebuildText = renderEbuild(model)
  checkEbuild(ebuildText)
  return drafted(ebuildText, renderMd5Cache(model, ebuildText))
}

function drafted(ebuildText: string, cacheText: string | null): EbuildDraft {
  const texts = new Map<Oid, Buffer>()
  const keep = (text: string): Oid => {
    const content = Buffer.from(text)
    const oid = objectId('blob', content)
    texts.set(oid, content)
    return oid
  }
  return {
    ebuildText,
    ebuildOid: keep(ebuildText),
    cacheOid: cacheText === null ? null : keep(cacheText),
    texts,
  }
}

/** Only what would make every client mask the package; the rest is its author's, byte for byte. */
function checkTemplate(text: string): string {
  const fault = templateFault(text)
  if (fault !== null) throw new HubError('ebuild.template_invalid', `the ebuild ${fault}`)
  return text
}

function templateFault(text: string): string | null {
  if (Buffer.byteLength(text) > MAX_TEMPLATE_BYTES) return `has more than ${String(MAX_TEMPLATE_BYTES)} bytes`
  if (text.includes('\0') || !text.isWellFormed()) return 'is not UTF-8 text'
  if (text.includes('\r')) return 'has carriage returns; save it with line feeds only'
  if (!text.endsWith('\n')) return 'does not end in a line feed'
  const first = text.split('\n').find((line) => !/^\s*(#.*)?$/.test(line)) ?? ''
  if (!/^EAPI=(["']?)[78]\1[ \t]*(#.*)?$/.test(first))
    return 'must have EAPI=8 (or 7) as its first line that is no comment'
  return null
}
