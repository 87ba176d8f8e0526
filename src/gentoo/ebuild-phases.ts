/**
 * The phase functions of a generated ebuild, and with them its DEFINED_PHASES.
 * Sources: PMS "Ebuild-defined functions", "Available commands"; Portage bin/phase-helpers.sh (`unpack` ends in a chmod
 * of the whole tree, so it is not used), bin/ebuild-helpers/{keepdir,dosym,newins,fperms,fowners},
 * bin/install-qa-check.d/95empty-dirs (empty folders are removed from the image).
 */
import type { EbuildModel, InstalledFile, KeptDirectory, SourceFormat } from './ebuild.ts'
import { quoteShell, quoteShellLine } from './quote.ts'

interface Phase {
  readonly name: `${'src' | 'pkg'}_${string}`
  /** Lines without the outer indent; null for a phase that does nothing. */
  readonly body: readonly string[] | null
}

const TAR_FLAG: Readonly<Record<SourceFormat, string>> = {
  tar: '',
  'tar.gz': ' -z',
  'tar.bz2': ' -j',
  'tar.xz': ' -J',
  'tar.zst': ' -I zstd',
}

/**
 * The phases that the ebuild defines, in the order of its text. configure, compile and test are there and empty because
 * Portage's defaults would run whatever `configure` or `Makefile` the application ships.
 */
export function ebuildPhases(model: EbuildModel): readonly Phase[] {
  const { user, backup, service } = model
  return [
    ...(user === null ? [] : [{ name: 'pkg_setup', body: setup(user.name, user.home) } as const]),
    { name: 'src_unpack', body: unpack(model) },
    { name: 'src_configure', body: null },
    { name: 'src_compile', body: null },
    { name: 'src_test', body: null },
    { name: 'src_install', body: install(model) },
    ...(backup === null ? [] : [{ name: 'pkg_preinst', body: preinst(backup) } as const]),
    ...(service.restart ? [{ name: 'pkg_postinst', body: postinst(model.pn) } as const] : []),
  ]
}

/** The text of all phase functions, as lines; an empty line is before each group. */
export function renderPhases(model: EbuildModel): readonly string[] {
  return ebuildPhases(model).flatMap(({ name, body }, index, phases) => {
    if (body !== null) return ['', `${name}() {`, ...body.map((line) => `\t${line}`), '}']
    return [...(phases[index - 1]?.body === null ? [] : ['']), `${name}() { :; }`]
  })
}

/** DEFINED_PHASES as bin/ebuild.sh lists them: without their prefix, in alphabetical order. */
export function definedPhases(model: EbuildModel): readonly string[] {
  return ebuildPhases(model)
    .map(({ name }) => name.slice('src_'.length))
    .toSorted()
}

// Before anything is unpacked or merged, for binary packages too: the owners must exist by then. Another root has users of
// its own that these commands would not see, so the package is refused there rather than given wrong owners.
function setup(user: string, home: string | null): readonly string[] {
  const flags = `--system --gid ${user} --home-dir ${home ?? '/dev/null'} --no-create-home --shell /sbin/nologin`
  return [
    `[[ -z \${ROOT} ]] || die "user ${user} can be made on the running system only: install it there"`,
    `getent group ${user} >/dev/null || groupadd --system ${user} || die "group ${user} could not be made"`,
    `getent passwd ${user} >/dev/null || useradd ${flags} ${user} || die "user ${user} could not be made"`,
  ]
}

function unpack({ source }: EbuildModel): readonly string[] {
  const flags = `-x -p -o${TAR_FLAG[source.format]}`
  return [
    'mkdir "${WORKDIR}/tree" || die',
    `tar ${flags} -f "\${DISTDIR}/${source.distfileName}" -C "\${WORKDIR}/tree" || die`,
  ]
}

function install(model: EbuildModel): readonly string[] {
  return [
    `dodir ${model.prefix}`,
    `cp -pPR "\${S}/." "\${ED}${model.prefix}/" || die`,
    ...model.executables.map((path) => `fperms a+x ${path}`),
    ...model.files.flatMap(installFile),
    ...protectConfig(model),
    ...installService(model),
    ...model.symlinks.map(({ from, to }) => `dosym ${from.startsWith('/') ? '-r ' : ''}${from} ${to}`),
    ...model.keepdirs.flatMap((directory) => keepDirectory(directory, model.user)),
    ...keepEmptyDirectories(model.prefix),
  ]
}

function installFile({ from, to, mode, owner }: InstalledFile): readonly string[] {
  const slash = to.lastIndexOf('/')
  return [
    `insinto ${to.slice(0, slash) || '/'}`,
    `newins "\${S}/${from}" ${to.slice(slash + 1)}`,
    ...access(to, mode, owner),
  ]
}

