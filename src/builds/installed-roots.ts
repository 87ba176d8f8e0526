/** Where the package of a build puts files, as `ebuild-phases.ts` in gentoo/ installs them. */
import type { BuildRow } from '../records/builds.ts'
import { recipeFromJson } from './recipe.ts'

/**
 * Absolute paths of files and folders: all that the package has is at one of them or below. null for an ebuild of its
 * own, which may put things anywhere.
 */
export function installedRoots({
  pn,
  recipe: json,
}: Pick<BuildRow, 'pn' | 'recipe'>): readonly string[] | null {
  if (json === null) return null
  const { install, service } = recipeFromJson(json)
  return [
    install?.prefix ?? `/opt/${pn}`,
    ...(install?.files ?? []).map(({ to }) => to),
    ...(install?.symlinks ?? []).map(({ to }) => to),
    ...(install?.keepdirs ?? []).map((item) => (typeof item === 'string' ? item : item.path)),
    ...(service?.openrc === undefined ? [] : [`/etc/init.d/${pn}`]),
    ...(service?.systemd === undefined ? [] : [`/usr/lib/systemd/system/${pn}.service`]),
    `/etc/env.d/99${pn}`,
  ]
}
