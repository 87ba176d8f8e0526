/**
 * What publishes a package without a hub: Portage's own tools from a checkout, in an overlay in git that somebody keeps
 * by hand, here a clone of the hub's own. It runs in a throw-away host of tests/portage/gentoo-node.
 */
import { existsSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openNode, nodeEnvironment } from '../../tests/portage/support/gentoo-node.ts'
import type { GentooNode } from '../../tests/portage/support/gentoo-node.ts'

const REPOSITORY = 'hub-staging'
const LOCATION = `/var/db/repos/${REPOSITORY}`

/** A build as the peer gets it: the ebuild to add, and the tarball where Portage looks for it. */
export interface PeerBuild {
  readonly cp: string
  readonly pf: string
  readonly ebuildText: string
  readonly distfileName: string
  readonly distfile: Buffer | { readonly file: string }
}

export interface PeerTimes {
  readonly manifestMs: number
  readonly cacheMs: number
  readonly commitMs: number
  readonly wholeMs: number
}

export interface PortagePeer extends AsyncDisposable {
  readonly description: string
  /** `atom`: egencache is told which package; otherwise it looks at all of them, as its manual has it. */
  publish(build: PeerBuild, how: { readonly atom: boolean }): Promise<PeerTimes>
}

/** Why there can be none here, or null. */
export function whyNoPortage(): string | null {
  const { PORTAGE_SRC: source } = nodeEnvironment()
  if (source === undefined) return 'PORTAGE_SRC names no checkout of Portage'
  if (!existsSync(join(source, 'bin', 'egencache'))) return 'PORTAGE_SRC has no bin/egencache'
  return process.getuid?.() === 0 ? null : 'hosts of Portage need root'
}

/** Makes the host with its clone. `overlayUrl` needs no token. */
export async function openPortagePeer(overlayUrl: string): Promise<PortagePeer> {
  const node = await openNode('bench-publish')
  try {
    await node.write(
      `etc/portage/repos.conf/${REPOSITORY}.conf`,
      `[${REPOSITORY}]\nlocation = ${LOCATION}\nauto-sync = no\n`,
    )
    await node.bash(PREPARE, overlayUrl, LOCATION)
    const version = (await node.must('emerge', '--version')).split('\n')[0] ?? ''
    const git = await node.must('git', '--version')
    return {
      description:
        `${version.trim()}; ${git.trim()}: copy the ebuild, \`ebuild … manifest\`, \`egencache --update --jobs=2\`, ` +
        '`git add -A && git commit -S` (ed25519, the agent is warm), until `git ls-remote` shows the commit; the ' +
        "overlay is a clone of the hub's, the tarball lies in DISTDIR already",
      publish: async (build, how) => await publish(node, build, how.atom),
      [Symbol.asyncDispose]: async () => await node[Symbol.asyncDispose](),
    }
  } catch (error) {
    await node[Symbol.asyncDispose]()
    throw error
  }
}

const PREPARE = `
git clone --quiet "$1" "$2"
cd "$2"
git config user.name ci && git config user.email ci@example.org
gpg --batch --quiet --passphrase '' --quick-generate-key ci@example.org ed25519 sign never
git config user.signingkey ci@example.org
egencache --update --repo=${REPOSITORY} --jobs=2
git status --short | head -5`

/** Prints milliseconds of manifest, cache, and commit with ls-remote. */
const PUBLISH = `
cp=$1 pf=$2 distfile=$3 atom=$4
cd ${LOCATION}
echo warm | gpg --batch --quiet --local-user ci@example.org --sign > /dev/null
step() { local now=$EPOCHREALTIME; echo "step $(( (\${now/./} - \${last/./}) ))"; last=$EPOCHREALTIME; }
last=$EPOCHREALTIME
cp "/tmp/in/$pf.ebuild" "$cp/$pf.ebuild"
ebuild "$cp/$pf.ebuild" manifest > /tmp/log 2>&1
step
egencache --update --repo=${REPOSITORY} --jobs=2 $atom >> /tmp/log 2>&1
step
git add -A
git commit --quiet -S -m "$cp: add $pf"
[ "$(git ls-remote . refs/heads/main | cut -f 1)" = "$(git rev-parse HEAD)" ]
step
[ -e "metadata/md5-cache/\${cp%/*}/$pf" ] && grep -q "^DIST $distfile " "$cp/Manifest"`

async function publish(node: GentooNode, build: PeerBuild, atom: boolean): Promise<PeerTimes> {
  const { cp, pf, ebuildText, distfileName, distfile } = build
  await node.write(`tmp/in/${pf}.ebuild`, ebuildText)
  const place = `var/cache/distfiles/${distfileName}`
  if (Buffer.isBuffer(distfile)) await node.write(place, distfile)
  else await copyFile(distfile.file, node.path(place))
  const output = await node.bash(PUBLISH, cp, pf, distfileName, atom ? cp : '')
  const [manifestMs = NaN, cacheMs = NaN, commitMs = NaN] = Array.from(
    output.matchAll(/^step (\d+)$/gm),
    (match) => Number(match[1]) / 1000,
  )
  return { manifestMs, cacheMs, commitMs, wholeMs: manifestMs + cacheMs + commitMs }
}
