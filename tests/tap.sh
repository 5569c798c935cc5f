# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# TAP for tests in bash. Each test is a function; its output is shown when it fails.
#
#	. tests/tap.sh
#	test_case "what holds" function [arguments]
#	test_skip "what holds" "why not here"
#	test_done

tap_nr=0
tap_failed=0
tap_log=$(mktemp)

# test_case NAME COMMAND... - in a subshell: a test changes nothing for the next
test_case() {
	local name=$1 status=0 began=$SECONDS
	shift
	tap_nr=$((tap_nr + 1))
	# set -e is off inside a condition, so the status is taken the long way.
	set +e
	(
		set -eE
		# shellcheck disable=SC2154 # set by trap
		trap 's=$?; echo "line $LINENO: $BASH_COMMAND: status $s"' ERR
		"$@"
	) >"$tap_log" 2>&1
	status=$?
	set -e
	if [[ $status == 0 && ${tap_after:-} ]]; then
		$tap_after >>"$tap_log" 2>&1 || status=1
	elif [[ ${tap_after:-} ]]; then
		$tap_after >>"$tap_log" 2>&1 || true
	fi
	if ((status == 0)); then
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
