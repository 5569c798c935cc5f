#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# sluicectl and the netlink family: sizes up and down under traffic, every
# kind of bad input, events, JSON, privilege, a missing module, a killed tool.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# A whole JSON value in one line: replace what is a value by V until one V is left.
json_valid() {
	local text before=
	text=$(sed -E 's/"([^"\\]|\\["\\\/bfnrt]|\\u[0-9a-fA-F]{4})*"/S/g; s/-?(0|[1-9][0-9]*)(\.[0-9]+)?/V/g
		s/true|false|null/V/g; s/[ \t]//g' | tr -d '\n')
	while [[ $text != "$before" ]]; do
		before=$text
		text=$(sed -E 's/\{\}|\[\]/V/g; s/\[(V|S)(,(V|S))*\]/V/g
			s/\{S:(V|S)(,S:(V|S))*\}/V/g' <<<"$text")
	done
	[[ $text == V ]] || echo "not JSON: $text" | head -c 400
	[[ $text == V ]]
}

resizing() {
	[[ $(ctl -j dest show loop0 | member resizing) == true ]]
}

not_resizing() {
	[[ $(ctl -j dest show loop0 | member resizing) == false ]]
}

no_module() {
	modprobe sluice_loopback
	says 3 "sluice_back is not loaded: modprobe sluice_back" sluicectl dest show
	says 3 "sluice_back is not loaded" sluicectl dest set loop0 size 2M
	says 3 "sluice_back is not loaded" sluicectl monitor
	unload_all
}

size_is_kept_for_a_guest() {
	modprobe sluice_loopback links=2 window=64
	modprobe sluice_back
	sluicectl dest set loop0 size 4M 2>&1 | grep "no guest uses loop0 now"
	sluicectl -j dest show loop0 | grep '"state":"waiting".*"requested_bytes":4194304,"plugged_bytes":0'
	modprobe sluice_front
	link_up 0
	link_up 1
	wait_for 10 plugged_is 4194304
}

up_and_down() {
	local size bytes
	for size in 16M 0 64M 8192K 6291456; do
		ctl dest set loop0 size $size
		case $size in
		*M) bytes=$((${size%M} << 20)) ;;
		*K) bytes=$((${size%K} << 10)) ;;
		*) bytes=$size ;;
		esac
		plugged_is $bytes
		reach 0
	done
}

drops() {
	ctl -js dest show loop0 | grep -o '"drop_[a-z_]*":[0-9]*' |
		awk -F: '{ n += $2 } END { print n }'
}

# Whose counters say why.
lost_frames() {
	ctl -s dest show loop0
	ip netns exec b0 ethtool -S net0 | grep -v ': 0$'
	ip netns exec f0 ethtool -S net0 | grep -v -e ': 0$' -e queue_
	ip -n f0 -s link show net0
}

# 50 frames a second for the whole time, none lost, and a file arrives whole.
under_traffic() {
	local before after size ping stream missing
	before=$(drops)
	ip netns exec f0 ping -i 0.02 10.90.0.1 >/tmp/ping &
	ping=$!
	transfer f0 b0 10.90.0.1 300000 >/tmp/transfer 2>&1 &
	stream=$!
	for size in 16M 0 32M 2M 64M 8M; do
		ctl dest set loop0 size $size
		plugged_is $((${size%M} << 20))
	done
	kill -INT $ping
	wait $ping || true
	wait $stream || cat /tmp/transfer
	wait $stream
	after=$(drops)
	missing=$(pings_missing /tmp/ping)
	if [[ $before != "$after" || $missing ]]; then
		lost_frames
		tail -n 3 /tmp/ping
		echo "drops before: $before, after: $after; pings not answered:" $missing
		return 1
	fi
}

