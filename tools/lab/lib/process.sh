# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Processes that outlive the command that started them. A pid alone says nothing
# once it has been reused, so a pid file holds the pid and the time at which
# the kernel says that the process started; only that process is ever signalled.

process_start_time() {
	local stat
	# The name in field 2 may hold spaces and parentheses: count after the last ')'.
	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
	stat=${stat##*) }
	# shellcheck disable=SC2086 # fields
	set -- $stat
	[[ $1 != Z ]] || return 1
	printf '%s\n' "${20}"
}

# process_start PIDFILE LOG COMMAND... - in its own session, away from our terminal,
# so that a Ctrl-C meant for us does not reach it.
process_start() {
	local pidfile=$1 log=$2 pid start traps held=
	shift 2

	# A signal in between would end us with a process that nobody has written down.
	traps=$(trap -p INT TERM)
	trap 'held=INT' INT
	trap 'held=TERM' TERM
	setsid "$@" >>"$log" 2>&1 </dev/null 6>&- 9>&- &
	pid=$!
	start=$(process_start_time $pid) || start=0
	printf '%s %s\n' $pid "$start" >"$pidfile"
	disown $pid
	trap - INT TERM
	eval "$traps"
	[[ ! $held ]] || kill -"$held" $BASHPID
}

# process_adopt PIDFILE PID - one that put itself into the background
process_adopt() {
	printf '%s %s\n' "$2" "$(process_start_time "$2")" >"$1"
}

process_pid() {
	local pid start now
	[[ -f $1 ]] || return 1
	read -r pid start <"$1" || return 1
	now=$(process_start_time "$pid") || return 1
	[[ $now == "$start" ]] || return 1
	printf '%s\n' "$pid"
}

process_alive() {
	process_pid "$1" >/dev/null
}

process_gone() {
	! process_alive "$1"
}

process_signal() {
	local pid
	pid=$(process_pid "$1") && kill -"$2" "$pid" 2>/dev/null
}

# process_stop PIDFILE... - ask all, wait 5 s, insist.
process_stop() {
	local pidfile

	for pidfile; do
		process_signal "$pidfile" TERM || true
	done
	for pidfile; do
		if ! wait_for 5 process_gone "$pidfile"; then
			process_signal "$pidfile" KILL || true
			wait_for 5 process_gone "$pidfile" ||
				say "process of $pidfile does not end"
		fi
		rm -f "$pidfile"
	done
}
