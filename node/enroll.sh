#!/bin/sh
# Makes this Gentoo machine a node of a Portage Hub. It shows what it will do and asks; repeated, it changes nothing.
#
#   curl -fsS <hub>/enroll.sh | sh -s -- --environment staging --name web1 --token <token> --yes
#
# The token comes from `portage-hub token create --role enrol --environment staging`, and is good for one machine. It may
# be given as HUB_ENROL_TOKEN or by --token-file instead: the arguments of a process can be seen by everybody here. If the
# hub's answer is lost, the same command again gets it.
#
# `hub-node enroll` fetches and runs this file too: it asks the question itself after --show, and then says --shown.
#
# The hub fills in the next lines when it serves this file.
set -eu
umask 022
hub=@HUB@
host=@HOST@
overlay_prefix=@OVERLAY_PREFIX@
hub_keys=@HUB_KEYS@
binhost_keys=@BINHOST_KEYS@
old_binhost_keys=@OLD_BINHOST_KEYS@
shared_parts=@SHARED_PARTS@
own_files=@OWN_FILES@
part_file=@PART_FILE@
marker_begin=@MARKER_BEGIN@
marker_end=@MARKER_END@

etc=/etc/portage
own=$etc/hub
netrc=$own/.netrc
# Shows the hub that a repeated enrolment is this machine's.
pending=$own/.enrolment
program=app-portage/hub-node

environment='' name='' token=${HUB_ENROL_TOKEN:-} yes=no show=no shown=no service=no
# Where hub-node reads how it ended: whether anything was changed, and why no more was.
outcome=${HUB_ENROL_OUTCOME:-}
unset HUB_ENROL_TOKEN HUB_ENROL_OUTCOME
work='' group='' changed=no

main() {
	read_options "$@"
	check_machine
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM
	mkdir -m 700 "$work/gnupg"
	if is_enrolled; then
		[ -n "$name" ] && [ "$name" != "$enrolled_name" ] && die "this machine is the node $enrolled_name already: hub-node leave first"
		[ -n "$environment" ] && [ "$environment" != "$enrolled_environment" ] && die "this machine is a node of $enrolled_environment already: hub-node leave first"
		name=$enrolled_name environment=$enrolled_environment
	else
		choose_name
		[ -n "$environment" ] || die "say which environment: --environment staging"
		[ -n "$token" ] || die "an enrolment token is needed: --token, --token-file or HUB_ENROL_TOKEN"
	fi
	overlay=$overlay_prefix-$environment
	location=/var/db/repos/$overlay
	if [ $shown = no ]; then say_plan; fi
	if [ $show = yes ]; then return; fi
	confirm
	if [ -z "$enrolled_name" ]; then enrol; else forget_secret; fi
	fetch_files
	check_keys "$work/files/hub/hub.asc" "$hub_keys"
	check_keys "$work/files/hub/binhost.asc" "$binhost_keys"
	write_own_files
	trust_overlay_keys
	trust_binhost_keys
	write_shared_parts
	sync_overlay
	install_program
	if [ $service = yes ]; then enable_service; fi
	tell
	if [ $changed = yes ]; then
		echo "$name is a node of $environment at $hub."
	else
		echo "Nothing changed: $name is a node of $environment at $hub already."
	fi
}

say() { echo "  $*"; }
tell() { if [ -n "$outcome" ]; then printf 'changed=%s\n%s\n' $changed "$*" > "$outcome"; fi; }
die() { tell "$*"; echo "enroll.sh: $*" >&2; exit 1; }

