import { z } from 'zod'
import { DIFFERENCES } from '../../builds/compare-archives.ts'
import { archiveEntry, build } from './builds.ts'
import { content, json } from './operation.ts'
import type { Answering, Noun } from './operation.ts'

const unified = z.string().describe('In the unified form of diff(1); empty: it is the same.')

const listDiff = z.strictObject({ added: z.array(z.string()), removed: z.array(z.string()) })

const status = z.enum(['running', 'passed', 'failed', 'skipped']).nullable()

const buildDiff = z
  .strictObject({
    from: build,
    to: build,
    files: z
      .strictObject({ added: z.int(), removed: z.int(), changed: z.int(), unchanged: z.int() })
      .describe('How many entries of the tarballs, compared inside their top folders.'),
    dependencies: z
      .strictObject({ runtime: listDiff, build: listDiff })
      .describe('As the recipes have them.'),
    recipe: unified,
    ebuild: unified,
    checks: z
      .array(
        z.strictObject({
          stage: z.enum(['commit', 'acceptance', 'manual']),
          name: z.string(),
          from: status,
          to: status,
        }),
      )
      .describe('What came out of each check; null: it was not reported.'),
  })
  .meta({ id: 'BuildDiff' })
export type BuildDiff = Answering<typeof buildDiff>

const fileChange = z
  .strictObject({
    path: z.string().describe('Inside the top folders.'),
    change: z.enum(['added', 'removed', 'changed']),
    differs: z.array(z.enum(DIFFERENCES)).describe('In what; empty unless it changed.'),
    from: archiveEntry.nullable(),
    to: archiveEntry.nullable(),
  })
  .meta({ id: 'FileChange' })
export type FileChange = Answering<typeof fileChange>

const UNKNOWN = ['build.unknown', 'build.invalid_number'] as const

export const diffs: Noun = {
  name: 'Differences',
  description: 'What a build has otherwise than another of its app: `from` is `{other}`, `to` is `{build}`.',
  operations: {
    'diffs.get': {
      call: 'GET /apps/{app}/builds/{build}/diff/{other}',
      summary: 'Compare a build with another',
      description:
        'Both tarballs are read, file by file, if they were not lately; of large ones that takes some seconds.',
      who: 'sees',
      answers: { 200: json('What differs.', buildDiff) },
      refusals: UNKNOWN,
    },
    'diffs.listFiles': {
      call: 'GET /apps/{app}/builds/{build}/diff/{other}/files',
      summary: 'List the files that differ',
      description: 'By path.',
      who: 'sees',
      page: { of: fileChange, limit: [1000, 10_000] },
      refusals: UNKNOWN,
    },
    'diffs.readFile': {
      call: 'GET /apps/{app}/builds/{build}/diff/{other}/files/{path}',
      summary: 'Compare a file line by line',
      description: 'In the unified form of diff(1), up to 256 KiB on either side; empty: it is the same.',
      who: 'sees',
      answers: { 200: content('The difference.', 'text/plain') },
      refusals: [...UNKNOWN, 'archive.no_such_file', 'archive.not_text', 'archive.too_large_to_compare'],
    },
  },
}
