#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Each side goes and comes back again and again, under TCP both ways: traffic goes on by
# itself and nothing grows.
# shellcheck source=../lib.sh
. "$(dirname "$0")/lib.sh" # all are in one folder in the VM

rounds=${ROUNDS:-20}

load() { # one stream each way over each link, for as long as the test takes
	local n
	for n in 0 1; do
		ip netns exec b$n iperf3 -s -D >/dev/null
		wait_for 10 listening b$n 5201
		ip netns exec f$n iperf3 -c 10.90.$n.1 --bidir -b 2M -l 16K --pacing-timer 20000 -t 86400 \
			>/tmp/load.$n 2>&1 &
		wait_for 10 moving $n
	done
}

load_ends() {
	local ns pid
	for ns in b0 b1 f0 f1; do
		for pid in $(ip netns pids $ns); do
			kill "$pid" 2>/dev/null || true
		done
	done
}

received() {
	ip netns exec f"$1" cat /sys/class/net/net0/statistics/rx_bytes
}

moving() {
	local before
	before=$(received "$1")
	sleep 0.1
	(($(received "$1") > before + 10000))
}

# KiB that no cache holds, references of the modules, processes and threads
usage() {
	echo 3 >/proc/sys/vm/drop_caches
	# zoneinfo: the free pages that each processor keeps
	awk '/^MemTotal:/ { n = $2 } /^(MemFree|Cached|Buffers|SReclaimable):/ { n -= $2 }
		$1 == "count:" { n -= 4 * $2 } END { printf "%d ", n }' /proc/meminfo /proc/zoneinfo
	cat /sys/module/sluice*/refcnt | awk '{ n += $1 } END { printf "%d ", n }'
	# not workers, which are called after what they just do
	cat /proc/[0-9]*/comm 2>/dev/null | grep -v '^kworker/[0-9u]' | grep -c '' || true
}

# TCP finds out by itself when the link is back: each retransmission waits twice as long.
reloads() { # reloads ROLE MODULE
	local n began took most=0 before after
	for ((n = 1; n <= rounds; n++)); do
		unload "$2"
		began=${EPOCHREALTIME/./}
		modprobe "$2"
		# ours alone has to be set up again; the other end stayed
		end_up 0 "$1"
		end_up 1 "$1"
		wait_for 20 ip netns exec f0 ping -q -c 1 -W 1 10.90.0.1
		took=$(((${EPOCHREALTIME/./} - began) / 1000))
		((took <= most)) || most=$took
		wait_for 60 moving 0
		wait_for 60 moving 1
		((n != 2)) || before=$(usage)
	done
	after=$(usage)
	echo "$2: $rounds reloads, the slowest was back after $most ms; used before $before, after $after"
	echo "# $2: $rounds reloads, the slowest was back after $most ms" >>/tmp/reload.notes
	((most <= 3000 * patience))
	# shellcheck disable=SC2086 # three numbers each
	set -- $before $after
	# Sockets' buffers come and go, and so does what KASAN keeps back: kmemleak sees small
	# leaks, this a segment or a control segment that stays.
	(($4 <= $1 + 8192 + 256 * rounds && $5 <= $2 && $6 <= $3 + 2))
}

: >/tmp/reload.notes
unload_all
ktap_test "two links come up" links_up 2
ktap_test "load begins" load
ktap_test "sluice_back goes and comes back, $rounds times" reloads backend sluice_back
ktap_test "sluice_front goes and comes back, $rounds times" reloads frontend sluice_front
ktap_test "load ends" load_ends
ktap_test "everything goes away" links_down
cat /tmp/reload.notes
ktap_end
