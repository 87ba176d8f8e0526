/**
 * The recipe, `portage-hub.yaml`: how a tarball becomes a package. Read once, at the edge, into a value that holds only
 * what passed its grammar; kept as JSON beside the build and read back through the same grammar.
 */
import { z } from 'zod'
import { HubError } from '../errors.ts'
import * as grammar from './recipe-grammar.ts'
import { readPlainYaml, YamlFault } from './plain-yaml.ts'

export { checkRecipeAgainst } from './check-recipe.ts'
export { durationSec } from './recipe-grammar.ts'

/** The largest recipe that is read, in bytes. */
export const MAX_RECIPE_BYTES = 256 * 1024
const MAX_ISSUES = 50
const MAX_LIST = 1000
const MAX_COMMANDS = 50

const commands = z.array(grammar.command).min(1).max(MAX_COMMANDS).readonly()
const optionalDuration = grammar.duration.optional()
const version = z.int().nonnegative()

const install = z
  .strictObject({
    prefix: grammar.absolutePath.optional(),
    executables: list(grammar.relativePath),
    files: list(
      z
        .strictObject({
          from: grammar.relativePath,
          to: grammar.absolutePath,
          mode: grammar.mode.optional(),
          owner: grammar.owner.optional(),
          config: z.boolean().optional(),
        })
        .readonly(),
    ),
    symlinks: list(z.strictObject({ from: grammar.linkTarget, to: grammar.absolutePath }).readonly()),
    keepdirs: list(
      z.union([
        grammar.absolutePath,
        z
          .strictObject({
            path: grammar.absolutePath,
            mode: grammar.mode.optional(),
            owner: grammar.owner.optional(),
          })
          .readonly(),
      ]),
    ),
  })
  .superRefine(refuseTwiceInstalled)
  .readonly()

const service = z
  .strictObject({
    openrc: grammar.relativePath.optional(),
    systemd: grammar.relativePath.optional(),
    restart: z.boolean().optional(),
  })
  .refine(({ openrc, systemd, restart }) => !restart || openrc !== undefined || systemd !== undefined, {
    path: ['restart'],
    message: 'needs openrc or systemd: there is no service to restart',
  })
  .readonly()

const schemaVersions = z
  .strictObject({ version, reversible_from: version.optional() })
  .refine(({ version, reversible_from }) => (reversible_from ?? 0) <= version, {
    path: ['reversible_from'],
    message: 'must not be above version',
  })
  .readonly()

const recipeSchema = z
  .strictObject({
    category: grammar.category.optional(),
    description: grammar.description.optional(),
    homepage: grammar.homepage.optional(),
    license: z.union([grammar.license, z.array(grammar.license).min(1).max(50).readonly()]).optional(),
    slot: grammar.slot.optional(),
    keywords: z.array(grammar.keyword).min(1).max(50).readonly().optional(),
    depends: z
      .strictObject({ runtime: list(grammar.dependency), build: list(grammar.dependency) })
      .readonly()
      .optional(),
    install: install.optional(),
    user: z
      .strictObject({ name: grammar.userName, home: grammar.absolutePath.optional() })
      .readonly()
      .optional(),
    service: service.optional(),
    backup: z
      .strictObject({ commands, timeout: optionalDuration, expect: list(grammar.fileName) })
      .readonly()
      .optional(),
    restore: z
      .strictObject({ commands, timeout: optionalDuration, probe: grammar.command.optional() })
      .readonly()
      .optional(),
    rehearse: z.strictObject({ commands, timeout: optionalDuration }).readonly().optional(),
    migrate: z.strictObject({ commands, timeout: optionalDuration }).readonly().optional(),
    schema: schemaVersions.optional(),
    health: z.strictObject({ command: grammar.command, timeout: optionalDuration }).readonly().optional(),
  })
  .readonly()

/** A recipe that passed its grammar: plain, frozen, and the same after a trip through JSON. */
export type Recipe = z.infer<typeof recipeSchema>

/** The keys that a recipe may have at its top. */
export const RECIPE_KEYS: readonly (keyof Recipe)[] = Object.keys(
  recipeSchema.unwrap().shape,
) as readonly (keyof Recipe)[]

