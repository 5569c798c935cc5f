# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # for run and deaths.sh; lab_dir is run's
#
# What deaths are made of where each VM is a process and a region server has the memory.

# shellcheck source=../lab/host_memory.sh
. "$here/../lab/host_memory.sh"

# In this order: after the server's death a VM that boots meets nobody whose device is still of
# the server before (Documentation/regiond.md).
deaths=(frontend backend guest driver server paused deaf)
up_options=()

dies() { # dies VM: with no time to say goodbye
	kill_hard "$lab_dir/$1/pid"
}

kill_hard() { # kill_hard PIDFILE
	process_signal "$1" KILL
	wait_for 10 process_gone "$1"
}

stands_still() {
	process_signal "$lab_dir/$1/pid" STOP
}

goes_on() {
	process_signal "$lab_dir/$1/pid" CONT
}

# Asks for its size back, where the other side does not know it any more.
has_region_again() { # has_region_again GUEST...
	:
}

# What holds the memory must not hold more.
growth_host_names="descriptors of the region server"
growth_of_host() {
	local pid
	pid=$(process_pid "$lab_dir/regiond.pid")
	find "/proc/$pid/fd" -mindepth 1 | wc -l
}

region_mark() {
	:
}

region_is_gone() { # guest1's, but for the control segment
	uses_at_most guest1 1048576
}

# Memory and doorbells belong to the peers. What the next server makes is other memory,
# so a destination meets there only once both its devices are plugged again.
death_server() {
	local since run
	# shellcheck source=/dev/null
	run=$(. "$lab_dir/settings" && echo "$lab_run")
	pings_start guest1
	since=$(clock_now)
	kill_hard "$lab_dir/regiond.pid"
	resized 4M 4194304
	streams_move g1-out g1-in g2-out g2-in
	process_start "$lab_dir/regiond.pid" "$lab_dir/regiond.log" \
		"$sluice_build/regiond/sluice-regiond" -c "$lab_dir/regiond.conf"
	wait_for 10 test -S "$run/guest1.sock"
	resized 8M 8388608
	streams_move g1-out g1-in g2-out g2-in
	clock_gap server guest1 "$since" 2
	pings_stop guest1
}
