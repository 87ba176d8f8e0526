/**
 * Lint with types. The rules that TypeScript and Prettier enforce already are left out; what remains finds mistakes
 * (a promise nobody waits for, a comparison that is always true) and holds the walls of the house that one file
 * alone shows. The walls between folders are in tests/hygiene.test.ts.
 */
import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const DEFAULT_EXPORT = {
  selector: 'ExportDefaultDeclaration',
  message: 'Named exports only: the name is then the same everywhere.',
}
const CLOCK = [
  {
    selector: 'NewExpression[callee.name="Date"][arguments.length=0]',
    message: 'Only src/clock.ts reads the clock: take the time as a parameter.',
  },
  {
    selector: 'MemberExpression[object.name="Date"][property.name="now"]',
    message: 'Only src/clock.ts reads the clock: take the time as a parameter.',
  },
]
const ENVIRONMENT = {
  object: 'process',
  property: 'env',
  message: 'Only src/config.ts reads the environment: take the value as a parameter.',
}

export default defineConfig(
  globalIgnores([
    'node_modules/',
    'coverage/',
    'overlays/',
    'distfiles/',
    'binpkgs/',
    'var/',
    'tests/golden/',
  ]),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'process',
          'console',
          'URL',
          'AbortController',
          'fetch',
          'Buffer',
          'performance',
          'setTimeout',
          'setInterval',
          'clearInterval',
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
  {
    // What runs in a browser.
    files: ['src/web/assets/*.js'],
    languageOptions: {
      sourceType: 'script',
      globals: Object.fromEntries(
        [
          ...['addEventListener', 'CustomEvent', 'document', 'Element', 'EventSource', 'navigator'],
          ...['DataTransfer', 'Event', 'fetch', 'tus', 'URLSearchParams'],
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: ['error', 'always'],
      'prefer-const': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'no-console': 'error',
      'no-restricted-syntax': ['error', DEFAULT_EXPORT],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // An empty text counts as missing where `||` is written.
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
      '@typescript-eslint/prefer-optional-chain': 'error',
      // Numbers in text are what a template is for.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // `() => close()` and `return close()` are clear enough where nothing is expected back.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // With noUncheckedIndexedAccess, `!` is how a parser says that a group of a matched pattern is there.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // A function is async because its interface is, or because a throw must become a rejection.
      '@typescript-eslint/require-await': 'off',
      // `while (true)` with a return inside reads better than a condition set elsewhere.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // Magic numbers of file formats and the refusal of control characters are both written so.
      'no-control-regex': 'off',
      // TypeScript's noUnusedLocals and noUnusedParameters say the same, with the same `_` for "on purpose".
      '@typescript-eslint/no-unused-vars': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', DEFAULT_EXPORT, ...CLOCK],
      'no-restricted-properties': ['error', ENVIRONMENT],
    },
  },
  { files: ['src/clock.ts'], rules: { 'no-restricted-syntax': ['error', DEFAULT_EXPORT] } },
  { files: ['src/config.ts', 'src/config/**/*.ts'], rules: { 'no-restricted-properties': 'off' } },
  {
    files: ['src/main.ts', 'src/cli.ts', 'src/cli/**/*.ts', 'bench/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  // Kysely hands its functions over to be taken apart: `({ eb, or, not }) => …`.
  { files: ['src/records/**/*.ts'], rules: { '@typescript-eslint/unbound-method': 'off' } },
  { files: ['*.ts'], rules: { 'no-restricted-syntax': 'off' } },
  {
    files: ['tests/**/*.ts', 'bench/**/*.ts'],
    rules: {
      // A test that reaches into a reply or a list fails loudly by itself.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
)
