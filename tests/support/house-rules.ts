/**
 * The rules of the house that a program can check, as functions from a file's text to what is wrong with it. The text
 * is read with TypeScript's own parser, so that comments and quoted code count for nothing.
 */
import { posix } from 'node:path'
import ts from 'typescript'

export interface Source {
  /** From the checkout's root, with slashes: `src/gentoo/cpv.ts`. */
  readonly path: string
  readonly text: string
}

interface Import {
  /** A path from the root if it is a file of our own, else a package: `src/errors.ts`, `express`, `node:fs`. */
  readonly target: string
  readonly own: boolean
  /** `import type` is erased before the file runs: an arrow between types only. */
  readonly typeOnly: boolean
}

/** In the order in which a build passes through them, rights first: a room may call a room on its left. */
const ROOMS = [
  'audit',
  'access',
  'people',
  'builds',
  'checks',
  'distfiles',
  'binpkgs',
  'overlays',
  'environments',
  'events',
  'nodes',
]
const PURE = ['gentoo', 'git']
const KEEPING = ['storage', 'records']
/** Files of src/ itself that are no door: config, log, clock and the like. The doors are areas of their own. */
const COMMON = ['common', 'errors']

interface Arrows {
  readonly calls: readonly string[]
  /** What may be named with `import type` besides. */
  readonly names: readonly string[]
}

/** Which area may import which. An area is a folder of src/, or a file of src/ by its name, or `common`. */
const ARROWS: Readonly<Record<string, Arrows>> = {
  main: { calls: ['hub', 'http', 'jobs', ...COMMON], names: [] },
  cliDoor: { calls: ['cli', 'hub', ...COMMON], names: [] },
  // Wiring: the one file that knows every class.
  hub: { calls: ['hub', 'http', 'web', 'jobs', ...ROOMS, ...KEEPING, ...PURE, ...COMMON], names: [] },
  http: { calls: ['http', 'web', ...ROOMS, ...PURE, ...COMMON], names: ['hub', 'jobs', ...KEEPING] },
  // Pages show what the API answers, by its types.
  web: { calls: ['web', ...ROOMS, ...PURE, ...COMMON], names: ['hub', 'http', 'jobs', ...KEEPING] },
  // Commands speak HTTP; those that work on the data folder itself go through the hub, without a server.
  cli: {
    calls: ['cli', 'main', 'hub', 'demo', 'jobs', ...ROOMS, ...PURE, ...COMMON],
    names: ['http', ...KEEPING],
  },
  // It starts a hub, and then asks it by HTTP like everybody else.
  demo: { calls: ['demo', 'hub', ...PURE, ...COMMON], names: [] },
  jobs: { calls: ['jobs', ...ROOMS, ...KEEPING, ...PURE, ...COMMON], names: ['hub'] },
  ...Object.fromEntries(
    ROOMS.map((room, index) => [
      room,
      { calls: [...ROOMS.slice(0, index + 1), ...PURE, ...COMMON], names: ['hub', ...KEEPING] },
    ]),
  ),
  // What is kept is described by the rooms: their types may be named here, their verbs not called.
  storage: { calls: [...KEEPING, ...PURE, ...COMMON], names: ROOMS },
  records: { calls: [...KEEPING, ...PURE, ...COMMON], names: ROOMS },
  gentoo: { calls: ['gentoo', 'errors'], names: [] },
  git: { calls: ['git', 'errors'], names: [] },
  common: { calls: [...PURE, ...COMMON], names: [] },
  errors: { calls: [], names: [] },
}

const PACKAGE_OWNERS: Readonly<Record<string, string>> = {
  express: 'http',
  multer: 'http',
  saxes: 'checks',
  kysely: 'records',
  'better-sqlite3': 'records',
  pg: 'records',
}
const PACKAGES_OF_PURE = ['node:crypto', 'node:zlib', 'node:buffer', 'node:util', 'semver', 'yaml']
const LONGEST_FILE = 400

/** Returns one line for each broken rule in the files of src/; an empty list means that the house is in order. */
export function checkHouse(sources: readonly Source[]): string[] {
  const parsed = sources.map(({ path, text }) => {
    const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2024)
    return { path, tree, imports: readImports(path, tree) }
  })
  const faults = parsed.flatMap(({ path, tree, imports }) =>
    [...checkImports(path, imports), ...checkContent(path, tree)].map((fault) => `${path}: ${fault}`),
  )
  return [...faults, ...findCycles(new Map(parsed.map(({ path, imports }) => [path, imports])))]
}

