#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A peer dies, hangs, comes back or is replaced. The other side notices, drops
# its carrier, and goes on when there is somebody again.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

no_carrier() {
	! carrier "$1"
}

silent() { # silent ROLE 0|1
	echo "$2" >$debugfs/sluice/loop0-"$1"/silent
}

# dies ROLE OTHER-NAMESPACE: no goodbye, just silence; then it is back
dies() {
	local role=$1 other=$2
	silent "$role" 1
	wait_for 10 no_carrier "$other"
	state 0 "$([[ $role == frontend ]] && echo backend || echo frontend)" | grep -i silent
	silent "$role" 0
	wait_for 20 session_up 0
	wait_for 20 carrier b0
	wait_for 20 carrier f0
	wait_for 20 reach 0
}

# Neither waits for the other for ever: both can be unloaded.
dies_and_goes() {
	silent "$1" 1
	unload sluice_front sluice_back
	silent "$1" 0
	modprobe sluice_back
	modprobe sluice_front
	link_up 0
	wait_for 20 reach 0
}

# The other side's interface stays, with its addresses; only the carrier goes.
reload_under_traffic() { # ROLE MODULE OWN-NS OTHER-NS
	local pid n
	ip netns exec "$4" ping -q -i 0.01 10.90.0."$([[ $4 == b0 ]] && echo 2 || echo 1)" &
	pid=$!
	for n in 1 2 3; do
		unload "$2"
		wait_for 20 no_carrier "$4"
		modprobe "$2"
		end_up 0 "$1"
		wait_for 20 carrier "$4"
		wait_for 20 reach 0
	done
	kill $pid
	wait $pid || true
}

unload_under_load() {
	local n
	for n in 1 2 3; do
		ip netns exec b0 iperf3 -s -1 -D
		wait_for 10 listening b0 5201
		ip netns exec f0 iperf3 -c 10.90.0.1 -t 200 &
		wait_for 10 sending
		unload "$1"
		kill $! 2>/dev/null || true
		wait $! || true
		for pid in $(ip netns pids b0); do
			kill "$pid"
		done
		links_down
		links_up 1
		wait_for 20 reach 0
	done
}

sending() {
	local before
	before=$(ip netns exec f0 cat /sys/class/net/net0/statistics/tx_bytes)
	sleep 0.1
	(($(ip netns exec f0 cat /sys/class/net/net0/statistics/tx_bytes) > before + 10000))
}

unload_all
ktap_test "link comes up" links_up 1
echo 1500 >/sys/module/sluice/parameters/peer_timeout_ms
ktap_test "frontend dies and comes back" dies frontend b0
ktap_test "backend dies and comes back" dies backend f0
ktap_test "frontend dies, everybody is unloaded" dies_and_goes frontend
ktap_test "backend dies, everybody is unloaded" dies_and_goes backend
ktap_test "backend is reloaded under traffic" \
	reload_under_traffic backend sluice_back b0 f0
ktap_test "frontend is reloaded under traffic" \
	reload_under_traffic frontend sluice_front f0 b0
ktap_test "connections outlive three backends" outlives_backends 3
for module in sluice_loopback sluice_front sluice_back; do
	ktap_test "$module is unloaded under full load" unload_under_load $module
done
ktap_test "everything goes away" links_down
ktap_end
