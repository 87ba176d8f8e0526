/** Recipes: what is taken reads back the same, and makes an ebuild of the known form. */
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { ebuildModel } from '../../../src/builds/ebuild-from-recipe.ts'
import { MAX_RECIPE_BYTES, parseRecipe, recipeFromJson } from '../../../src/builds/recipe.ts'
import type { Recipe } from '../../../src/builds/recipe.ts'
import { HubError } from '../../../src/errors.ts'
import { parseCategory, parsePn } from '../../../src/gentoo/cpv.ts'
import { checkEbuild, renderEbuild } from '../../../src/gentoo/ebuild.ts'
import { parseMd5Cache, renderMd5Cache } from '../../../src/gentoo/md5-cache.ts'
import { parsePv } from '../../../src/gentoo/version.ts'
import { flooded, mutatedText } from '../support/mutate.ts'
import { outcomeNow } from '../support/refusal.ts'
import { sameJson } from '../support/same.ts'
import { target } from '../support/target.ts'
import type { Target, Verdict } from '../support/target.ts'

const GOLDEN = new URL('../../golden/ebuilds/', import.meta.url)
const CORPUS = readdirSync(GOLDEN, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => readFileSync(new URL(`${name}/recipe.yaml`, GOLDEN), 'utf8'))

const PIECES = [
  ...[
    '\n',
    '\n  ',
    '\n- ',
    ': ',
    '- ',
    '? ',
    '{',
    '}',
    '[',
    ']',
    ', ',
    '"',
    "'",
    '#',
    '|\n',
    '>-\n',
    '---\n',
    '...\n',
  ],
  ...[
    '&a ',
    '*a',
    '<<: *a',
    '!!str ',
    '!x ',
    '%YAML 1.1\n',
    '~',
    'null',
    'true',
    '0640',
    '1e9',
    '.inf',
    '\t',
    '\r',
  ],
  ...[
    'description: ',
    'install: ',
    'prefix: /opt/x',
    'backup: ',
    'commands: ["x"]',
    'depends: ',
    '|| ( a/b )',
    '__proto__: ',
  ],
  ...[
    'constructor: ',
    'toString: x',
    '/../',
    '$(id)',
    '`id`',
    '\\',
    '\\x00',
    '\\u202e',
    '\u2028',
    ">='a'",
    'é',
  ],
]
const FLOODS = [
  ...[
    '[',
    '{',
    '(',
    '- ',
    '? ',
    ': ',
    '&a ',
    '*a,',
    '!a ',
    '%a b\n',
    '---\n',
    '...\n',
    '#\n',
    '\n',
    ' ',
    '\t',
    '\0',
    '\ufeff',
  ],
  ...[
    '"',
    "'",
    '\\',
    '|',
    '>',
    'a: ',
    'a:\n',
    'a,',
    '{},',
    '[],',
    'a: b: c\n',
    ']\n',
    '@\n',
    '\u0301\u0327',
    '-a ',
    'x\n ',
  ],
  ...[
    'a/b ',
    '|| ( ',
    'a? ( ',
    '../',
    '/a',
    '0',
    '"a",',
    '- a\n',
    '&a1 1,*a1,',
    '<<: *a\n',
    '\r\n',
    '\u2028',
  ],
]
const AROUND = [
  ['', ''],
  ['description: "', '"'],
  ['description: ', '\n'],
  ['depends: {runtime: ["', '"]}'],
  ['install: {executables: [', ']}'],
  ['install: {files: [{from: "', '", to: /a}]}'],
  ['backup: {commands: ["', '"]}'],
  ['homepage: "http://', '"'],
  ['license: [', ']'],
  ['a: &a [1]\nb: [', ']'],
  ['- |\n', ''],
] as const

