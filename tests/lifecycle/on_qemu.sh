# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # for run and deaths.sh; lab_dir is run's
#
# What deaths are made of where each VM is a process and a region server has the memory.

# shellcheck source=../lab/host_memory.sh
. "$here/../lab/host_memory.sh"

# The server first: what dies after it comes back by the hands of a server that took over.
deaths=(server frontend backend guest driver paused deaf)
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
growth_host_names="descriptors of the region server,descriptors kept for it"
growth_of_host() {
	local pid
	for pid in "$(region_server)" "$(process_pid "$lab_dir/regiond.pid")"; do
		find "/proc/$pid/fd" -mindepth 1 | wc -l
	done | xargs
}

region_mark() {
	:
}

region_is_gone() { # guest1's, but for the control segment
	uses_at_most guest1 1048576
}

server_follows() { # server_follows PID
	local pid
	pid=$(region_server) && ((pid != $1))
}

punched_since() { # punched_since BYTES: of guest1, by this server and those before it
	(($(on_host guest1 punched) >= $1))
}

# Memory and doorbells belong to the peers, who notice nothing; the next server has the
# connections of this one and serves them.
death_server() {
	local since pid died punched
	pings_start guest1
	since=$(clock_now)
	pid=$(region_server)
	punched=$(on_host guest1 punched)
	died=${EPOCHREALTIME/./}
	kill -KILL "$pid"
	wait_for 10 server_follows "$pid"
	echo "server-again $(((${EPOCHREALTIME/./} - died) / 1000))" >>"$figures"
	resized 4M 4194304
	wait_for 30 punched_since $((punched + 4194304))
	streams_move g1-out g1-in g2-out g2-in
	resized 8M 8388608
	streams_move g1-out g1-in g2-out g2-in
	clock_gap server guest1 "$since" 2
	pings_stop guest1
}
