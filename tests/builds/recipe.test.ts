import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import type { ArchiveContents, ArchiveEntry } from '../../src/builds/archive-contents.ts'
import {
  checkRecipeAgainst,
  durationSec,
  MAX_RECIPE_BYTES,
  parseRecipe,
  RECIPE_KEYS,
  recipeFromJson,
  recipeHasCommands,
} from '../../src/builds/recipe.ts'
import { HubError } from '../../src/errors.ts'
import { EVERYTHING } from '../support/everything-recipe.ts'

function refusalOf(yamlText: string): HubError {
  try {
    parseRecipe(yamlText)
  } catch (error) {
    if (error instanceof HubError && error.code === 'recipe.invalid') return error
    throw error
  }
  throw new Error(`accepted: ${yamlText}`)
}

test('a recipe with every key is read, frozen, and the same after a trip through JSON', () => {
  const recipe = parseRecipe(stringify(EVERYTHING))
  expect(recipe).toEqual(EVERYTHING)
  expect(Object.keys(recipe)).toEqual(RECIPE_KEYS)
  expect(recipeFromJson(JSON.stringify(recipe))).toEqual(recipe)
  expect(JSON.stringify(recipeFromJson(JSON.stringify(recipe)))).toBe(JSON.stringify(recipe))
  for (const part of [
    recipe,
    recipe.install,
    recipe.install?.files,
    recipe.install?.files?.[0],
    recipe.backup?.commands,
  ]) {
    expect(Object.isFrozen(part)).toBe(true)
  }
})

test('an empty text is the empty recipe', () => {
  for (const text of ['', '\n', '# nothing', '{}', '---\n', '\ufeff']) expect(parseRecipe(text)).toEqual({})
})

test('a description is cleaned when it is read', () => {
  expect(parseRecipe('description: " -n  Acme\\n shop\\u202e "').description).toBe('Acme shop')
  expect(parseRecipe(`description: ${'x'.repeat(100)}`).description).toHaveLength(80)
})

test('every fault is named at once, each with its path', () => {
  const { message, extra } = refusalOf(`
colour: red
slot: 0
license: [a, "b c"]
depends: {runtime: ["foo? ( a/b )", "a/b[x?]", "a/b-1", " "]}
install:
  prefx: /opt/x
  prefix: /
  files: [{from: ../x, to: /etc//x, mode: 0640, moed: "0640"}]
  symlinks: [{from: ../../a, to: /usr/bin/a}, {from: .., to: /usr/bin/a}]
  keepdirs: [/tmp/x, {path: 3, mode: "4755"}, {path: /a, x: 1}]
service: {restart: true}
schema: {version: 1, reversible_from: 2}
backup: {commands: [], timeout: 10 minutes}
`)
  const issues = extra['issues'] as readonly { readonly path: string; readonly message: string }[]
  expect(issues.map(({ path }) => path).toSorted()).toEqual([
    'backup.commands', 'backup.timeout', 'colour', 'depends.runtime[0]', 'depends.runtime[1]', 'depends.runtime[2]', 'depends.runtime[3]',
    'install.files[0].from', 'install.files[0].mode', 'install.files[0].moed', 'install.files[0].to', 'install.keepdirs[0]',
    'install.keepdirs[1].mode', 'install.keepdirs[1].path', 'install.keepdirs[2].x', 'install.prefix', 'install.prefx', 'install.symlinks[1].from',
    'license[1]', 'schema.reversible_from', 'service.restart', 'slot',
  ]) // prettier-ignore
  expect(message).toContain('install.files[0].mode: must be four octal digits in quotes, such as "0640"')
  expect(message).toContain('slot: must be a text, not a number: put it in quotes')
  expect(message).toContain('colour: unknown key')
})

test('nothing is installed twice at one place', () => {
  const { extra } = refusalOf(
    'install: {files: [{from: a, to: /x}], symlinks: [{from: /a, to: /x}, {from: /a, to: /y}]}',
  )
  expect(extra['issues']).toEqual([{ path: 'install.symlinks[0].to', message: 'is installed twice' }])
})

test.each([
  ['a tag', 'description: !!binary eA=='],
  ['a tag of its own', 'description: !x y'],
  ['a key given twice', 'slot: "0"\nslot: "1"'],
  ['two documents', 'slot: "0"\n---\nslot: "1"'],
  ['a key that is no text', '? [a]\n: b'],
  ['what is no YAML', 'a: "b'],
  ['a list', '- a'],
  ['a text', 'hello'],
  ['endless nesting', '['.repeat(100_000)],
  [
    'a bomb of aliases',
    `a: &a [x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(6)}]\nc: &c [${'*b,'.repeat(6)}]\nd: [${'*c,'.repeat(6)}]`,
  ],
  ['a prototype', '__proto__: {polluted: 1}'],
  ['a constructor', 'constructor: {prototype: 1}'],
  ['a merge key', '<<: {slot: "0"}'],
])('%s is refused', (_what, text) => {
  expect(refusalOf(text).message).not.toBe('')
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})

