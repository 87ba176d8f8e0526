import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ERRORS } from '../src/errors.ts'

const TESTS = new URL('.', import.meta.url)
const texts = globSync('**/*.test.ts', { cwd: TESTS }).map((file) =>
  readFileSync(new URL(file, TESTS), 'utf8'),
)

test.each(Object.keys(ERRORS))('a test provokes %s', (code) => {
  expect(texts.some((text) => text.includes(`'${code}'`) || text.includes(code.replace('.', '\\.')))).toBe(
    true,
  )
})

test.each(Object.entries(ERRORS))('%s has a status of HTTP and a title', (_code, { status, title }) => {
  expect(status).toBeGreaterThanOrEqual(400)
  expect(status).toBeLessThan(600)
  expect(title).toMatch(/^[A-Z].*[^.]$/)
})