function access(path: string, mode: string | undefined, owner: string | undefined): readonly string[] {
  return [
    ...(mode === undefined ? [] : [`fperms ${mode} ${path}`]),
    ...(owner === undefined ? [] : [`fowners ${owner} ${path}`]),
  ]
}

// /etc is protected by every profile; other places only if env.d says so.
function protectConfig({ configProtect, pn }: EbuildModel): readonly string[] {
  if (configProtect.length === 0) return []
  return [`printf 'CONFIG_PROTECT="%s"\\n' ${quoteShell(configProtect.join(' '))} | newenvd - 99${pn}`]
}

function installService({ service, pn }: EbuildModel): readonly string[] {
  const { openrc, systemd } = service
  return [
    ...(openrc === null ? [] : [`newinitd "\${S}/${openrc}" ${pn}`]),
    ...(systemd === null
      ? []
      : ['insinto /usr/lib/systemd/system', `newins "\${S}/${systemd}" ${pn}.service`]),
  ]
}

// A home that the recipe only names as a folder to keep belongs to its user: nobody else could write there.
function keepDirectory({ path, mode, owner }: KeptDirectory, user: EbuildModel['user']): readonly string[] {
  const isBareHome = user?.home === path && mode === undefined && owner === undefined
  return [`keepdir ${path}`, ...access(path, mode, isBareHome ? `${user.name}:${user.name}` : owner)]
}

// keepdir sets the mode of the folder to that of diropts, so each folder's own mode is given to it.
function keepEmptyDirectories(prefix: string): readonly string[] {
  return [
    'local dir',
    `while IFS= read -r -d '' dir; do`,
    '\tdiropts "-m$(stat -c %a "${dir}")"',
    '\tkeepdir "${dir#"${ED}"}"',
    `done < <(find "\${ED}${prefix}" -type d -empty -print0)`,
  ]
}

// Old files are still in place. `die` here stops the merge before any of them is replaced. hub-node leaves a mark for the
// installed version while its emerge runs: it made a restore point, or goes back, which no failing dump may hinder.
const SAVED_MARK = '${EROOT}/var/lib/portage-hub/saved/${CATEGORY}/${PN}-${REPLACING_VERSIONS%% *}'

function preinst({ commands, timeoutSec }: NonNullable<EbuildModel['backup']>): readonly string[] {
  return [
    '[[ -n ${REPLACING_VERSIONS} ]] || return 0',
    `[[ -z $(find "${SAVED_MARK}" -maxdepth 0 -type f -uid 0 -mmin -60 2>/dev/null) ]] || return 0`,
    'umask 077',
    'local stamp',
    'stamp=$(date -u +%Y%m%dT%H%M%SZ) || die "no time for the backup: nothing was replaced"',
    'local -x HUB_BACKUP_DIR="${EROOT}/var/lib/portage-hub/dumps/${CATEGORY}/${PN}/${REPLACING_VERSIONS%% *}-${stamp}"',
    'mkdir -p "${HUB_BACKUP_DIR}" || die "backup folder could not be made: nothing was replaced"',
    ...commands.map((command, index) =>
      backupCommand(command, timeoutSec, `${index + 1} of ${commands.length}`),
    ),
    ': > "${HUB_BACKUP_DIR}/complete" || die "backup could not be marked as complete: nothing was replaced"',
    'umask 022',
  ]
}

// Portage points HOME to a scratch folder; tools that read ~/.pgpass or ~/.my.cnf need root's own.
function backupCommand(command: string, timeoutSec: number, which: string): string {
  const shell = `HOME=~root timeout --kill-after=10 ${timeoutSec} bash -euo pipefail -c ${quoteShellLine(command)}`
  return `${shell} || die "backup command ${which} failed: nothing was replaced"`
}

// The files are in place by now: a service that does not come back is a warning, never a failed merge.
function postinst(pn: string): readonly string[] {
  return [
    '[[ -n ${REPLACING_VERSIONS} && -z ${ROOT} ]] || return 0',
    'if [[ -d /run/systemd/system ]]; then',
    '\tsystemctl daemon-reload || ewarn "systemd did not read its units again"',
    `\tsystemctl try-restart ${pn}.service || ewarn "${pn}.service was not restarted: see journalctl -u ${pn}"`,
    'elif type -P rc-service >/dev/null; then',
    `\trc-service --ifexists --ifstarted ${pn} restart || ewarn "${pn} was not restarted: see rc-service ${pn} status"`,
    'fi',
  ]
}
