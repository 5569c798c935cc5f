# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Whether the machine stood still for seconds, all of it and every VM at once, as under a host that
# has other work. A process that only sleeps notes it. Nothing under test keeps that one from running:
# a VM that hangs is no machine that stands still.

# From here on, until this shell ends. It is nobody's job, so that a "wait" does not wait for it.
stood_still_watch() {
	stood_still_log=$(mktemp)
	(stood_still_note $$ &) </dev/null >/dev/null 2>&1
}

stood_still_note() { # stood_still_note PID
	local now last
	read -r last _ </proc/uptime
	while kill -0 "$1" && sleep 1; do
		read -r now _ </proc/uptime
		((${now/./} - ${last/./} < 400)) || echo "$last" >>"$stood_still_log"
		last=$now
	done
	rm -f "$stood_still_log"
}

stood_still() { # how often so far
	wc -l <"$stood_still_log"
}

# stood_still_since OFTEN - the process that notes it may be later than who asks
stood_still_since() {
	sleep 2
	(($(stood_still) > $1))
}
