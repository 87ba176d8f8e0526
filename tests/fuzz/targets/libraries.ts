/** Every target that is fuzzed without a server. */
import type { Target } from '../support/target.ts'
import { archiveTargets } from './archives.ts'
import { BINPKG_TARGETS } from './binpkgs.ts'
import { GENTOO_TARGETS } from './gentoo.ts'
import { GIT_TARGETS } from './git.ts'
import { PACKAGE_TARGETS } from './packages.ts'
import { RECIPE_TARGETS } from './recipes.ts'
import { REPORT_TARGETS } from './reports.ts'

export const LIBRARY_TARGETS: readonly Target[] = [
  ...archiveTargets(),
  ...RECIPE_TARGETS,
  ...GENTOO_TARGETS,
  ...BINPKG_TARGETS,
  ...PACKAGE_TARGETS,
  ...REPORT_TARGETS,
  ...GIT_TARGETS,
]