# others are not touched
only_that_one() {
	local before after
	before=$(ip netns exec b1 sluicectl dest show loop1 | head -n 1)
	ctl dest set loop0 size 12M
	after=$(ip netns exec b1 sluicectl dest show loop1 | head -n 1)
	[[ $before == "$after" ]]
	says 2 "no destination" ctl dest show loop1
	[[ $(ctl -j dest show | grep -o '"name"' | wc -l) == 1 ]]
}

bad_input() {
	refused 1 "must not be negative" dest set loop0 size -2M
	refused 1 "unknown unit" dest set loop0 size 2X
	refused 1 "unknown unit" dest set loop0 size 2MB
	refused 1 "must begin with a digit" dest set loop0 size lots
	refused 1 "too big" dest set loop0 size 99999999999999999999
	refused 1 "multiple of the segment, 2M: use 2M or 4M" dest set loop0 size 3M
	refused 2 "at most 64M" dest set loop0 size 66M
	refused 2 "at most 64M" dest set loop0 size 1T
	refused 2 "no destination" dest set nobody size 2M
	refused 1 "unknown unit" dest set loop0 drain-timeout 1h
	refused 1 "between 10ms and 10m" dest set loop0 drain-timeout 11m
	refused 1 "between 10ms and 10m" dest set loop0 drain-timeout 0ms
	refused 1 "too" dest set loop0 drain-timeout 99999999999m
	refused 1 "waits for nothing" dest set loop0 size 2M timeout 0s
	refused 1 "above the ceiling" dest set loop0 auto min 64M max 2M
	refused 1 "a number from 1 to 1000" dest set loop0 auto min 2M max 4M weight 0
	refused 2 "no multiple of 2M" dest set loop0 auto min 1M max 1M
	refused 2 "does not fit into the window" dest set loop0 auto min 66M max 70M
	refused 2 "not sized automatically" dest set loop0 auto off
	refused 2 "is not quiesced" dest resume loop0
	refused 2 "no interface nothere" dest set loop0 port nothere
	refused 2 "no device that does DMA" dest set loop0 port lo
	# nothing of a message that is refused in part
	refused 2 "at most 64M" dest set loop0 drain-timeout 1s size 66M
	refused 2 "no interface nothere" dest set loop0 drain-timeout 1s port nothere
}

unprivileged() {
	# a user namespace of its own: root there, nobody here
	says 3 "needs CAP_NET_ADMIN: run as root" ctl_as_nobody dest set loop0 size 2M
	ctl_as_nobody -j dest show loop0 | json_valid
}

ctl_as_nobody() {
	ip netns exec b0 unshare -U sluicectl "$@"
}

# A guest that does not answer for a while holds the resize up.
command_during_resize() {
	ctl dest set loop0 size 16M drain-timeout 1m
	echo 60000 >/sys/module/sluice/parameters/peer_timeout_ms
	echo 1 >"$debugfs"/sluice/loop0-frontend/silent
	says 4 "not done after 300ms; the resize goes on" ctl dest set loop0 size 2M timeout 300ms
	resizing
	says 2 "a resize of loop0 to 2M is under way" ctl dest set loop0 size 8M
	says 2 "a resize of loop0 to 2M is under way" ctl dest set loop0 size 2M nowait
	resizing
}

# ... and when it answers again, the resize ends as it was asked for.
guest_answers_again() {
	echo 0 >"$debugfs"/sluice/loop0-frontend/silent
	wait_for 20 plugged_is 2097152
	wait_for 20 not_resizing
	wait_for 20 carrier b0
	wait_for 20 carrier f0
	reach 0
}

killed_tool() {
	local n pid
	for n in 1 2 3; do
		ctl dest set loop0 size 0
		ip netns exec b0 sluicectl dest set loop0 size 32M &
		pid=$!
		# before, while and after it asks
		case $n in
		1) ;;
		2) wait_for 5 asked 33554432 ;;
		*) wait_for 5 moved ;;
		esac
		kill -KILL $pid 2>/dev/null || true
		wait $pid || true
		wait_for 20 not_resizing
		# asked for or not, never half
		plugged_is "$(ctl -j dest show loop0 | member requested_bytes)"
		reach 0
	done
	ctl dest set loop0 size 8M
	plugged_is 8388608
}

