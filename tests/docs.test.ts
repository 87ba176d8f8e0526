import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { SETTINGS } from '../src/settings.ts'
import { ERRORS } from '../src/errors.ts'

const read = (name: string) => readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8')

test('docs/api.md lists every error code with its status and meaning, and no other', () => {
  const rows = [...read('api.md').matchAll(/^\| (\d{3}) +\| `([a-z_.]+)` +\| (.*?) +\|$/gm)]
  const listed = rows.map(([, status, code, title]) => [code, { status: Number(status), title }])
  expect(Object.fromEntries(listed)).toEqual(ERRORS)
})

test('docs/operations.md lists every setting by its variable and its name in the file', () => {
  const text = read('operations.md')
  for (const [name, { env }] of Object.entries(SETTINGS)) {
    expect(text).toContain(`\`${env}\``)
    expect(text).toContain(`\`${name}\``)
  }
})