/** The attack is "Trojan Source" (CVE-2021-42574): text that reads otherwise than it runs. */
const BIDI_CONTROL = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u
const POSTPONED = /\b(?:TO[D]O|FIX[M]E)\b/

/** Returns one line for each thing that no file of the project may hold, whatever its kind. */
export function checkText({ path, text }: Source): string[] {
  return text
    .split('\n')
    .flatMap((line, index) => [
      ...(BIDI_CONTROL.test(line) ? [`${path}:${index + 1}: an invisible character that reorders text`] : []),
      ...(POSTPONED.test(line)
        ? [`${path}:${index + 1}: a note about work put off: do it, or open an issue`]
        : []),
    ])
}

function readImports(from: string, tree: ts.SourceFile): Import[] {
  const found: Import[] = []
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (!specifier || !ts.isStringLiteralLike(specifier)) return
    const own = specifier.text.startsWith('.')
    found.push({
      target: own ? posix.join(posix.dirname(from), specifier.text) : packageOf(specifier.text),
      own,
      typeOnly,
    })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node))
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false)
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

/** `import { type A }` does not count: Node erases the name and still loads the file. */
function isTypeOnly(node: ts.ImportDeclaration): boolean {
  return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
}

/** `kysely/migration` is in `kysely`, `@scope/name/part` in `@scope/name`. */
function packageOf(specifier: string): string {
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier
}

function areaOf(path: string): string {
  const [, first = '', ...rest] = path.split('/')
  if (rest.length > 0) return first
  return (
    { 'main.ts': 'main', 'cli.ts': 'cliDoor', 'hub.ts': 'hub', 'serve.ts': 'hub', 'errors.ts': 'errors' }[
      first
    ] ?? 'common'
  )
}

function checkImports(from: string, imports: readonly Import[]): string[] {
  const area = areaOf(from)
  const arrows = ARROWS[area]
  if (!arrows) return [`${area}/ has no place in the house yet: give it one in tests/support/house-rules.ts`]
  return imports.flatMap(({ target, own, typeOnly }) => {
    if (!own) return checkPackage(area, target)
    const to = target.startsWith('src/') ? areaOf(target) : target
    if (arrows.calls.includes(to)) return []
    if (!arrows.names.includes(to)) return [`may not import ${target}`]
    return typeOnly ? [] : [`may import ${target} with \`import type\` only`]
  })
}

function checkPackage(area: string, name: string): string[] {
  if (PURE.includes(area) && !PACKAGES_OF_PURE.includes(name))
    return [`is a pure library and may not import ${name}`]
  const owner = PACKAGE_OWNERS[name]
  return owner === undefined || owner === area ? [] : [`may not import ${name}, which belongs to ${owner}/`]
}

function checkContent(path: string, tree: ts.SourceFile): string[] {
  const lines = tree.getLineStarts().length
  const faults =
    lines > LONGEST_FILE + 1 ? [`has more than ${LONGEST_FILE} lines: look for its second subject`] : []
  const visit = (node: ts.Node): void => {
    const line = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
    if (node.kind === ts.SyntaxKind.AnyKeyword) faults.push(`line ${line}: \`any\` turns the checks off`)
    if (path !== 'src/clock.ts' && readsClock(node, tree))
      faults.push(`line ${line}: reads the clock: take the time`)
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return faults
}

function readsClock(node: ts.Node, tree: ts.SourceFile): boolean {
  if (ts.isNewExpression(node)) return node.expression.getText(tree) === 'Date' && !node.arguments?.length
  return ts.isPropertyAccessExpression(node) && node.getText(tree) === 'Date.now'
}

/** A file that loads itself by a detour sees half-made modules, in an order that depends on who was loaded first. */
function findCycles(imports: ReadonlyMap<string, readonly Import[]>): string[] {
  const cycles: string[] = []
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path))
      cycles.push(`a circle: ${[...trail.slice(trail.indexOf(path)), path].join(' → ')}`)
    if (trail.includes(path) || done.has(path)) return
    for (const { target, typeOnly } of imports.get(path) ?? []) if (!typeOnly) walk(target, [...trail, path])
    done.add(path)
  }
  for (const path of imports.keys()) walk(path, [])
  return cycles
}
