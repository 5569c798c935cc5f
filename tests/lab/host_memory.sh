# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Memory of retired segments goes back to the host, asked for by the backend and
# done by the region server. And no more is taken than the control segment, 1 MiB per
# queue pair, and the requested size.

regionctl() { # regionctl COMMAND...: at the lab's region server
	local run
	# shellcheck source=/dev/null disable=SC2154
	run=$(. "$sluice_build/lab/$lab_name/settings" && echo "$lab_run")
	"$sluice_build/regiond/sluice-regionctl" -s "$run/regiond.sock" "$@"
}

region_server() { # its process; regiond.pid has the one that keeps it
	regionctl -j status | json .pid
}

on_host() { # on_host NAME KEY: of a destination, as the region server sees it
	regionctl -j status "$1" | json ".destinations[0].$2"
}

uses_at_most() {
	(($(on_host "$1" used) <= $2))
}

memory_goes_back() {
	local before full punched other
	set_size 0
	wait_for 15 plugged_is 0
	# what was retired before this test is given back after the last page is home
	wait_for 30 uses_at_most guest1 2097152
	before=$(on_host guest1 used)
	((before <= 1048576))
	punched=$(on_host guest1 punched)
	other=$(on_host guest2 punched)

	set_size 16M
	wait_for 15 plugged_is 16777216
	# A hole reads as zero, so only frames make it take memory.
	iperf client guest1 -n 20M | mbits_of
	full=$(on_host guest1 used)
	echo "used: $before at size 0, $full at 16M after 20 MB of TCP"
	((full >= before + 262144))
	((full <= 1048576 + 16777216))

	set_size 0
	wait_for 15 plugged_is 0
	wait_for 15 uses_at_most guest1 $((before + 262144)) || {
		regionctl status
		return 1
	}
	echo "used: $(on_host guest1 used) at size 0 again"
	(($(on_host guest1 punched) >= punched + 16777216))
	(($(on_host guest1 punch_errors) == 0))
	(($(on_host guest2 punched) == other))
}

# The operator's quota reaches the user of sluicectl as an error with its reason.
quota_holds() {
	local text
	regionctl quota guest1 62M
	set_size 0
	wait_for 15 plugged_is 0
	regionctl quota guest1 4M
	text=$(set_size 16M 2>&1) && {
		echo "16M was taken: $text"
		regionctl quota guest1 62M
		return 1
	}
	echo "$text"
	[[ $text == *quota* ]]
	# Segments that are just being given back still count.
	wait_for 15 resized 4M 4194304
	regionctl quota guest1 62M
	resized 16M 16777216
	resized 8M 8388608
}

host_memory_scenario() { # host_memory_scenario KERNEL
	test_case "$1: memory of retired segments goes back to the host" memory_goes_back
	test_case "$1: the region server's quota holds and says so" quota_holds
}