read_options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--yes | -y) yes=yes; shift; continue ;;
		--service) service=yes; shift; continue ;;
		--show) show=yes; shift; continue ;;
		--shown) yes=yes shown=yes; shift; continue ;;
		--help | -h)
			echo "usage: enroll.sh --environment <environment> [--name <node>] [--token <token> | --token-file <file>] [--service] [--show | --yes]"
			exit 0
			;;
		--environment | --name | --token | --token-file) [ $# -ge 2 ] || die "$1 needs a value" ;;
		*) die "there is no option $1; see --help" ;;
		esac
		case $1 in
		--environment) environment=$2 ;;
		--name) name=$2 ;;
		--token) token=$2 ;;
		--token-file) token=$(head -n 1 "$2") || die "$2 cannot be read" ;;
		esac
		shift 2
	done
	case $environment in *[!abcdefghijklmnopqrstuvwxyz0123456789-]*) die "$environment is no name of an environment" ;; esac
	# What is sent as a header, quoted for curl, must be neither quote nor end of line.
	case $token in *[!A-Za-z0-9._~+/=-]*) die "the token has a character that no token has" ;; esac
}

check_machine() {
	[ "$(id -u)" = 0 ] || die "must be run by root"
	for needed in emerge emaint portageq git gpg python3 curl wget; do
		command -v "$needed" > /dev/null || die "this is no Gentoo machine that can be a node: it has no $needed"
	done
	[ -d $etc ] || die "this is no Gentoo machine: it has no $etc"
	group=$(portageq envvar PORTAGE_GRPNAME)
	[ -n "$group" ] || group=portage
}

choose_name() {
	[ -n "$name" ] || name=$(uname -n | tr 'A-Z' 'a-z')
	case $name in
	'' | *[!abcdefghijklmnopqrstuvwxyz0123456789.-]* | [.-]* | *[.-]) die "$name is no name for a node: say one with --name" ;;
	esac
	[ ${#name} -le 63 ] || die "$name is too long for a name: say one with --name"
}

# Prints a value of a JSON document: value <file> <key> [<key>...].
value() {
	python3 -c 'import json, sys
found = json.load(open(sys.argv[1], encoding="utf-8"))
for key in sys.argv[2:]:
    found = found[int(key) if isinstance(found, list) else key]
print(found if found is not None else "")' "$@"
}

# Asks the hub as this node, the body going to a file; prints the status.
ask_as_node() {
	curl -q -sS --netrc-file $netrc -o "$2" -w '%{http_code}' "$hub$1" || die "the hub does not answer: $hub"
}

# What the hub says of the token that is here already.
is_enrolled() {
	enrolled_name='' enrolled_environment=''
	[ -f $netrc ] || return 1
	grep -qF "machine $host " $netrc || die "$netrc is of another hub: hub-node leave first"
	case $(ask_as_node /api/v1/whoami "$work/whoami") in
	200) ;;
	401)
		say "the token in $netrc is no longer valid"
		return 1
		;;
	*) die "the hub cannot say who this is: $(cat "$work/whoami")" ;;
	esac
	enrolled_name=$(value "$work/whoami" node)
	enrolled_environment=$(value "$work/whoami" environments 0)
	[ -n "$enrolled_name" ] || die "the token in $netrc is not that of an enrolled node: take the file away first"
}

say_plan() {
	if [ -n "$enrolled_name" ]; then
		echo "This machine is the node $name of $environment at $hub. What differs will be put right:"
	else
		echo "This machine becomes the node $name of $environment at $hub:"
	fi
	say "$netrc, readable by root and the group $group: the node's token"
	for file in $own_files; do say "$etc/${file%:*}"; done
	for part in $shared_parts; do say "$(part_path "$part"): what is between \"$marker_begin\" and \"$marker_end\""; done
	say "$own/gnupg: overlays are believed when signed by $hub_keys"
	say "$etc/gnupg: binary packages are believed when signed by $binhost_keys"
	say "$location: synced by git, and removed again if its signature does not hold"
	say "$program: installed from there"
	if [ $service = yes ]; then say "the service hub-node: enabled and started"; fi
}

