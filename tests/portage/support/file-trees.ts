/** Folders as lists that can be compared: every path with its type, mode, owner and content. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execFileAsync = promisify(execFile)

/** `folder 755 0:0` by path, the top itself as `.`; a file has its digest, a link its target. */
export type FileTree = Readonly<Record<string, string>>

/** Lists what is below a folder. The mark `.keep*` by which Portage keeps a folder that is empty else is left out. */
export async function listTree(top: string): Promise<FileTree> {
  const paths = await walk(top)
  const described = paths.map(async (path) => [path, await describeFile(join(top, path))] as const)
  return Object.fromEntries(await Promise.all(described))
}

async function walk(top: string, folder = '.'): Promise<readonly string[]> {
  const entries = (await readdir(join(top, folder), { withFileTypes: true })).toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  )
  const [only, ...others] = entries
  if (others.length === 0 && only?.name.startsWith('.keep')) return [folder]
  const below = entries.map(async (entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? await walk(top, path) : [path]
  })
  return [folder, ...(await Promise.all(below)).flat()]
}

/** What GNU tar makes of a tarball, listed; with `below` only that folder of it. */
export async function listTarball(tarball: Buffer, below = '.'): Promise<FileTree> {
  const folder = await mkdtemp(join(tmpdir(), 'portage-hub-unpacked-'))
  try {
    const file = join(folder, 'tarball')
    const tree = join(folder, 'tree')
    await writeFile(file, tarball)
    await mkdir(tree)
    await execFileAsync('tar', ['-x', '-p', '-o', '-f', file, '-C', tree])
    return await listTree(join(tree, below))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function describeFile(path: string): Promise<string> {
  const status = await lstat(path)
  const owner = `${status.uid}:${status.gid}`
  const mode = (status.mode & 0o7777).toString(8)
  if (status.isSymbolicLink()) return `link ${owner} -> ${await readlink(path)}`
  if (status.isDirectory()) return `folder ${mode} ${owner}`
  if (!status.isFile()) return `other ${mode} ${owner}`
  const digest = createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
  return `file ${mode} ${owner} ${digest}`
}