/**
 * Reads a recipe as it is sent: YAML 1.2 (core schema) without tags of its own, with few aliases, each key once. The
 * empty text is the empty recipe.
 * @throws {HubError} `recipe.invalid` naming every fault at once; `extra.issues` lists them as `{path, message}`.
 */
export function parseRecipe(yamlText: string): Recipe {
  if (Buffer.byteLength(yamlText) > MAX_RECIPE_BYTES) {
    throw refusal([{ path: '', message: `is larger than ${MAX_RECIPE_BYTES} bytes` }])
  }
  try {
    return validate(readPlainYaml(yamlText) ?? {})
  } catch (error) {
    if (!(error instanceof YamlFault)) throw error
    throw refusal([{ path: '', message: `is no YAML of the plain kind: ${error.message}` }], error)
  }
}

/**
 * Reads back a recipe that was stored as JSON, through the same grammar.
 * @throws {HubError} `recipe.invalid` as `parseRecipe` does.
 */
export function recipeFromJson(json: string): Recipe {
  try {
    return validate(JSON.parse(json) as unknown)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw refusal([{ path: '', message: 'is no JSON' }])
  }
}

/** True if nodes would run something that the recipe says: such a recipe needs a token that may send commands. */
export function recipeHasCommands(recipe: Recipe): boolean {
  const { backup, restore, rehearse, migrate, health } = recipe
  return [backup, restore, rehearse, migrate, health].some((part) => part !== undefined)
}

function list<T extends z.ZodType>(item: T): z.ZodOptional<z.ZodReadonly<z.ZodArray<T>>> {
  return z.array(item).max(MAX_LIST).readonly().optional()
}

function validate(value: unknown): Recipe {
  const result = recipeSchema.safeParse(value)
  if (result.success) return result.data
  throw refusal(result.error.issues.flatMap(readIssue))
}

interface Issue {
  readonly path: string
  readonly message: string
}

function readIssue(
  issue: z.core.$ZodIssue,
  _index?: number,
  _issues?: unknown,
  base: readonly PropertyKey[] = [],
): readonly Issue[] {
  const path = [...base, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: pathText([...path, key]), message: 'unknown key' }))
  }
  if (issue.code === 'invalid_union') return unionIssues(issue, path)
  return [{ path: pathText(path), message: issue.message }]
}

// Of the alternatives, the one that got farthest into the value says best what is wrong with it.
function unionIssues(issue: z.core.$ZodIssueInvalidUnion, path: readonly PropertyKey[]): readonly Issue[] {
  const depth = (issues: readonly z.core.$ZodIssue[]): number =>
    issues.some((inner) => inner.code === 'invalid_type' && inner.path.length === 0) ? 0 : 1
  const best = issue.errors.toSorted((a, b) => depth(b) - depth(a))[0] ?? []
  return best.flatMap((inner) => readIssue(inner, 0, 0, path))
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${shortKey(String(part))}`))
    .join('')
    .replace(/^\./, '')
}

function shortKey(key: string): string {
  return /^[A-Za-z0-9_-]{1,40}$/.test(key) ? key : JSON.stringify(key.slice(0, 40))
}

function refusal(issues: readonly Issue[], cause?: unknown): HubError {
  const named = issues.slice(0, MAX_ISSUES)
  const detail = named
    .map(({ path, message }) => `${path === '' ? 'the recipe' : `${path}:`} ${message}`)
    .join('; ')
  const more = issues.length > named.length ? `; and ${issues.length - named.length} more` : ''
  return new HubError('recipe.invalid', `${detail}${more}`, { issues: named }, { cause })
}

interface Destinations {
  readonly files?: readonly { readonly to: string }[] | undefined
  readonly symlinks?: readonly { readonly to: string }[] | undefined
}

function refuseTwiceInstalled({ files, symlinks }: Destinations, context: z.RefinementCtx): void {
  const seen = new Set<string>()
  for (const [key, items] of Object.entries({ files, symlinks })) {
    for (const [index, { to }] of (items ?? []).entries()) {
      if (seen.has(to))
        context.addIssue({ code: 'custom', path: [key, index, 'to'], message: 'is installed twice' })
      seen.add(to)
    }
  }
}
