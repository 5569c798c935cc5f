#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Frames of all sizes, both ways, over two links that do not see each other.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

sizes() {
	local mtu=$1 size
	ip -n b0 link set net0 mtu "$mtu"
	ip -n f0 link set net0 mtu "$mtu"
	for size in 0 1 18 100 129 1000 1472 4000 $((mtu - 28)); do
		((size <= mtu - 28)) || continue
		reach 0 -M "do" -s $size
	done
	# fragments
	reach 0 -s $((3 * mtu))
}

# The last answers may be late: ping waits for them no longer than twice what others took.
stream() {
	local missing
	ip netns exec f0 ping -c 305 -i 0.002 10.90.0.1 >/tmp/ping
	tail -n 3 /tmp/ping
	missing=$(pings_missing /tmp/ping)
	echo "pings not answered: $missing"
	[[ ! $missing ]]
}

# A's neighbour must not see a frame for A: each destination has its own region.
isolation() {
	local before after
	before=$(ip netns exec f1 cat /sys/class/net/net0/statistics/rx_bytes)
	reach 0 -s 1000
	after=$(ip netns exec f1 cat /sys/class/net/net0/statistics/rx_bytes)
	# neighbour discovery of its own may come, in frames of less than 100 bytes
	((after - before < 1000))
}

traced() {
	local t=/sys/kernel/tracing event
	[[ -d $t/events ]] || mount -t tracefs none $t
	echo 1 >$t/events/sluice/enable
	reach 0 -s 1000
	ip netns exec b0 sluicectl dest set loop0 size 0
	ip netns exec b0 sluicectl dest set loop0 size 4M
	reach 0 -s 1000
	echo 0 >$t/events/sluice/enable
	for event in "sluice_ring: loop0-frontend vector 1" "sluice_bell: loop0-backend vector 1" \
		"sluice_segment: sluice-front[0-9]* slot [0-9]* ACTIVE" "sluice_segment: net0 slot [0-9]* ACTIVE" \
		"sluice_pages: net0 output.0 want 1 got 1" "sluice_pages: net0 input.0 want"; do
		echo "$event"
		grep -i -m 1 -e "$event" $t/trace
	done
	echo >$t/trace
}

unload_all
ktap_test "two links come up" links_up 2
ktap_test "IPv4" reach 0
ktap_test "IPv6" ip netns exec f0 ping -q -c 2 -W 5 fd90:0::1
ktap_test "the second link" reach 1
for mtu in 576 1500 9000; do
	ktap_test "all sizes with MTU $mtu" sizes $mtu
done
ktap_test "300 frames, none lost" stream
ktap_test "the other link sees none of it" isolation
ktap_test "tracepoints tell it all" traced
ktap_test "everything goes away" links_down
ktap_end
