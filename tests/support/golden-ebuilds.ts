/** The builds that the ebuilds in `tests/golden/ebuilds/` were rendered from; each folder there has its recipe. */
import { ebuildModel } from '../../src/builds/ebuild-from-recipe.ts'
import { parseRecipe } from '../../src/builds/recipe.ts'
import { parseAppName, parseCategory } from '../../src/gentoo/cpv.ts'
import type { EbuildModel, SourceFormat } from '../../src/gentoo/ebuild.ts'
import { pvFromSemver } from '../../src/gentoo/semver-to-pv.ts'

interface Archive {
  readonly format: SourceFormat
  readonly topDirectory: string | null
}

const USUAL: Archive = { format: 'tar.gz', topDirectory: 'package' }
const UNUSUAL: Readonly<Record<string, Partial<Archive>>> = {
  'format-tar': { format: 'tar' },
  'format-tar-bz2': { format: 'tar.bz2' },
  'format-tar-xz': { format: 'tar.xz' },
  'format-tar-zst': { format: 'tar.zst' },
  'no-top-folder': { topDirectory: null },
  'odd-top-folder': { topDirectory: "My 'App' $(id)" },
}

/** The model for a folder of `tests/golden/ebuilds/`: app of that name, version 6.1.0-rc.2, build 45 unless told otherwise. */
export function goldenModel(feature: string, recipeText: string, build = 45): EbuildModel {
  const pn = parseAppName(feature)
  const contents = { ...USUAL, ...UNUSUAL[feature] }
  const { pv, semver } = pvFromSemver('6.1.0-rc.2', build)
  return ebuildModel({
    recipe: parseRecipe(recipeText),
    category: parseCategory('app-acme'),
    pn,
    pv,
    semver,
    build,
    commit: 'c0ffee0000000000000000000000000000000000',
    distfileName: `hub-${pn}-${pv}.${contents.format}`,
    mirrorName: 'hub',
    contents,
    defaultKeywords: ['amd64', 'arm64'],
  })
}

/** The PF of that model: `<feature>-6.1.0_rc2_p45`. */
export function goldenPf(feature: string, build = 45): string {
  return `${feature}-${pvFromSemver('6.1.0-rc.2', build).pv}`
}