test('a recipe of more than 256 KiB is refused before it is read', () => {
  expect(refusalOf('#'.repeat(MAX_RECIPE_BYTES + 1)).message).toContain('larger than')
  expect(parseRecipe(`#${'x'.repeat(MAX_RECIPE_BYTES - 1)}`)).toEqual({})
})

test('a refusal of very many faults stays short', () => {
  const { message } = refusalOf(Array.from({ length: 500 }, (_, index) => `k${index}: 1`).join('\n'))
  expect(message).toMatch(/; and 450 more$/)
})

test('what was stored and is no JSON is refused', () => {
  for (const json of ['', '{', 'null', '[]']) {
    expect(() => recipeFromJson(json)).toThrow(expect.objectContaining({ code: 'recipe.invalid' }))
  }
})

test('a recipe has commands if nodes would run something that it says', () => {
  expect(recipeHasCommands(parseRecipe(''))).toBe(false)
  expect(recipeHasCommands(parseRecipe('install: {executables: [a]}\nschema: {version: 1}'))).toBe(false)
  for (const part of ['backup', 'restore', 'rehearse', 'migrate']) {
    expect(recipeHasCommands(parseRecipe(`${part}: {commands: ["true"]}`))).toBe(true)
  }
  expect(recipeHasCommands(parseRecipe('health: {command: "true"}'))).toBe(true)
})

test('a duration has its length in seconds', () => {
  expect(['30s', '10m', '1h'].map(durationSec)).toEqual([30, 600, 3600])
  for (const timeout of ['0s', '1d', '25h', '10', '-1s', '1.5h'])
    refusalOf(`health: {command: x, timeout: "${timeout}"}`)
})

test('a command may have lines and tabs, and at most 8 KiB', () => {
  expect(parseRecipe('health: {command: "a\\n\\tb"}').health?.command).toBe('a\n\tb')
  for (const command of ['" \\n"', '"a\\rb"', '"a\\u202eb"', '"a\\0b"', `"${'é'.repeat(4097)}"`])
    refusalOf(`health: {command: ${command}}`)
})

function contents(topDirectory: string | null, entries: readonly Partial<ArchiveEntry>[]): ArchiveContents {
  const whole = entries.map((entry): ArchiveEntry => ({
    path: '',
    type: 'file',
    mode: 0o644,
    sizeBytes: 1,
    ...entry,
  }))
  return { format: 'tar', topDirectory, entries: whole, unpackedBytes: 1, recipeText: null }
}

test('a recipe that names files of the tarball fits it, with or without a top folder', () => {
  const recipe = parseRecipe(
    'install: {executables: [bin/x], files: [{from: c, to: /c}]}\nservice: {openrc: i, systemd: u}',
  )
  const paths = ['bin/x', 'c', 'i', 'u']
  expect(() =>
    checkRecipeAgainst(
      recipe,
      contents(
        null,
        paths.map((path) => ({ path })),
      ),
    ),
  ).not.toThrow()
  const inTop = [
    { path: 'top', type: 'directory' as const },
    ...paths.map((path) => ({ path: `top/${path}` })),
  ]
  expect(() => checkRecipeAgainst(recipe, contents('top', inTop))).not.toThrow()
})

test('a recipe that names what is no file of the tarball is refused, all of it at once', () => {
  const recipe = parseRecipe(
    'install: {executables: [bin, dir, link, gone], files: [{from: top/a, to: /c}]}\nservice: {openrc: i, systemd: u}',
  )
  const entries = [
    { path: 'top/bin/x' }, { path: 'top/dir', type: 'directory' as const }, { path: 'top/link', type: 'symlink' as const, target: 'a' }, { path: 'top/a' },
  ] // prettier-ignore
  expect(() => checkRecipeAgainst(recipe, contents('top', entries))).toThrow(
    expect.objectContaining({
      code: 'recipe.not_in_tarball',
      extra: {
        issues: [
          { path: 'install.executables[0]', message: '"bin" is a folder of the tarball: name a file' },
          { path: 'install.executables[1]', message: '"dir" is a folder of the tarball: name a file' },
          {
            path: 'install.executables[2]',
            message: '"link" is a symbolic link of the tarball: name the file it leads to',
          },
          {
            path: 'install.executables[3]',
            message: '"gone" is not in the tarball: add it there, or correct the path',
          },
          {
            path: 'install.files[0].from',
            message: '"top/a" is not in the tarball: add it there, or correct the path',
          },
          { path: 'service.openrc', message: '"i" is not in the tarball: add it there, or correct the path' },
          {
            path: 'service.systemd',
            message: '"u" is not in the tarball: add it there, or correct the path',
          },
        ],
      },
    }),
  )
})
