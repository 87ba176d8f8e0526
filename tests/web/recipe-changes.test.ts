/** Which builds of an app changed its recipe. */
import { expect, test } from 'vitest'
import type { Build } from '../../src/http/openapi/builds.ts'
import { recipeHistory } from '../../src/web/pages/recipe-changes.ts'

const NOW = new Date('2026-01-02T03:04:05Z')

const build = (number: number, recipe: object | null): Build =>
  ({
    ...{ app: 'shop', build: number, recipe, recipeSource: 'tarball' },
    ...{ receivedAt: '2026-01-02T03:04:05Z', uploadedBy: 'ci' },
  }) as unknown as Build
const commands = (count: number, last: string) => ({
  backup: { commands: [...Array.from({ length: count }, (_, at) => `echo ${String(at)}`), last] },
})
const shown = (...builds: readonly Build[]) =>
  recipeHistory({ builds, before: null, now: NOW })?.toString() ?? ''

test('what changed is shown line by line', () => {
  const page = shown(build(3, commands(1, 'new')), build(2, commands(1, 'old')), build(1, commands(1, 'old')))
  expect(page).toContain('<span class="added">+    - new\n</span>')
  expect(page.match(/changed it/g)).toHaveLength(1)
})

test('of long recipes the difference has a page of its own', () => {
  const page = shown(build(2, commands(5000, 'new')), build(1, commands(5000, 'old')))
  expect(page).toContain('<a href="/apps/shop/builds/2/compare/1">Compare the two builds</a>')
  expect(page).not.toContain('class="added"')
})