asked() {
	[[ $(ctl -j dest show loop0 | member requested_bytes) == "$1" ]]
}

moved() {
	[[ $(ctl -j dest show loop0 | member plugged_bytes) != 0 ]]
}

json() {
	local words
	ctl dest set loop0 size 8M
	for words in "-j dest show" "-js dest show" "-js dest show loop0" "-jsp dest show loop0" \
		"-j port show" "-j plan"; do
		echo "$words"
		# shellcheck disable=SC2086 # words
		ctl $words | json_valid
	done
	[[ $(ctl -js dest show loop0 | grep -o '"state":"active"' | wc -l) == 4 ]]
	[[ $(ctl -j dest show loop0 | member segment_bytes) == 2097152 ]]
}

counters() {
	local before after
	before=$(ctl -js dest show loop0 | member from_guest_frames)
	reach 0 -s 1000
	after=$(ctl -js dest show loop0 | member from_guest_frames)
	((after >= before + 4))
}

events() {
	local pid log
	log=$(mktemp)
	ip netns exec b0 sluicectl -j monitor >"$log" &
	pid=$!
	wait_for 10 hears "$log"
	ctl dest set loop0 size 10M
	wait_for 10 grep -q '"event":"resize-done".*"plugged_bytes":10485760' "$log"
	unload sluice_front
	wait_for 10 grep -q '"event":"session-down"' "$log"
	modprobe sluice_front
	end_up 0 frontend
	wait_for 20 grep -q '"event":"session-up"' "$log"
	wait_for 20 carrier f0
	kill $pid
	wait $pid || true
	cat "$log"
	while IFS= read -r line; do
		json_valid <<<"$line"
	done <"$log"
}

# the monitor has joined: something that it must tell is told
hears() {
	ctl dest set loop0 size 2M
	ctl dest set loop0 size 4M
	[[ -s $1 ]]
}

drain_timeout() {
	ctl dest set loop0 drain-timeout 2500ms
	[[ $(ctl -j dest show loop0 | member drain_timeout_ms) == 2500 ]]
	ctl dest show loop0 | grep "drain-timeout 2500ms"
}

by_netdev() {
	ctl -j dest show dev net0 | grep '"name":"loop0"'
	ctl dest set dev net0 size 6M
	plugged_is 6291456
	says 2 "no network interface 'nothere'" ctl dest set dev nothere size 2M
}

stock_driver() {
	front_options="driver=virtio_net"
	links_down
	links_up 1
	says 2 "bounce memory only" ctl dest set loop0 size 8M
	[[ $(ctl -j dest show loop0 | member limit_bytes) == 0 ]]
	[[ $(ctl -j dest show loop0 | member limit_reason) == *"bounce memory only"* ]]
	ctl dest set loop0 size 0
	reach 0
	front_options=
}

unload_all
ktap_test "without the module" no_module
ktap_test "a size set before the guest comes" size_is_kept_for_a_guest
ktap_test "sizes up and down" up_and_down
ktap_test "resize under traffic loses nothing" under_traffic
ktap_test "the other destination is not touched, nor seen" only_that_one
ktap_test "bad input changes nothing" bad_input
ktap_test "no privilege" unprivileged
ktap_test "a command during a resize" command_during_resize
ktap_test "the resize goes on when the guest answers again" guest_answers_again
ktap_test "the tool is killed in the middle" killed_tool
ktap_test "JSON" json
ktap_test "counters count" counters
ktap_test "events" events
ktap_test "drain timeout" drain_timeout
ktap_test "a destination by its interface" by_netdev
ktap_test "stock virtio_net has no region to resize" stock_driver
ktap_test "everything goes away" links_down
ktap_end
