import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { STEPS } from '../../src/steps.ts'
import { seededRandom } from '../support/random.ts'
import { planKills } from './kills.ts'

const ROOT = join(import.meta.dirname, '..', '..')

test('every named step is passed somewhere', () => {
  const files = globSync('src/**/*.ts', { cwd: ROOT }).filter((path) => path !== 'src/steps.ts')
  const texts = files.map((path) => readFileSync(join(ROOT, path), 'utf8')).join('')
  expect(STEPS.filter((step) => !texts.includes(`reached('${step}')`))).toEqual([])
})

test('runs of the usual size with four seeds after each other kill at every named step', () => {
  const killed = [1, 2, 3, 4].flatMap((seed) => planKills(30, seed, seededRandom(seed)).map(({ at }) => at))
  expect(STEPS.filter((step) => !killed.includes(step))).toEqual([])
})

test('the same seed plans the same kills', () => {
  const plan = () => planKills(50, 7, seededRandom(7))
  expect(plan()).toEqual(plan())
})