confirm() {
	if [ $yes = yes ]; then return; fi
	# Standard input is this script.
	(: < /dev/tty) 2> /dev/null || die "there is no terminal to ask on: say --yes"
	printf 'Do that? [y/N] ' > /dev/tty
	read -r answer < /dev/tty
	case $answer in y | Y | yes) ;; *) die "nothing was changed" ;; esac
}

enrol() {
	machine=$(cat /etc/machine-id 2> /dev/null || cat /var/lib/dbus/machine-id 2> /dev/null || :)
	case $machine in '' | *[!0-9a-f]*) machine=null ;; *) machine="\"$machine\"" ;; esac
	make_secret
	# $work is root's alone.
	printf '{"name":"%s","environment":"%s","machineId":%s,"retrySecret":"%s"}' \
		"$name" "$environment" "$machine" "$(cat $pending)" > "$work/body"
	(umask 077 && : > "$work/answer")
	# printf is the shell's own: the token is no argument of a process.
	status=$(printf 'header = "Authorization: Bearer %s"\n' "$token" |
		curl -q -sS -K - -o "$work/answer" -w '%{http_code}' -H 'Content-Type: application/json' \
			--data-binary "@$work/body" "$hub/api/v1/nodes") || die "the hub does not answer: $hub. The same command again goes on, also if the hub has made the node"
	if [ "$status" != 201 ]; then
		case $status in 4*) if [ $fresh = yes ]; then forget_secret; fi ;; esac
		die "the hub refuses: $(value "$work/answer" detail 2> /dev/null || cat "$work/answer")"
	fi
	(umask 077 && printf 'machine %s login %s password %s\n' "$host" "$name" "$(value "$work/answer" token)" > "$work/netrc")
	chown "root:$group" "$work/netrc"
	put "$work/netrc" $netrc 640
	forget_secret
}

# On disk before anything is sent: this may be cut before the answer comes, and the token is used up then.
make_secret() {
	fresh=no
	if [ -s $pending ]; then return; fi
	fresh=yes
	mkdir -p $own
	(umask 077 && head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > $pending.new)
	sync $pending.new
	mv $pending.new $pending
	sync $own
}

forget_secret() {
	rm -f $pending $pending.new
	rmdir $own 2> /dev/null || :
}

fetch_files() {
	for file in $own_files; do fetch_file "${file%:*}"; done
	for part in $shared_parts; do fetch_file "$part/$part_file"; done
}

fetch_file() {
	mkdir -p "$work/files/${1%/*}"
	status=$(ask_as_node "/nodes/$name/etc/portage/$1" "$work/files/$1")
	[ "$status" = 200 ] || die "the hub does not give $1: $(cat "$work/files/$1")"
}

