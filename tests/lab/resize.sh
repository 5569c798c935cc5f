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

# The whole window can be used only when no page of an earlier life is out.
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
	local load size before after
	before=$(dest guest1 '[.stats | to_entries[] | select(.key | startswith("drop_")) | .value] | add')
	sends_udp "$1" "$2" 6000 1200 300 &
	load=$!
	for size in 16M 2M 0 32M 4M 0 62M 8M; do
		[[ $size != 62M ]] || wait_for 30 nothing_leaves
		resized $size "$(number_of_bytes $size)"
	done
	wait $load
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

tool_killed() {
	for _ in 1 2 3; do
		# shellcheck disable=SC2016 # for the shell in the VM
		vm driver sh -c 'sluicectl dest set guest1 size 32M & sleep 0.02; kill -9 $! 2>/dev/null; sluicectl dest set guest1 size 2M & sleep 0.05; kill -9 $! 2>/dev/null; wait' || true
	done
	resized 8M 8388608
	pings client guest1
}

resize_scenario() {
	test_case "$1: from 0 to 32M and back, traffic at each" all_sizes
	test_case "$1: UDP to the guest while resizing, none lost" udp_while_resizing client guest1
	test_case "$1: UDP from the guest while resizing, none lost" udp_while_resizing guest1 client
	test_case "$1: TCP to the guest while resizing, same md5" tcp_while_resizing client guest1
	test_case "$1: TCP from the guest while resizing, same md5" tcp_while_resizing guest1 client
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
