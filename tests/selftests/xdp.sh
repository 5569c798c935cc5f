#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Native XDP in the guest: each answer of a program (xdp.bpf.c), with frames in region pages and
# in bounced ones, and what the limits are. net1 of the guest is the second link.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
object=$(dirname "$0")/xdp.o

both_links_in_one_guest() {
	links_up 2
	ip -n f1 link set net0 netns f0 name net1
	ip -n f0 link set net1 up
	wait_for 20 second_carrier
}

second_carrier() {
	[[ $(ip netns exec f0 cat /sys/class/net/net1/carrier) == 1 ]]
}

attach() {
	ip -n f0 link set dev net0 xdpdrv off
	ip -n f0 link set dev net0 xdpdrv object "$object" section "xdp/$1"
	wait_for 20 carrier f0
	ip -n f0 link show dev net0 | grep -qw xdp
}

# counts NAME BY COMMAND...: that counter of net0 grows by so many at least
counts() {
	local name=$1 by=$2 before
	before=$(count net0 "$name")
	shift 2
	"$@"
	echo "$name: $before, then $(count net0 "$name")"
	(($(count net0 "$name") >= before + by))
}

# All answered, and with what was sent. For the last answer ping waits an interval, or twice
# what others took.
pings_guest() {
	local out
	out=$(ip netns exec b0 ping -c 20 -i 0.1 -W 5 -p 5a "$@" 10.90.0.2)
	tail -n 2 <<<"$out"
	grep -q ' 0% packet loss' <<<"$out"
	fails grep -i 'wrong data' <<<"$out"
}

passes() {
	attach pass
	counts xdp_pass 20 pings_guest -s 1400
	transfer b0 f0 10.90.0.2 100000
	transfer f0 b0 10.90.0.1 100000
}

drops() {
	attach drop
	reach_fails() { fails ip netns exec b0 ping -q -c 5 -i 0.1 -W 1 10.90.0.2; }
	counts xdp_drop 5 reach_fails
	transfer b0 f0 10.90.0.2 100000
}

# With the kernel deaf to pings, so that only the program can have answered.
sends_back() {
	attach tx
	ip netns exec f0 sysctl -q -w net.ipv4.icmp_echo_ignore_all=1
	counts xdp_tx 20 pings_guest -s 64
	counts xdp_tx 20 pings_guest -s 1400
	ip netns exec f0 sysctl -q -w net.ipv4.icmp_echo_ignore_all=0
	[[ $(count net0 xdp_error) == 0 ]]
}

sends_back_bounced() {
	ip netns exec b0 sluicectl dest set loop0 size 0
	sends_back
	ip netns exec b0 sluicectl dest set loop0 size 8M
}

to_the_other_link() {
	local index before after
	attach redirect
	index=$(ip netns exec f0 cat /sys/class/net/net1/ifindex)
	((index < 256))
	before=$(ip netns exec b1 cat /sys/class/net/net0/statistics/rx_packets)
	nobody_answers() {
		fails ip netns exec b0 ping -q -c 20 -i 0.02 -W 1 -s 200 -p "$(printf %02x "$index")" 10.90.0.2
	}
	counts xdp_redirect 20 nobody_answers
	after=$(ip netns exec b1 cat /sys/class/net/net0/statistics/rx_packets)
	echo "at the other end: $before, then $after; sent by net1: $(count net1 xdp_frames)"
	((after >= before + 20 && $(count net1 xdp_frames) >= 20))
}

# Each is a reset of the device: a connection lives through all of them.
comes_and_goes() {
	local pid _
	transfer b0 f0 10.90.0.2 1000000 &
	pid=$!
	for _ in 1 2 3 4 5; do
		attach pass
		ip -n f0 link set dev net0 xdpdrv off
		wait_for 20 carrier f0
	done
	wait "$pid"
}

# Frames of one page only, and whoever asks for more is told.
limits() {
	local out
	ip -n b0 link set net0 mtu 9000
	wait_for 10 ip -n f0 link set net0 mtu 9000
	out=$(ip -n f0 link set dev net0 xdpdrv object "$object" section xdp/pass 2>&1) && return 1
	grep 'XDP needs frames of one page: set the MTU to' <<<"$out"
	ip -n f0 link set net0 mtu 1500
	attach pass
	fails ip -n f0 link set net0 mtu 9000
	reach 0
	ip -n f0 link set dev net0 xdpdrv off
	ip -n f0 link set net0 mtu 9000
	wait_for 20 carrier f0
	reach 0 -s 8000 -M "do"
}

unload_all
ktap_test "two links come up, both in one guest" both_links_in_one_guest
ktap_test "PASS" passes
ktap_test "DROP" drops
ktap_test "TX, from region pages" sends_back
ktap_test "TX, from bounced pages" sends_back_bounced
ktap_test "REDIRECT to another interface" to_the_other_link
ktap_test "a program comes and goes under traffic" comes_and_goes
ktap_test "limits" limits
ktap_test "everything goes away" links_down
ktap_end
