/** The house is in order: who imports whom, who reads the clock, what stands in no file. */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkHouse, checkText } from './support/house-rules.ts'
import type { Source } from './support/house-rules.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
/** Folders that hold what the hub or a tool made. */
const MADE = new Set(['.git', 'node_modules', 'coverage', 'overlays', 'distfiles', 'binpkgs', 'var'])
const LARGEST_TEXT = 1024 * 1024
const NO_TEXT = /^tests\/golden\/|\.png$/

describe('the project', () => {
  test('every import in src/ goes the allowed way, and the clock is read in one place', () => {
    expect(checkHouse(readSources(globSync('src/**/*.ts', { cwd: ROOT })))).toEqual([])
  })

  test('no file holds a hidden character that reorders text, or work put off', () => {
    expect(readSources(projectFiles()).flatMap(checkText)).toEqual([])
  })
})

describe('the arrows', () => {
  test.each([
    ['src/http/app.ts', "import { receiveBuild } from '../builds/receive-build.ts'"],
    ['src/jobs/verify.ts', "import { blobPath } from '../storage/paths.ts'"],
    ['src/environments/promote.ts', "import { publishRevision } from '../overlays/publish-revision.ts'"],
    ['src/builds/a.ts', "import type { Records } from '../records/records.ts'"],
    ['src/builds/a.ts', "import type { Hub } from '../hub.ts'"],
    ['src/records/builds.ts', "import type { Build } from '../builds/build.ts'"],
    ['src/records/database.ts', "import { Migrator } from 'kysely/migration'"],
    ['src/gentoo/a.ts', "import { HubError } from '../errors.ts'\nimport { createHash } from 'node:crypto'"],
    [
      'src/hub.ts',
      "import { createApp } from './http/app.ts'\nimport { openDatabase } from './records/database.ts'",
    ],
    ['src/main.ts', "import { createHub } from './hub.ts'"],
    [
      'src/web/page.ts',
      "// import fs from 'node:fs' and express\nexport const text = \"import '../http/app.ts'\"",
    ],
  ])('%s may say %s', (file, text) => {
    expect(checkHouse([{ path: file, text }])).toEqual([])
  })

  test.each([
    ['src/gentoo/a.ts', "import { log } from '../log.ts'", 'may not import src/log.ts'],
    ['src/gentoo/a.ts', "import { tree } from '../git/tree.ts'", 'may not import src/git/tree.ts'],
    [
      'src/gentoo/a.ts',
      "import { readFile } from 'node:fs/promises'",
      'is a pure library and may not import node:fs',
    ],
    ['src/git/a.ts', "import type { Oid } from '../storage/paths.ts'", 'may not import src/storage/paths.ts'],
    [
      'src/builds/a.ts',
      "import { publish } from '../overlays/publish.ts'",
      'may not import src/overlays/publish.ts',
    ],
    [
      'src/builds/a.ts',
      "import type { Plan } from '../overlays/plan.ts'",
      'may not import src/overlays/plan.ts',
    ],
    ['src/builds/a.ts', "import { Records } from '../records/records.ts'", 'with `import type` only'],
    ['src/builds/a.ts', "import { type Records } from '../records/records.ts'", 'with `import type` only'],
    ['src/builds/a.ts', "export { Records } from '../records/records.ts'", 'with `import type` only'],
    ['src/builds/a.ts', "await import('../records/records.ts')", 'with `import type` only'],
    ['src/builds/a.ts', "type A = import('../http/app.ts').App", 'may not import src/http/app.ts'],
    ['src/builds/a.ts', "import { createHub } from '../hub.ts'", 'with `import type` only'],
    [
      'src/builds/a.ts',
      "import { test } from '../../tests/support/hub.ts'",
      'may not import tests/support/hub.ts',
    ],
    [
      'src/records/a.ts',
      "import { receiveBuild } from '../builds/receive-build.ts'",
      'with `import type` only',
    ],
    ['src/web/a.ts', "import { app } from '../http/app.ts'", 'with `import type` only'],
    ['src/cli/a.ts', "import { app } from '../http/app.ts'", 'with `import type` only'],
    ['src/http/a.ts', "import { open } from '../storage/blob-store.ts'", 'with `import type` only'],
    ['src/config.ts', "import { createHub } from './hub.ts'", 'may not import src/hub.ts'],
    [
      'src/web/a.ts',
      "import type { Request } from 'express'",
      'may not import express, which belongs to http/',
    ],
    ['src/builds/a.ts', "import multer from 'multer'", 'may not import multer, which belongs to http/'],
    ['src/storage/a.ts', "import { sql } from 'kysely'", 'may not import kysely, which belongs to records/'],
    ['src/utils/a.ts', 'export const a = 1', 'has no place in the house yet'],
  ])('%s may not say %s', (file, text, fault) => {
    expect(checkHouse([{ path: file, text }])).toEqual([expect.stringContaining(fault)])
  })

  test('files that load each other in a circle are named, types aside', () => {
    const pair = (second: string): Source[] => [
      { path: 'src/git/a.ts', text: "import { b } from './b.ts'" },
      { path: 'src/git/b.ts', text: second },
    ]
    expect(checkHouse(pair("import { a } from './a.ts'"))).toEqual([
      'a circle: src/git/a.ts → src/git/b.ts → src/git/a.ts',
    ])
    expect(checkHouse(pair("import type { A } from './a.ts'"))).toEqual([])
  })
})

