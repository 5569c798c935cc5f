#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Which received frames stay in the region, and which are copied because more of them
# than their payload would be looked at while the peer can write it (sluice/headers.h): in
# the guest, and in the driver domain.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
datagrams=20
tunnel=$(mktemp)

udp_listening() { # udp_listening NETNS PORT
	ip netns exec "$1" ss -Hlun "sport = :$2" | grep -q UNCONN
}

all_there() {
	[[ $(stat -c %s "$1") == $((datagrams * $2)) ]]
}

# udp FROM TO ADDRESS BYTES: datagrams with the right content
udp() {
	local dir receiver
	dir=$(mktemp -d)
	head -c $((datagrams * $4)) /dev/urandom >"$dir/sent"
	ip netns exec "$2" socat -u UDP-RECV:5000 "CREATE:$dir/received" &
	receiver=$!
	wait_for 20 udp_listening "$2" 5000
	ip netns exec "$1" socat -u -b "$4" "OPEN:$dir/sent" "UDP:$3:5000"
	wait_for 20 all_there "$dir/received" "$4"
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

# lends MIN MAX COMMAND...: it makes the driver domain lend so many frames of the guest to
# whoever is next, here its own stack, which makes a copy when it sees that
lends() {
	local min=$1 max=$2 before by
	before=$(lent)
	shift 2
	"$@"
	by=$(($(lent) - before))
	echo "lent: $by"
	((by >= min && by <= max))
}

lent() {
	ip netns exec b0 ethtool -S net0 |
		awk '$1 == "from_zerocopy:" || $1 == "from_orphaned:" { n += $2 } END { print n + 0 }'
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
	copies "$datagrams" "$datagrams" udp b0 f0 10.90.0.2 8000
}

# For who wants nothing to change under him.
all_private() {
	fails ip netns exec f0 ethtool --set-tunable net0 rx-copybreak 255
	ip netns exec f0 ethtool --set-tunable net0 rx-copybreak 65535
	[[ $(ip netns exec f0 ethtool --get-tunable net0 rx-copybreak) == *65535 ]]
	copies 5 10000 transfer b0 f0 10.90.0.2 100000
	copies "$datagrams" "$datagrams" udp b0 f0 10.90.0.2 8000
	ip netns exec f0 ethtool --set-tunable net0 rx-copybreak 256
	copies 0 0 transfer b0 f0 10.90.0.2 100000
}

driver_copies_all() {
	fails ip netns exec b0 ethtool --set-tunable net0 rx-copybreak 255
	ip netns exec b0 ethtool --set-tunable net0 rx-copybreak 1400
	lends 0 0 udp f0 b0 10.90.0.1 1300
	lends 5 10000 transfer f0 b0 10.90.0.1 100000
	ip netns exec b0 ethtool --set-tunable net0 rx-copybreak 65535
	[[ $(ip netns exec b0 ethtool --get-tunable net0 rx-copybreak) == *65535 ]]
	lends 0 0 transfer f0 b0 10.90.0.1 100000
	ip netns exec b0 ethtool --set-tunable net0 rx-copybreak 256
	lends "$datagrams" "$datagrams" udp f0 b0 10.90.0.1 1300
}

unload_all
ktap_test "a link comes up" links_up 1
ktap_test "TCP stays where it is" copies 0 0 transfer b0 f0 10.90.0.2 100000
ktap_test "UDP too" copies 0 0 udp b0 f0 10.90.0.2 1400
ktap_test "what is neither is copied" copies 2 10 reach 0 -s 1400
ktap_test "a tunnel over UDP comes" tunnel_begins
ktap_test "then UDP is copied" copies "$datagrams" "$datagrams" udp b0 f0 10.90.0.2 1400
ktap_test "in frames of several pages as well" jumbo
ktap_test "and TCP is not" copies 0 0 transfer b0 f0 10.90.0.2 100000
ktap_test "the tunnel goes" tunnel_ends
ktap_test "then UDP stays where it is again" copies 0 0 udp b0 f0 10.90.0.2 1400
ktap_test "ethtool has everything copied" all_private
ktap_test "the driver domain lends TCP" lends 5 10000 transfer f0 b0 10.90.0.1 100000
ktap_test "UDP too" lends "$datagrams" "$datagrams" udp f0 b0 10.90.0.1 1400
ktap_test "and nothing else" lends 0 0 reach 0 -s 1400
ktap_test "ethtool has everything copied there, too" driver_copies_all
ktap_test "everything goes away" links_down
rm "$tunnel"
ktap_end
