/**
 * Sources ebuilds in bash, without Portage: no PATH, every command that a generated ebuild may call replaced by one that
 * only notes its arguments. What an ebuild would do is then a list of calls, and whatever else it tries is noted too.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Sourced {
  /** Each variable as the ebuild set it, S included. */
  readonly variables: Readonly<Record<string, string>>
  /** What Portage's metadata phase would print for it: unquoted, through echo, without globbing. */
  readonly echoed: Readonly<Record<string, string>>
  /** Names of the functions that it defined. */
  readonly functions: readonly string[]
  /** Commands with their arguments, from running every function with the stubs. */
  readonly calls: readonly (readonly string[])[]
}

const VARIABLES =
  'EAPI DESCRIPTION HOMEPAGE SRC_URI S LICENSE SLOT KEYWORDS IUSE RDEPEND BDEPEND DEPEND RESTRICT QA_PREBUILT'
const COMMANDS =
  'cp mkdir tar stat find date timeout getent groupadd useradd systemctl rc-service dodir fperms fowners insinto newins ' +
  'newinitd newenvd dosym keepdir diropts ewarn'

const HARNESS = String.raw`
exec 3>&1 1>&2
note() { printf '%s\0' "$@" END >&3; }
command_not_found_handle() { note call UNKNOWN "$@"; }
touch() { : > "$1"; note call UNKNOWN touch "$@"; }
for command in ${COMMANDS}; do eval "$command() { note call $command \"\$@\"; }"; done
die() { note call die "$@"; exit 1; }
getent() { note call getent "$@"; return 1; }
date() { note call date "$@"; echo STAMP; }
stat() { note call stat "$@"; echo 755; }
find() { note call find "$@"; [[ $1 == */saved/* ]] || printf '%s\0' "$ED/opt/a b"; }
newenvd() { local text; IFS= read -r text; note call newenvd "$@" "$text"; }
before=$(declare -F)
for ebuild in "$@"; do (
  note ebuild "$ebuild"
  source "$ebuild"
  for name in ${VARIABLES}; do
    note variable "$name" "\${!name}"
    set -f; { printf 'echoed\0%s\0' "$name"; echo \${!name}; printf '\0END\0'; } >&3; set +f
  done
  while read -r _ _ name; do [[ $before == *" $name"* ]] || note function "$name"; done <<< "$(declare -F)"
  for phase in pkg_setup src_unpack src_configure src_compile src_test src_install pkg_preinst pkg_postinst; do
    if declare -F "$phase" > /dev/null; then note call "$phase"; "$phase"; fi
  done
) < /dev/null; done
`

/**
 * Sources each text in its own subshell of one bash and runs its phases against the stubs.
 * @throws {Error} if bash says anything on stderr, or if the canary came into being.
 */
export function sourceEbuilds(texts: readonly string[], canary: string): readonly Sourced[] {
  const folder = mkdtempSync(join(tmpdir(), 'source-ebuilds-'))
  try {
    mkdirSync(join(folder, 'root/var/lib/portage-hub/dumps/app-acme/shop/1.0-STAMP'), { recursive: true })
    const files = texts.map((text, index) => {
      const file = join(folder, `${index}.ebuild`)
      writeFileSync(file, text)
      return file
    })
    const run = spawnSync('/bin/bash', ['--norc', '--noprofile', '-c', harness(), 'harness', ...files], {
      cwd: folder,
      env: environment(folder),
      maxBuffer: 1 << 30,
      encoding: 'utf8',
    })
    if (run.error) throw run.error
    if (run.stderr !== '') throw new Error(`bash said: ${run.stderr.slice(0, 2000)}`)
    if (existsSync(canary)) throw new Error('an ebuild ran what it should only have carried')
    return readNotes(run.stdout)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function harness(): string {
  return HARNESS.replace('${COMMANDS}', COMMANDS).replace('${VARIABLES}', VARIABLES).replaceAll('\\${', '${')
}

function environment(folder: string): NodeJS.ProcessEnv {
  return {
    PATH: join(folder, 'no-such-folder'),
    LC_ALL: 'C.UTF-8',
    WORKDIR: '/work dir',
    DISTDIR: '/dist dir',
    ED: '/image dir',
    ROOT: '',
    EROOT: join(folder, 'root'),
    CATEGORY: 'app-acme',
    PN: 'shop',
    REPLACING_VERSIONS: '1.0',
  }
}

function readNotes(output: string): readonly Sourced[] {
  const sourced: {
    variables: Record<string, string>
    echoed: Record<string, string>
    functions: string[]
    calls: string[][]
  }[] = []
  for (const [kind, name = '', ...rest] of splitNotes(output)) {
    const current = sourced.at(-1)
    if (kind === 'ebuild') sourced.push({ variables: {}, echoed: {}, functions: [], calls: [] })
    else if (kind === 'variable') current!.variables[name] = rest[0]!
    else if (kind === 'echoed') current!.echoed[name] = rest[0]!.replace(/\n$/, '')
    else if (kind === 'function') current!.functions.push(name)
    else current!.calls.push([name, ...rest])
  }
  return sourced
}

function splitNotes(output: string): readonly (readonly string[])[] {
  const notes: string[][] = [[]]
  for (const field of output.split('\0').slice(0, -1)) {
    if (field === 'END') notes.push([])
    else notes.at(-1)!.push(field)
  }
  return notes.slice(0, -1)
}