describe('the content', () => {
  test.each([
    ['const at = new Date()', 'line 1: reads the clock'],
    ['const at = new Date', 'line 1: reads the clock'],
    ['\nconst at = Date.now()', 'line 2: reads the clock'],
    ['const clock = Date.now', 'line 1: reads the clock'],
    ['export function f(value: any): void {}', 'line 1: `any`'],
    ['const list = [] as Array<any>', 'line 1: `any`'],
  ])('%j is refused', (text, fault) => {
    expect(checkHouse([{ path: 'src/builds/a.ts', text }])).toEqual([expect.stringContaining(fault)])
  })

  test('the clock itself may read the clock, and others may make a date that is given', () => {
    expect(checkHouse([{ path: 'src/clock.ts', text: 'export const now = () => new Date()' }])).toEqual([])
    expect(checkHouse([{ path: 'src/builds/a.ts', text: 'export const at = new Date(0)' }])).toEqual([])
  })

  test('a file of 400 lines passes, and one more is too many', () => {
    const lines = (count: number): Source[] => [
      { path: 'src/builds/a.ts', text: '// a line\n'.repeat(count) },
    ]
    expect(checkHouse(lines(400))).toEqual([])
    expect(checkHouse(lines(401))).toEqual([expect.stringContaining('has more than 400 lines')])
  })

  test.each([0x202e, 0x2066, 0x200f])('the hidden control with code %i is found', (code) => {
    const text = `first\nse${String.fromCodePoint(code)}cond`
    expect(checkText({ path: 'a.md', text })).toEqual([expect.stringMatching(/^a\.md:2: /)])
  })

  test.each(['TO' + 'DO', 'FIX' + 'ME'])('the note %s is found', (note) => {
    expect(checkText({ path: 'a.sh', text: `# ${note}: later` })).toEqual([
      expect.stringMatching(/^a\.sh:1: /),
    ])
  })
})

function readSources(paths: readonly string[]): Source[] {
  return paths.map((file) => ({ path: file, text: readFileSync(path.join(ROOT, file), 'utf8') }))
}

/** Everything that git has or would take; where there is no git (a release's tarball), everything but what is made. */
function projectFiles(): string[] {
  return listFiles().filter((file) => {
    const found = statSync(path.join(ROOT, file), { throwIfNoEntry: false })
    return found?.isFile() && found.size <= LARGEST_TEXT && !NO_TEXT.test(file)
  })
}

function listFiles(): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const git = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' })
  if (git.status === 0) return git.stdout.split('\0').filter(Boolean)
  return readdirSync(ROOT)
    .filter((name) => !MADE.has(name))
    .flatMap((name) => [name, ...globSync([`${name}/**/*`, `${name}/**/.*`], { cwd: ROOT })])
}
