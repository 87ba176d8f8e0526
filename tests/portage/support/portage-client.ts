/** What a host's administrator does to use an overlay of the hub, and what Portage then says and leaves. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestHub } from '../../support/test-hub.ts'
import type { GentooNode } from './gentoo-node.ts'

export interface OverlayUse {
  readonly environment: string
  /** By git with the signature of the commit verified, unless it is said otherwise. */
  readonly by?: 'git' | 'zipfile'
  /** Where the overlay is fetched from, when that is not the hub itself. */
  readonly uri?: string
}

/** Writes the section of repos.conf for an overlay of the hub: `hub-<environment>`. */
export async function useOverlay(node: GentooNode, hub: TestHub, use: OverlayUse): Promise<void> {
  const { environment, by = 'git' } = use
  const address =
    by === 'git' ? `${hub.url}/git/${environment}.git` : `${hub.url}/overlays/${environment}.zip`
  const lines = [
    `[hub-${environment}]`,
    `location = /var/db/repos/hub-${environment}`,
    `sync-type = ${by}`,
    `sync-uri = ${use.uri ?? address}`,
    'auto-sync = yes',
    'volatile = no',
    'priority = 50',
    ...(by === 'git' ? ['sync-git-verify-commit-signature = true'] : []),
  ]
  await node.write('etc/portage/repos.conf/hub.conf', `${lines.join('\n')}\n`)
}

/** Imports the hub's public key into root's GnuPG and trusts it, as far as nothing else is said by `ownertrust`. */
export async function trustHub(node: GentooNode, hub: TestHub): Promise<void> {
  await node.bash(
    `wget -q -O /tmp/hub.asc "$1/keys/hub.asc"
    gpg --batch --import /tmp/hub.asc
    gpg --batch --with-colons --list-keys | awk -F: '$1 == "fpr" { print $10 ":6:" }' | gpg --batch --import-ownertrust`,
    hub.url,
  )
}

/**
 * Gives the host the token by netrc: git and wget send it to that machine only, once they are asked for it. git looks
 * for it in root's home. While it builds, Portage points HOME to a scratch folder, so wget is told where to look.
 */
export async function giveToken(node: GentooNode, token: string): Promise<void> {
  await node.write('etc/portage/hub/.netrc', `machine 127.0.0.1 login node password ${token}\n`, 0o640)
  await node.bash('ln -sf /etc/portage/hub/.netrc ~/.netrc')
  const makeConf = await node.read('etc/portage/make.conf')
  if (!makeConf.includes('FETCHCOMMAND')) await node.write('etc/portage/make.conf', makeConf + FETCH_BY_NETRC)
}

const FETCH_BY_NETRC = String.raw`
FETCHCOMMAND="env HOME=/etc/portage/hub wget -t 3 -T 60 -O \"\${DISTDIR}/\${FILE}\" \"\${URI}\""
RESUMECOMMAND="env HOME=/etc/portage/hub wget -c -t 3 -T 60 -O \"\${DISTDIR}/\${FILE}\" \"\${URI}\""
`

/** A host that follows an overlay by verified commits and has synced it. */
export async function follow(node: GentooNode, hub: TestHub, use: OverlayUse): Promise<void> {
  await useOverlay(node, hub, use)
  if (use.by !== 'zipfile') await trustHub(node, hub)
  await sync(node, use.environment)
}

/** `emaint sync` of one overlay; must succeed. */
export async function sync(node: GentooNode, environment: string): Promise<string> {
  return await node.must('emaint', 'sync', '-r', `hub-${environment}`)
}

/** `emerge`; must succeed, and no phase of any package may have been complained of. */
export async function emerge(node: GentooNode, ...args: readonly string[]): Promise<string> {
  await node.bash('find /var/log/portage -type f -delete')
  const output = await node.must('emerge', '--jobs=2', ...args)
  const complaint = /.*QA Notice[^]{0,500}/.exec(output + (await readLogs(node)))?.[0]
  if (complaint !== undefined) throw new Error(`Portage complains:\n${complaint}`)
  return output
}

/** What the phases of packages said, each build in its own file. */
async function readLogs(node: GentooNode): Promise<string> {
  const folder = node.path('var/log/portage')
  const names = await readdir(folder, { recursive: true })
  const logs = names.filter((name) => name.endsWith('.log'))
  if (logs.length === 0) throw new Error(`no build was logged in ${folder}`)
  return (await Promise.all(logs.map((name) => readFile(join(folder, name), 'utf8')))).join('\n')
}

/**
 * Names of what is installed, `<category>/<package>-<version>`, sorted. The `-MERGING-` folder that a merge leaves which
 * was broken off is none of them, to Portage neither.
 */
export async function installedPackages(node: GentooNode): Promise<readonly string[]> {
  const found = await readdir(node.path('var/db/pkg'), { recursive: true })
  return found.filter((path) => /^[^/]+\/[^/-][^/]*$/.test(path)).sort()
}

/** Metadata that Portage had to find out by sourcing ebuilds of the hub's overlays: files of its own cache. */
export async function sourcedMetadata(node: GentooNode): Promise<readonly string[]> {
  const cache = node.path('var/cache/edb/dep')
  const found = await readdir(cache, { recursive: true, withFileTypes: true }).catch(() => [])
  return found
    .filter((entry) => entry.isFile() && entry.parentPath.includes('/repos/hub-'))
    .map((entry) => join(entry.parentPath, entry.name).slice(cache.length + 1))
    .sort()
}

/** A file of DISTDIR. */
export async function distfile(node: GentooNode, name: string): Promise<Buffer> {
  return await readFile(node.path(join('var/cache/distfiles', name)))
}