/** Keys of one map by the thousand, each another: what compares each with all others takes its time. */
const manyKeys = fc
  .tuple(
    fc.constantFrom('\n', ': 1\n', ':\n', ',', ': [],'),
    fc.oneof(fc.nat(100), fc.nat(50_000)),
    fc.boolean(),
  )
  .map(([end, count, flow]) => {
    const keys = Array.from({ length: count }, (_, number) => `k${number}${end}`).join('')
    return (flow ? `{${keys}}` : keys).slice(0, MAX_RECIPE_BYTES)
  })

const key = fc.constantFrom(
  ...[
    'category',
    'description',
    'homepage',
    'license',
    'slot',
    'keywords',
    'depends',
    'runtime',
    'build',
    'install',
    'prefix',
  ],
  ...[
    'executables',
    'files',
    'from',
    'to',
    'mode',
    'owner',
    'config',
    'symlinks',
    'keepdirs',
    'path',
    'user',
    'name',
    'home',
  ],
  ...[
    'service',
    'openrc',
    'systemd',
    'restart',
    'backup',
    'commands',
    'timeout',
    'expect',
    'restore',
    'probe',
    'rehearse',
  ],
  ...[
    'migrate',
    'schema',
    'version',
    'reversible_from',
    'health',
    'command',
    '__proto__',
    'constructor',
    'x',
  ],
)

/** Values of every kind at every place of a recipe, as JSON, which is YAML too. */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      ...[
        '/opt/x',
        'bin/run',
        '0640',
        'root:shop',
        '10m',
        'a/b',
        'MIT',
        '~amd64',
        'https://a.example/',
        'pg_dump x',
      ],
    ),
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.constantFrom(null, true, 1, 1.5, '', '..', '-x', '$(id)', "'", '/a/../b', '/proc/x', '\u202e'),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(key, tie('any'), { maxKeys: 4 }),
  ),
})).any
const asJson = fc.dictionary(key, value, { maxKeys: 6 }).map((recipe) => JSON.stringify(recipe))

export const RECIPE_TARGETS: readonly Target[] = [
  target({
    name: 'recipe',
    share: 60,
    cases: fc.oneof({ arbitrary: mutatedText(CORPUS, PIECES), weight: 4 }, asJson),
    check: judgeRecipe,
  }),
  target({
    name: 'recipe-floods',
    share: 4,
    cases: fc.oneof({ arbitrary: flooded(FLOODS, MAX_RECIPE_BYTES, AROUND), weight: 5 }, manyKeys),
    check: judgeRecipe,
  }),
]

export function judgeRecipe(text: string): Verdict {
  const outcome = outcomeNow(/^recipe\.invalid$/, () => parseRecipe(text))
  if (outcome.verdict === 'refused') {
    const { issues } = outcome.error.extra as { readonly issues?: readonly unknown[] }
    if (!Array.isArray(issues) || issues.length === 0 || issues.length > 50)
      throw new Error('the refusal has no list of issues')
    return 'refused'
  }
  sameJson(recipeFromJson(JSON.stringify(outcome.value)), outcome.value)
  refuseUnsafeEbuild(outcome.value)
  return 'accepted'
}

/** Rendering may refuse what the texts of several keys come to together; it may never make an ebuild of another form. */
function refuseUnsafeEbuild(recipe: Recipe): void {
  const source = {
    category: parseCategory('app-hub'),
    pn: parsePn('shop'),
    pv: parsePv('1.0.0_p1'),
    semver: '1.0.0',
  }
  const archive = {
    contents: { format: 'tar.gz', topDirectory: 'shop' },
    distfileName: 'hub-shop-1.tar.gz',
  } as const
  const rest = { build: 1, commit: null, mirrorName: 'hub', defaultKeywords: ['amd64'] }
  try {
    const model = ebuildModel({ recipe, ...source, ...archive, ...rest })
    const text = renderEbuild(model)
    checkEbuild(text)
    parseMd5Cache(renderMd5Cache(model, text))
  } catch (error) {
    if (error instanceof HubError && error.code !== 'ebuild.unsafe' && error.code !== 'request.invalid')
      return
    throw new Error('the recipe makes no sound ebuild', { cause: error })
  }
}
