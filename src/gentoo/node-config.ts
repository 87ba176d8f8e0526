/**
 * What a node has in /etc/portage so that Portage works with a hub: sections of repos.conf and binrepos.conf, lines of
 * make.conf and mirrors, and the two programs that these name.
 * Sources: Portage man/portage.5 and man/make.conf.5; lib/portage/repository/config.py, lib/portage/binrepo/config.py
 * (configparser, in which '%' is interpolation), lib/portage/sync/modules/git/git.py (sync-git-env, clone options),
 * lib/portage/package/ebuild/fetch.py (a fetch command per scheme), lib/portage/dbapi/bintree.py.
 *
 * How the token travels, and why so, is told in docs/nodes.md: no option of Portage holds it, and the one program that
 * sends it speaks to the hub's address only.
 */
import { HubError } from '../errors.ts'
import { parseCategory } from './cpv.ts'
import { quoteShell } from './quote.ts'
import { shown } from './version.ts'

/** The node's folder for what is the hub's: the token, the two programs, the keyring of the overlay. */
export const HUB_FOLDER = '/etc/portage/hub'
/** Sends the token, to the hub alone. */
export const FETCH_PROGRAM = `${HUB_FOLDER}/fetch`
/** What git asks about signatures. */
export const VERIFY_PROGRAM = `${HUB_FOLDER}/gpg`
/** Stand around what is the hub's in a file that is somebody else's. */
export const MARKERS = { begin: '# portage-hub begin', end: '# portage-hub end' } as const

/** Portage looks for `FETCHCOMMAND_<scheme>`: a scheme of our own leaves the commands of all others as they are. */
const SCHEME = 'portagehub'

export interface OverlaySection {
  /** Of the overlay: the name of the section. */
  readonly name: string
  /** http(s) address of the repository. */
  readonly syncUri: string
}

/**
 * Renders the section of repos.conf. Git reads the token from the hub's folder, follows nobody elsewhere, asks nobody,
 * and believes no key but those of the hub.
 * @throws {HubError} `request.invalid` for a name or an address that cannot stand there.
 */
export function renderReposConf({ name, syncUri }: OverlaySection): string {
  const environment = [
    `HOME=${HUB_FOLDER}`,
    'GIT_TERMINAL_PROMPT=0',
    ...['GIT_CONFIG_COUNT=1', 'GIT_CONFIG_KEY_0=http.followRedirects', 'GIT_CONFIG_VALUE_0=false'],
  ]
  return section(name, [
    ['location', `/var/db/repos/${name}`],
    ['sync-type', 'git'],
    ['sync-uri', checkAddress(syncUri)],
    ['auto-sync', 'yes'],
    ['volatile', 'no'],
    ['priority', '50'],
    ['sync-git-env', environment.join(' ')],
    ['sync-git-clone-extra-opts', `--config gpg.program=${VERIFY_PROGRAM}`],
    ['sync-git-verify-commit-signature', 'true'],
  ])
}

export interface BinhostSection {
  readonly name: string
  readonly syncUri: string
  /** Nothing else is taken from there: a hub has no business with a node's system packages. At least one. */
  readonly categories: readonly string[]
}

/** Renders the section of binrepos.conf. @throws {HubError} `request.invalid` as `renderReposConf`. */
export function renderBinreposConf({ name, syncUri, categories }: BinhostSection): string {
  if (categories.length === 0) throw new HubError('request.invalid', 'a binhost of no category is one of all')
  const fetch = `${FETCH_PROGRAM} "\${URI}" "\${DISTDIR}/\${FILE}"`
  return section(name, [
    ['sync-uri', checkAddress(syncUri)],
    ['priority', '50'],
    ['verify-signature', 'true'],
    ['getbinpkg-include', categories.map((category) => `${parseCategory(category)}/*`).join(' ')],
    ['fetchcommand', fetch],
    ['resumecommand', `${fetch} resume`],
  ])
}