# put <new> <file> <mode>: puts a file in place at once, if it differs. Portage reads no file whose name begins with a dot.
put() {
	if [ -f "$2" ] && cmp -s "$1" "$2"; then return; fi
	next=${2%/*}/.portage-hub.new
	mkdir -p "${2%/*}"
	cp -p "$1" "$next"
	chmod "$3" "$next"
	mv "$next" "$2"
	changed=yes
	say "written: $2"
}

write_own_files() {
	for file in $own_files; do put "$work/files/${file%:*}" "$etc/${file%:*}" "${file#*:}"; done
}

# Where a part goes: Portage takes each as a file or as a folder.
part_path() {
	if [ -f "$etc/$1" ] || { [ "$1" = make.conf ] && [ ! -d "$etc/$1" ]; }; then
		echo "$etc/$1"
	else
		echo "$etc/$1/$part_file"
	fi
}

write_shared_parts() {
	for part in $shared_parts; do
		path=$(part_path "$part")
		if [ "$path" = "$etc/$part" ]; then
			put_between_markers "$work/files/$part/$part_file" "$path"
		else
			put "$work/files/$part/$part_file" "$path" 644
		fi
	done
}

# Puts the part into somebody else's file, in place of what stood between the markers; an empty part takes it away.
put_between_markers() {
	[ -f "$2" ] || : > "$2"
	said=$(python3 - "$1" "$2" "$marker_begin" "$marker_end" << 'PYTHON'
import os, re, sys

part, path, begin, end = sys.argv[1:]
path = os.path.realpath(path)
new = open(part, encoding="utf-8").read()
old = open(path, encoding="utf-8", errors="surrogateescape").read()
between = re.compile(r"^%s\n.*?^%s\n" % (re.escape(begin), re.escape(end)), re.M | re.S)
rest = old if not old or old.endswith("\n") else old + "\n"
text = between.sub(lambda _: new, rest, count=1) if between.search(rest) else rest + new
if text == old or (not new and text == rest):
    sys.exit()
state = os.stat(path)
temporary = os.path.join(os.path.dirname(path), ".portage-hub.new")
with open(temporary, "w", encoding="utf-8", errors="surrogateescape") as file:
    file.write(text)
os.chmod(temporary, state.st_mode & 0o7777)
os.chown(temporary, state.st_uid, state.st_gid)
os.replace(temporary, path)
print("written")
PYTHON
	)
	[ -n "$said" ] || return 0
	changed=yes
	say "written: $2"
}

# The keys of a file, but for those that come with a certificate which revokes them.
keys_of() {
	gpg --homedir "$work/gnupg" --batch --no-autostart --show-keys --with-colons "$1" 2> /dev/null |
		awk -F: '$1 == "pub" { primary = $2 != "r" } $1 == "fpr" && primary { print $10; primary = 0 }' | sort | tr '\n' ' '
}

check_keys() {
	expected=$(printf '%s\n' $2 | sort | tr '\n' ' ')
	[ "$(keys_of "$1")" = "$expected" ] ||
		die "the hub serves other keys than this script names ($(keys_of "$1")instead of $expected): fetch the script again, and compare with what the hub says at its start"
}

# trusts <folder> <fingerprints>: whether GnuPG there has these keys and trusts them.
trusts() {
	[ -d "$1" ] || return 1
	for key in $2; do
		gpg --homedir "$1" --batch --no-autostart --list-keys "$key" > /dev/null 2>&1 || return 1
		gpg --homedir "$1" --batch --no-autostart --export-ownertrust 2> /dev/null | grep -q "^$key:6:" || return 1
	done
}

# believes_old <folder> <fingerprints>: whether GnuPG there could still take a signature of one of them for good.
believes_old() {
	[ -d "$1" ] || return 1
	for key in $2; do
		if gpg --homedir "$1" --batch --no-autostart --list-keys --with-colons "$key" 2> /dev/null | grep -q '^pub:[^r]'; then return 0; fi
	done
	return 1
}

# distrust <folder> <fingerprints>: one that was revoked stays there with its certificate; any other goes.
distrust() {
	for key in $2; do
		printf '%s:3:\n' "$key" | gpg --homedir "$1" --batch --quiet --no-autostart --import-ownertrust 2> /dev/null
		if ! believes_old "$1" "$key"; then continue; fi
		gpg --homedir "$1" --batch --yes --quiet --no-autostart --delete-keys "$key"
		changed=yes
		say "believed no more in $1: $key"
	done
}

# trust <folder> <file> <fingerprints>
trust() {
	gpg --homedir "$1" --batch --quiet --no-autostart --import "$2"
	printf '%s:6:\n' $3 | gpg --homedir "$1" --batch --quiet --no-autostart --import-ownertrust 2> /dev/null
	gpg --homedir "$1" --batch --quiet --no-autostart --check-trustdb 2> /dev/null
	changed=yes
	say "trusted in $1: $3"
}

# Made anew when it differs: a key that the hub no longer uses is believed no more.
trust_overlay_keys() {
	mine=$(gpg --homedir $own/gnupg --batch --no-autostart --list-keys --with-colons 2> /dev/null | grep -c '^pub:[^r]' || :)
	if trusts $own/gnupg "$hub_keys" && [ "$mine" = "$(printf '%s\n' $hub_keys | wc -l)" ]; then return; fi
	rm -rf $own/gnupg $own/.gnupg.new
	mkdir -m 700 $own/.gnupg.new
	# Without this file some versions of GnuPG choose a daemon to keep the keys.
	: > $own/.gnupg.new/common.conf
	trust $own/.gnupg.new "$work/files/hub/hub.asc" "$hub_keys"
	mv $own/.gnupg.new $own/gnupg
}

# Portage asks this folder as the user nobody. getuto, where it is installed, makes it for Gentoo's own binary packages.
trust_binhost_keys() {
	if trusts $etc/gnupg "$binhost_keys" && ! believes_old $etc/gnupg "$old_binhost_keys"; then return; fi
	if command -v getuto > /dev/null; then getuto > /dev/null || die "getuto failed"; fi
	if [ ! -d $etc/gnupg ]; then
		mkdir -m 755 $etc/gnupg
		: > $etc/gnupg/common.conf
	fi
	trust $etc/gnupg "$work/files/hub/binhost.asc" "$binhost_keys"
	distrust $etc/gnupg "$old_binhost_keys"
	chmod 755 $etc/gnupg
	for file in common.conf pubring.kbx pubring.gpg trustdb.gpg; do
		if [ -e "$etc/gnupg/$file" ]; then chmod 644 "$etc/gnupg/$file"; fi
	done
}

# Whether the newest commit is signed by the hub.
is_genuine() {
	[ "$(git -C "$location" -c log.showsignature=0 log -n1 --pretty=format:%G? 2> /dev/null)" = G ]
}

# A first clone whose signature does not hold would stay, and be used: it is removed, and the section that names it, or
# the next `emerge --sync` would bring it back.
sync_overlay() {
	if [ -d "$location/.git" ]; then
		if [ "$(git -C "$location" config --get gpg.program || :)" != $own/gpg ]; then
			git -C "$location" config gpg.program $own/gpg
			changed=yes
			say "checked from now on with the hub's keys alone: $location"
		fi
		if is_genuine; then return; fi
	fi
	if [ -e "$location" ]; then
		say "not a genuine copy of the overlay, removed: $location"
		rm -rf "$location"
	fi
	changed=yes
	if emaint sync -r "$overlay" && is_genuine; then return; fi
	rm -rf "$location"
	path=$(part_path repos.conf)
	if [ "$path" = $etc/repos.conf ]; then
		: > "$work/empty"
		put_between_markers "$work/empty" "$path" > /dev/null
	else
		rm -f "$path"
	fi
	die "the overlay could not be synced with a signature that holds. It was removed, and its section of repos.conf too; the rest is left for another try"
}

install_program() {
	if [ -n "$(portageq match / $program)" ]; then return; fi
	if [ ! -d "$location/$program" ]; then
		say "not installed: the overlay has no $program yet. Portage works without it; run this again later"
		return
	fi
	emerge --ask=n --quiet-build=y --noreplace $program
	changed=yes
}

# It reports, uploads and takes rollbacks that were asked for at the hub. One that runs already is left alone.
enable_service() {
	if [ -d /run/systemd/system ]; then
		if systemctl --quiet is-enabled hub-node.service && systemctl --quiet is-active hub-node.service; then return; fi
		systemctl daemon-reload
		systemctl enable --now hub-node.service || die "systemd did not start hub-node.service"
	elif command -v rc-update > /dev/null; then
		enabled=$(rc-update show default | grep -c '^ *hub-node ' || :)
		if [ "$enabled" != 0 ] && rc-service --quiet hub-node status > /dev/null; then return; fi
		rc-update --quiet add hub-node default || die "OpenRC did not take hub-node into its runlevel"
		rc-service hub-node start || die "OpenRC did not start hub-node"
	else
		die "neither systemd nor OpenRC is here: have something else run hub-node run"
	fi
	changed=yes
	say "started: the service hub-node"
}

main "$@"
