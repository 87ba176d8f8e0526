/** A tarball that GNU tar packs from a folder with everything in it that may go wrong when a package is built. */
import { execFile } from 'node:child_process'
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { SourceFormat } from '../../../src/gentoo/ebuild.ts'

const execFileAsync = promisify(execFile)

const FAILS = '#!/bin/sh\necho "Portage ran what the application ships" >&2\nexit 1\n'
const INITD = '#!/sbin/openrc-run\ncommand=/opt/shop/bin/shop\n'
const UNIT = '[Unit]\nDescription=Acme shop\n\n[Service]\nExecStart=/opt/shop/bin/shop\n'

/** Content and mode by path. Portage's default phases would run `configure` and the Makefile, and install README. */
const FILES: Readonly<Record<string, readonly [string, number]>> = {
  'bin/shop': ['#!/bin/sh\necho shop\n', 0o755],
  'bin/tool': ['#!/bin/sh\necho tool\n', 0o644],
  'conf/shop.toml': ['[shop]\ndebug = false\n', 0o600],
  'deploy/shop.initd': [INITD, 0o644],
  'deploy/shop.service': [UNIT, 0o644],
  configure: [FAILS, 0o755],
  'setup.py': [FAILS, 0o755],
  Makefile: ['all check install:\n\tfalse\n', 0o644],
  README: ['read me\n', 0o644],
  '.hidden/.file': ['hidden\n', 0o640],
  "odd/it's $HOME `id` * [a] {b} \\n": ['odd\n', 0o444],
  'odd/日本語 é': ['', 0o600],
  'odd/--force': ['an option\n', 0o711],
  'odd/large': ['0123456789abcdef'.repeat(65_536), 0o644],
}

const FOLDERS: Readonly<Record<string, number>> = {
  'empty/private': 0o700,
  'empty/group': 0o775,
  'empty/ a b': 0o755,
}
const LINKS: Readonly<Record<string, string>> = { current: 'bin', 'odd/link to shop': '../bin/shop' }

export interface OddTarball {
  readonly format?: SourceFormat
  /** The single folder at the top; null for none. */
  readonly top?: string | null
  /** More files, or others in place of those that are there. */
  readonly files?: Readonly<Record<string, string>>
}

/** Packs the tree; the same arguments give the same content, though not the same bytes. */
export async function oddTarball({
  format = 'tar.gz',
  top = 'package',
  files = {},
}: OddTarball = {}): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'portage-hub-odd-'))
  try {
    const tree = join(folder, 'tree')
    await writeTree(join(tree, top ?? '.'), files)
    const file = join(folder, `packed.${format}`)
    await execFileAsync('tar', ['-c', '-a', '-f', file, '-C', tree, '--', ...(await readdir(tree))])
    return await readFile(file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function writeTree(top: string, files: Readonly<Record<string, string>>): Promise<void> {
  const more = Object.entries(files).map(([path, content]) => [path, [content, 0o644]] as const)
  for (const [path, [content, mode]] of [...Object.entries(FILES), ...more]) {
    await mkdir(dirname(join(top, path)), { recursive: true })
    await writeFile(join(top, path), content, { mode })
  }
  for (const [path, mode] of Object.entries(FOLDERS)) {
    await mkdir(join(top, path), { recursive: true })
    await chmod(join(top, path), mode)
  }
  for (const [path, target] of Object.entries(LINKS)) await symlink(target, join(top, path))
  await link(join(top, 'bin/shop'), join(top, 'odd/hard link'))
}
