#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Which received frames a guest leaves in the region, and which it copies because more of them
# than their payload would be looked at while the peer can write it (frontend/headers.h).
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
datagrams=20
tunnel=$(mktemp)

udp_listening() {
	ip netns exec f0 ss -Hlun "sport = :$1" | grep -q UNCONN
}

all_there() {
	[[ $(stat -c %s "$1") == $((datagrams * $2)) ]]
}

# udp BYTES: datagrams to the guest, with the right content
udp() {
	local dir receiver
	dir=$(mktemp -d)
	head -c $((datagrams * $1)) /dev/urandom >"$dir/sent"
	ip netns exec f0 socat -u UDP-RECV:5000 "CREATE:$dir/received" &
	receiver=$!
	wait_for 20 udp_listening 5000
	ip netns exec b0 socat -u -b "$1" "OPEN:$dir/sent" UDP:10.90.0.2:5000
	wait_for 20 all_there "$dir/received" "$1"
	kill "$receiver"
	cmp "$dir/sent" "$dir/received"
	rm -r "$dir"
}

# copies MIN MAX COMMAND...: it makes the guest copy so many frames
copies() {
	local min=$1 max=$2 before by
	before=$(count net0 rx_copied)
	shift 2
	"$@"
	by=$(($(count net0 rx_copied) - before))
	echo "copied: $by"
	((by >= min && by <= max))
}

# A socket that UDP hands frames to as they are. No driver of a tunnel needs to be here: the option
# for datagrams in one piece (UDP_GRO) is announced in the same way.
tunnel_begins() {
	ip netns exec f0 socat -u UDP:127.0.0.1:9,setsockopt-int=17:104:1 OPEN:/dev/null &
	echo $! >"$tunnel"
	wait_for 20 tunnel_is_there
}

tunnel_is_there() {
	[[ $(ip netns exec f0 ss -Hun state established "dport = :9") ]]
}

tunnel_is_gone() {
	! tunnel_is_there
}

tunnel_ends() {
	kill "$(<"$tunnel")"
	wait_for 20 tunnel_is_gone
}

jumbo() {
	ip -n b0 link set net0 mtu 9000
	ip -n f0 link set net0 mtu 9000
	copies "$datagrams" "$datagrams" udp 8000
}

# For who wants nothing to change under him.
all_private() {
	fails ip netns exec f0 ethtool --set-tunable net0 rx-copybreak 255
	ip netns exec f0 ethtool --set-tunable net0 rx-copybreak 65535
	[[ $(ip netns exec f0 ethtool --get-tunable net0 rx-copybreak) == *65535 ]]
	copies 5 10000 transfer b0 f0 10.90.0.2 100000
	copies "$datagrams" "$datagrams" udp 8000
	ip netns exec f0 ethtool --set-tunable net0 rx-copybreak 256
	copies 0 0 transfer b0 f0 10.90.0.2 100000
}

unload_all
ktap_test "a link comes up" links_up 1
ktap_test "TCP stays where it is" copies 0 0 transfer b0 f0 10.90.0.2 100000
ktap_test "UDP too" copies 0 0 udp 1400
ktap_test "what is neither is copied" copies 2 10 reach 0 -s 1400
ktap_test "a tunnel over UDP comes" tunnel_begins
ktap_test "then UDP is copied" copies "$datagrams" "$datagrams" udp 1400
ktap_test "in frames of several pages as well" jumbo
ktap_test "and TCP is not" copies 0 0 transfer b0 f0 10.90.0.2 100000
ktap_test "the tunnel goes" tunnel_ends
ktap_test "then UDP stays where it is again" copies 0 0 udp 1400
ktap_test "ethtool has everything copied" all_private
ktap_test "everything goes away" links_down
rm "$tunnel"
ktap_end
