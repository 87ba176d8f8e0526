/** The list of a tarball as people walk through it. */
import { expect, test } from 'vitest'
import type { ArchiveEntry } from '../../src/builds/archive-contents.ts'
import { fileAt } from '../../src/builds/browse-listing.ts'

const file = { path: 'f0', type: 'file', mode: 0o644, sizeBytes: 5 } as const
const link = (path: string, target: string): ArchiveEntry => ({ ...file, path, type: 'hardlink', target })

test('a hard link names its file, through as many links as a tarball may have', () => {
  const links = Array.from({ length: 200_000 }, (_, at) => link(`f${String(at + 1)}`, `f${String(at)}`))
  const folder: ArchiveEntry = { ...file, path: 'folder', type: 'directory' }
  const entries = [file, folder, ...links, link('gone', 'nowhere'), link('odd', 'folder')]
  expect(fileAt(entries, 'f200000')).toBe(file)
  expect(fileAt(entries, 'f0')).toBe(file)
  for (const path of ['folder', 'gone', 'odd', 'nowhere']) expect(fileAt(entries, path)).toBeUndefined()
})
