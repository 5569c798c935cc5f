# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# TAP for tests in bash. Each test is a function; its output is shown when it fails.
#
#	. tests/tap.sh
#	test_case "what holds" function [arguments]
#	test_skip "what holds" "why not here"
#	test_done
#
# One that fails while the machine stands still is run again, at most twice: frames are late then,
# sessions time out and kernels complain of devices, whatever is tested.

# shellcheck source=stood_still.sh
. "$(dirname "${BASH_SOURCE[0]}")/stood_still.sh"
stood_still_watch

# Waits that end in vain cost time only where something is broken: be ready for a machine that is
# slower or has other work (wait_for() of the lab's common.sh). Not for the tools under test.
# shellcheck disable=SC2034
SLUICE_PATIENCE=3

tap_nr=0
tap_failed=0
tap_log=$(mktemp)

# tap_run COMMAND... - its status in $tap_status, what it says in $tap_log
tap_run() {
	# set -e is off inside a condition, so the status is taken the long way.
	set +e
	(
		set -eE
		# shellcheck disable=SC2154 # set by trap
		trap 's=$?; echo "line $LINENO: $BASH_COMMAND: status $s"' ERR
		"$@"
	) >"$tap_log" 2>&1
	tap_status=$?
	set -e
	if [[ $tap_status == 0 && ${tap_after:-} ]]; then
		$tap_after >>"$tap_log" 2>&1 || tap_status=1
	elif [[ ${tap_after:-} ]]; then
		$tap_after >>"$tap_log" 2>&1 || true
	fi
}

# test_case NAME COMMAND... - in a subshell: a test changes nothing for the next
test_case() {
	local name=$1 began=$SECONDS tries=1 stood
	shift
	tap_nr=$((tap_nr + 1))
	stood=$(stood_still)
	tap_run "$@"
	while ((tap_status && tries++ < 3)) && stood_still_since "$stood"; do
		printf '# %s: failed while the machine stood still, once more\n' "$name"
		tail -n 60 "$tap_log" | sed 's/^/# /'
		stood=$(stood_still)
		tap_run "$@"
	done
	if ((tap_status == 0)); then
		printf 'ok %d - %s # %d s\n' $tap_nr "$name" $((SECONDS - began))
	else
		printf 'not ok %d - %s # %d s\n' $tap_nr "$name" $((SECONDS - began))
		tail -n 60 "$tap_log" | sed 's/^/# /'
		tap_failed=$((tap_failed + 1))
	fi
}

test_skip() {
	tap_nr=$((tap_nr + 1))
	printf 'ok %d - %s # SKIP %s\n' $tap_nr "$1" "$2"
}

test_done() {
	rm -f "$tap_log"
	printf '1..%d\n' $tap_nr
	((tap_failed == 0))
}
