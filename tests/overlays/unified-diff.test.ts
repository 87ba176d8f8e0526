import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { unifiedDiff } from '../../src/overlays/unified-diff.ts'

const lines = (...texts: readonly string[]): string => texts.map((text) => `${text}\n`).join('')

test('a changed line is shown between three lines of context', () => {
  const before = lines('1', '2', '3', '4', '5', '6', '7', '8', '9')
  const after = lines('1', '2', '3', '4', 'five', '6', '7', '8', '9')
  expect(unifiedDiff('a/b', before, after)).toBe(
    '--- a/a/b\n+++ b/a/b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n',
  )
})

test('changes far apart are two hunks', () => {
  const before = Array.from({ length: 20 }, (_, at) => String(at))
  const after = before.toSpliced(1, 1).toSpliced(17, 0, 'new')
  const diff = unifiedDiff('x', lines(...before), lines(...after))
  expect(diff.match(/^@@.*@@$/gm)).toEqual(['@@ -1,5 +1,4 @@', '@@ -16,5 +15,6 @@'])
})

test('a new and a removed file are told by /dev/null', () => {
  expect(unifiedDiff('x', null, lines('a'))).toBe('--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n')
  expect(unifiedDiff('x', lines('a'), null)).toBe('--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n')
})

test('equal texts differ in no line', () => {
  expect(unifiedDiff('x', 'a\n', 'a\n')).toBe('')
})

test('a line feed that is missing at the end is told', () => {
  expect(unifiedDiff('x', 'a', 'a\n')).toBe(
    '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n',
  )
})

test('two large texts without a line in common are shown whole', () => {
  const text = (sign: string) => lines(...Array.from({ length: 2100 }, (_, at) => `${sign}${at}`))
  const diff = unifiedDiff('x', text('a'), text('b'))
  expect(diff.split('\n').slice(2, 4)).toEqual(['@@ -1,2100 +1,2100 @@', '-a0'])
  expect(diff.match(/^\+b/gm)).toHaveLength(2100)
})

const hasPatch = spawnSync('patch', ['--version']).status === 0

test.skipIf(!hasPatch)('patch makes the new text of the old one by it', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 30 })
  const folder = mkdtempSync(join(tmpdir(), 'portage-hub-diff-'))
  try {
    mkdirSync(join(folder, 'd'))
    fc.assert(
      fc.property(text, text, fc.boolean(), (before, after, ends) => {
        const [old, now] = [lines(...before), lines(...after).slice(0, ends ? undefined : -1)]
        fc.pre(old !== now && now !== '')
        writeFileSync(join(folder, 'd/x'), old)
        const input = unifiedDiff('d/x', old, now)
        const patched = spawnSync('patch', ['-p1', '-s', '-F0'], { cwd: folder, input, encoding: 'utf8' })
        expect(patched.stdout + patched.stderr).toBe('')
        expect(readFileSync(join(folder, 'd/x'), 'utf8')).toBe(now)
      }),
      { numRuns: 60 },
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})
