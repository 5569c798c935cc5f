# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Regions change their size under traffic and nothing is lost; nonsense is refused
# with a text and changes nothing.

set_size() {
	vm driver sluicectl dest set guest1 size "$1"
}

plugged_is() {
	[[ $(dest guest1 .plugged_bytes) == "$1" ]]
}

resized() { # resized SIZE BYTES
	set_size "$1"
	wait_for 15 plugged_is "$2" || {
		vm driver sluicectl -s dest show guest1
		return 1
	}
}

nothing_leaves() {
	[[ $(dest guest1 '[.segments[] | select(.state != "active")] | length') == 0 ]]
}

all_sizes() {
	local size
	for size in 16M 2M 0 32M 8M; do
		resized $size "$(number_of_bytes $size)"
		pings client guest1
	done
}

# Numbered datagrams in one direction while the size goes up and down.
udp_while_resizing() { # udp_while_resizing FROM TO
	local load size before after rounds=0
	before=$(dest guest1 '[.stats | to_entries[] | select(.key | startswith("drop_")) | .value] | add')
	sends_udp "$1" "$2" 3600 1200 300 &
	load=$!
	while kill -0 $load 2>/dev/null; do
		for size in 16M 2M 0 32M 4M 0 62M 8M; do
			resized $size "$(number_of_bytes $size)"
		done
		rounds=$((rounds + 1))
	done
	wait $load
	echo "$rounds times all sizes"
	after=$(dest guest1 '[.stats | to_entries[] | select(.key | startswith("drop_")) | .value] | add')
	echo "dropped by the backend: before $before, after $after"
	((before == after))
}

tcp_while_resizing() { # tcp_while_resizing FROM TO: as fast as it goes
	local load size
	sends_tcp "$1" "$2" 40000000 &
	load=$!
	for size in 16M 2M 0 32M 0 8M; do
		resized $size "$(number_of_bytes $size)"
	done
	wait $load
}

reassembling() { # reassembling sockstat FRAG: how many datagrams wait for the rest
	# shellcheck disable=SC2016 # for awk
	(($(vm guest1 awk -v what="$2:" '$1 == what { print $3 }' "/proc/net/$1") > 0))
}

copied_fragments() {
	vm guest1 ethtool -S sl0 | awk '$1 == "rx_copied:" { print $2 }'
}

# How long guest1 waits for the rest of a datagram.
fragments_wait() { # fragments_wait SECONDS-IPV4 SECONDS-IPV6
	vm guest1 sysctl -q -w net.ipv4.ipfrag_time="$1" net.ipv6.ip6frag_time="$2"
}

# Datagrams of which the last fragment never comes: the guest waits two minutes for it
# (by default 30 s, which a machine that stands still may use up), the backend 10 s for a segment.
fragments_hold_nothing() {
	local before quarantined family
	resized 8M 8388608
	quarantined=$(dest guest1 .stats.quarantined)
	before=$(copied_fragments)
	fragments_wait 120 120
	vm driver nft add table bridge lab
	vm driver nft 'add chain bridge lab f { type filter hook forward priority 0; }'
	vm driver nft add rule bridge lab f oifname sl-guest1 ip frag-off '& 0x1fff != 0' \
		ip frag-off '& 0x2000 == 0' counter drop
	vm driver nft add rule bridge lab f oifname sl-guest1 frag more-fragments 0 counter drop
	for family in 4 6; do
		vm client ping -q -c 10 -i 0.1 -W 1 -s 4000 "$(addr$family guest1)" || true
	done
	vm driver nft list table bridge lab
	vm driver nft delete table bridge lab
	reassembling sockstat FRAG
	reassembling sockstat6 FRAG6
	echo "fragments copied: $before, then $(copied_fragments)"
	(($(copied_fragments) >= before + 30))

	resized 0 0
	wait_for 5 nothing_leaves
	(($(dest guest1 .stats.quarantined) == quarantined))
	fragments_wait 30 60
	resized 8M 8388608
}

other_untouched() {
	local before after
	before=$(dest guest2 '[.segments[].epoch] | tostring')
	resized 0 0
	resized 8M 8388608
	after=$(dest guest2 '[.segments[].epoch] | tostring')
	echo "guest2's segments: $before, $after"
	[[ $before == "$after" ]]
}

refused() { # refused WHAT: with a text, and nothing changes
	local text before after
	before=$(dest guest1 .requested_bytes)
	if text=$(vm driver sluicectl dest set guest1 size "$1" 2>&1); then
		echo "size $1 was accepted: $text"
		return 1
	fi
	after=$(dest guest1 .requested_bytes)
	echo "$text"
	[[ $text && $before == "$after" ]]
}

refused_name() {
	local text
	if text=$(vm driver sluicectl dest set guest77 size 8M 2>&1); then
		return 1
	fi
	echo "$text"
	[[ $text == *guest77* ]]
}

unprivileged() {
	local text
	if text=$(vm driver sh -c 'chmod 755 /root; su -s /usr/sbin/bash nobody -c "sluicectl dest set guest1 size 4M"' 2>&1); then
		return 1
	fi
	echo "$text"
	[[ $text == *[Pp]ermi* || $text == *root* || $text == *CAP_NET_ADMIN* ]]
}

not_resizing() {
	[[ $(dest guest1 .resizing) == false ]]
}

tool_killed() {
	for _ in 1 2 3; do
		# shellcheck disable=SC2016 # for the shell in the VM
		vm driver sh -c 'sluicectl dest set guest1 size 32M & sleep 0.02; kill -9 $! 2>/dev/null; sluicectl dest set guest1 size 2M & sleep 0.05; kill -9 $! 2>/dev/null; wait' || true
	done
	# what it began goes on without it, and a second command has to wait
	wait_for 15 not_resizing
	resized 8M 8388608
	pings client guest1
}

resize_scenario() {
	test_case "$1: from 0 to 32M and back, traffic at each" all_sizes
	test_case "$1: UDP to the guest while resizing, none lost" udp_while_resizing client guest1
	test_case "$1: UDP from the guest while resizing, none lost" udp_while_resizing guest1 client
	test_case "$1: TCP to the guest while resizing, same md5" tcp_while_resizing client guest1
	test_case "$1: TCP from the guest while resizing, same md5" tcp_while_resizing guest1 client
	test_case "$1: fragments that never get whole don't hold a segment" fragments_hold_nothing
	test_case "$1: guest2's segments don't move when guest1 is resized" other_untouched
}

refusal_scenario() {
	local bad
	for bad in -1 -2M 5X 1e9 "" 1000G 64M 99999999999999999999 8Mb; do
		test_case "$1: size '$bad' is refused with a text" refused "$bad"
	done
	test_case "$1: a destination that does not exist is named" refused_name
	test_case "$1: a user without privilege is told so" unprivileged
	test_case "$1: the tool killed in the middle of a resize harms nothing" tool_killed
}
