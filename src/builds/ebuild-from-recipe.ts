/** From a build and its recipe to the model of its ebuild: the defaults of the recipe are here. */
import { HubError } from '../errors.ts'
import type { Category, Pn } from '../gentoo/cpv.ts'
import type { EbuildModel } from '../gentoo/ebuild.ts'
import { checkDistfileName } from '../gentoo/manifest.ts'
import type { NodeFacts, TimedCommands } from '../gentoo/node-facts.ts'
import { hasHiddenCharacters } from '../gentoo/quote.ts'
import { shown } from '../gentoo/version.ts'
import type { Pv } from '../gentoo/version.ts'
import type { ArchiveContents } from './archive-contents.ts'
import { durationSec, normalisedDependency } from './recipe-grammar.ts'
import type { Recipe } from './recipe.ts'

export interface EbuildSource {
  readonly recipe: Recipe
  readonly category: Category
  readonly pn: Pn
  readonly pv: Pv
  /** The version as the build was sent; null if it came with a build number only. */
  readonly semver: string | null
  readonly build: number
  readonly commit: string | null
  readonly distfileName: string
  readonly mirrorName: string
  readonly contents: Pick<ArchiveContents, 'format' | 'topDirectory'>
  /** For a recipe that names none. */
  readonly defaultKeywords: readonly string[]
}

const DEFAULT_LICENSE = 'all-rights-reserved'
const DEFAULT_BACKUP_TIMEOUT = '10m'
const DEFAULT_RESTORE_TIMEOUT = '30m'
const DEFAULT_HEALTH_TIMEOUT = '30s'

/**
 * The model of the ebuild for one build. Says nothing about whether the tarball has the files that the recipe names:
 * `checkRecipeAgainst` does.
 * @throws {HubError} `archive.unsafe_name` if the archive's top folder has control or invisible characters in its name,
 *   `request.invalid` if the distfile's name cannot stand in a Manifest.
 */
export function ebuildModel(source: EbuildSource): EbuildModel {
  const { recipe, pn, contents } = source
  const prefix = recipe.install?.prefix ?? `/opt/${pn}`
  return {
    pn,
    origin: { build: source.build, version: source.semver, commit: source.commit },
    ...describe(source),
    source: {
      mirrorName: source.mirrorName,
      distfileName: checkDistfileName(source.distfileName),
      format: contents.format,
    },
    topDirectory: checkTopDirectory(contents.topDirectory),
    runtimeDepends: (recipe.depends?.runtime ?? []).map(normalisedDependency),
    buildDepends: (recipe.depends?.build ?? []).map(normalisedDependency),
    prefix,
    ...installation(recipe, prefix),
    user: recipe.user === undefined ? null : { name: recipe.user.name, home: recipe.user.home ?? null },
    service: {
      openrc: recipe.service?.openrc ?? null,
      systemd: recipe.service?.systemd ?? null,
      restart: recipe.service?.restart ?? false,
    },
    backup: backupOf(recipe),
    nodeFacts: nodeFacts(source),
  }
}

type Described = Pick<EbuildModel, 'description' | 'homepage' | 'licenses' | 'slot' | 'keywords'>

function describe({ recipe, pn, defaultKeywords }: EbuildSource): Described {
  return {
    description: recipe.description ?? `${pn} (published by Portage Hub)`,
    homepage: recipe.homepage ?? null,
    licenses: [recipe.license ?? DEFAULT_LICENSE].flat(),
    slot: recipe.slot ?? '0',
    keywords: recipe.keywords ?? defaultKeywords,
  }
}

type Installed = Pick<EbuildModel, 'executables' | 'files' | 'configProtect' | 'symlinks' | 'keepdirs'>

function installation({ install }: Recipe, prefix: string): Installed {
  const files = install?.files ?? []
  return {
    executables: (install?.executables ?? []).map((path) => `${prefix}/${path}`),
    files: files.map(({ from, to, mode, owner }) => ({ from, to, mode, owner })),
    configProtect: files.filter(({ config, to }) => config && !to.startsWith('/etc/')).map(({ to }) => to),
    symlinks: install?.symlinks ?? [],
    keepdirs: (install?.keepdirs ?? []).map((item) => (typeof item === 'string' ? { path: item } : item)),
  }
}

function backupOf({ backup }: Recipe): EbuildModel['backup'] {
  return backup === undefined ? null : timed(backup, DEFAULT_BACKUP_TIMEOUT)
}

function nodeFacts({ recipe, pn, build }: EbuildSource): NodeFacts {
  const { schema, backup, restore, rehearse, migrate, health, service } = recipe
  return {
    app: pn,
    build,
    ...(schema && {
      schema: { version: schema.version, reversibleFrom: schema.reversible_from ?? schema.version },
    }),
    ...(backup && { backup: { ...timed(backup, DEFAULT_BACKUP_TIMEOUT), expect: backup.expect ?? [] } }),
    ...(restore && {
      restore: {
        ...timed(restore, DEFAULT_RESTORE_TIMEOUT),
        ...(restore.probe !== undefined && { probe: restore.probe }),
      },
    }),
    ...(rehearse && { rehearse: timed(rehearse, DEFAULT_RESTORE_TIMEOUT) }),
    ...(migrate && { migrate: timed(migrate, DEFAULT_BACKUP_TIMEOUT) }),
    ...(health && {
      health: { command: health.command, timeoutSec: durationSec(health.timeout ?? DEFAULT_HEALTH_TIMEOUT) },
    }),
    ...((service?.openrc ?? service?.systemd) !== undefined && { service: pn }),
  }
}

function timed(
  { commands, timeout }: { readonly commands: readonly string[]; readonly timeout?: string | undefined },
  unlessTold: string,
): TimedCommands {
  return { commands, timeoutSec: durationSec(timeout ?? unlessTold) }
}

function checkTopDirectory(name: string | null): string | null {
  if (name === null || !hasHiddenCharacters(name)) return name
  throw new HubError(
    'archive.unsafe_name',
    `the top folder ${shown(name)} has invisible characters in its name; rename it`,
  )
}