/** Renders lines of make.conf: a backup of whatever is replaced, and the command for the hub's own scheme. */
export function renderMakeConf(): string {
  const fetch = String.raw`${FETCH_PROGRAM} \"\${URI}\" \"\${DISTDIR}/\${FILE}\"`
  return inMarkers([
    'FEATURES="${FEATURES} unmerge-backup"',
    'QUICKPKG_DEFAULT_OPTS="${QUICKPKG_DEFAULT_OPTS} --include-unmodified-config=y"',
    `FETCHCOMMAND_${SCHEME.toUpperCase()}="${fetch}"`,
    `RESUMECOMMAND_${SCHEME.toUpperCase()}="${fetch} resume"`,
  ])
}

/**
 * Renders the line of `mirrors` that sends `mirror://<mirrorName>/` through the hub's own scheme, before what the
 * overlay's thirdpartymirrors say. `path` is below the hub's address: `distfiles/staging`.
 * @throws {HubError} `request.invalid` for a name or a path that cannot stand there.
 */
export function renderMirrors({
  mirrorName,
  path,
}: {
  readonly mirrorName: string
  readonly path: string
}): string {
  for (const word of [mirrorName, ...path.split('/')]) checkWord(word)
  return inMarkers([`${mirrorName} ${SCHEME}://${path}`])
}

/**
 * Renders the program that fetches from the hub: `fetch <address> <file> [resume]`. wget shows the token only when it
 * is asked for it, and to the machine that the .netrc names; here it is never sent anywhere else to begin with.
 *
 * Portage ends with a traceback when a fetch command gives it neither `Packages.gz` nor `Packages`. An index of the
 * year 1970 makes it go on with the one that it read last.
 */
export function renderFetchProgram(hubAddress: string): string {
  const hub = quoteShell(checkAddress(hubAddress))
  return `#!/bin/sh
# Written by Portage Hub. Fetches from the hub with this node's token, and from nowhere else.
# Usage: fetch <address> <file> [resume]
set -eu
hub=${hub}
uri=$1
file=$2
case $uri in
${SCHEME}://*) uri=$hub/\${uri#${SCHEME}://} ;;
"$hub"/*) ;;
*)
	echo "hub/fetch: $uri is not an address of $hub" >&2
	exit 1
	;;
esac
# Builds have a HOME without .netrc.
export HOME=${HUB_FOLDER}
get() {
	wget --max-redirect=0 --no-hsts "$@" -O "$file" "$uri"
}
case $uri in
*/Packages.gz)
	get -nv -t 1 -T 10
	;;
*/Packages)
	get -nv -t 1 -T 10 && exit 0
	echo "hub/fetch: the index of the hub cannot be read; the one that was read last is used" >&2
	printf 'TIMESTAMP: 0\\nVERSION: 0\\n\\n' > "$file"
	;;
*)
	if [ "\${3:-}" = resume ]; then set -- -c; else set --; fi
	get -t 3 -T 60 "$@"
	;;
esac
`
}

/** Renders the program that git asks about signatures: it knows the hub's keys alone, whatever else root trusts. */
export function renderVerifyProgram(): string {
  return `#!/bin/sh
# Written by Portage Hub. Git asks it who signed a commit of the hub's overlay.
exec gpg --homedir ${HUB_FOLDER}/gnupg --no-auto-check-trustdb "$@"
`
}

function section(name: string, entries: readonly (readonly [key: string, value: string])[]): string {
  return inMarkers([`[${checkWord(name)}]`, ...entries.map(([key, value]) => `${key} = ${quoteIni(value)}`)])
}

function inMarkers(lines: readonly string[]): string {
  return [MARKERS.begin, ...lines, MARKERS.end, ''].join('\n')
}

/** A value of configparser: one line, in which a percent sign is written twice. */
function quoteIni(value: string): string {
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value) || value.trim() !== value)
    throw new HubError('request.invalid', `${shown(value)} cannot stand in a configuration of Portage`)
  return value.replaceAll('%', '%%')
}

/** The settings know no other: what could end a word or a pattern anywhere is in none. */
function checkAddress(address: string): string {
  if (/^https?:\/\/[A-Za-z0-9._~:/!&*+,;=%[\]-]+$/.test(address) && URL.canParse(address)) return address
  throw new HubError('request.invalid', `${shown(address)} is no address of a hub`)
}

function checkWord(word: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(word)) return word
  throw new HubError('request.invalid', `${shown(word)} is no name that Portage takes`)
}
