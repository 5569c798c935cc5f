# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Words that every script of the lab uses: where things are, how to fail, how to
# wait. Sourced, never run.

# shellcheck disable=SC2034 # used by those who source this file
sluice_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
sluice_build=${SLUICE_BUILD:-$sluice_top/build}
sluice_self=${0##*/}
# Tools of the administrator that anybody may run: depmod, ip, busybox's friends.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() {
	printf '%s: %s\n' "$sluice_self" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

# wait_for SECONDS COMMAND... - until COMMAND succeeds, for that long on a machine of the usual
# speed: times SLUICE_PATIENCE. For what must come. It is asked ten times at least: when
# the machine stood still meanwhile, what is waited for did so, too.
wait_for() {
	ask_until 10 $(($1 * ${SLUICE_PATIENCE:-1})) "${@:2}"
}

# within SECONDS COMMAND... - does COMMAND succeed in that time?
within() {
	ask_until 1 "$@"
}

# ask_until TIMES SECONDS COMMAND... - ten times a second, until both are used up. The clock is
# SECONDS of bash: no fork, no jump when somebody sets the time.
ask_until() {
	local times=$1 deadline=$((SECONDS + $2)) asked=0
	shift 2

	until "$@"; do
		((++asked < times || SECONDS < deadline)) || return 1
		sleep 0.1
	done
}

# The words of a command, quoted for any POSIX shell.
quote_words() {
	local word out=
	for word; do
		out+=" '${word//\'/\'\\\'\'}'"
	done
	printf '%s' "${out# }"
}

# number_of_bytes 64M -> 67108864; fails on anything else than N, NK, NM, NG.
number_of_bytes() {
	local n=${1%[KMGkmg]} shift=0

	[[ $n =~ ^[0-9]{1,12}$ ]] || return 1
	case $1 in
	*[Kk]) shift=10 ;;
	*[Mm]) shift=20 ;;
	*[Gg]) shift=30 ;;
	esac
	printf '%d\n' $((10#$n << shift))
}

# The files that a dynamically linked program needs beside itself, one per line.
# Links are followed by whoever copies; the path is the one the loader asks for.
libraries_of() {
	ldd "$1" 2>/dev/null | awk '
		$2 == "=>" && $3 ~ /^\// { print $3; next }
		$1 ~ /^\// { print $1 }'
}
