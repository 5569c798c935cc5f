#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The life of segments: who holds one, quarantine and its end, emptying a region, sizes
# that follow the load, and a budget for several.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

back=/sys/module/sluice_back/parameters

quiesce_is() {
	[[ $(ctl -j dest show loop0 | member quiesce) == "\"$1\"" ]]
}

# slots STATE: of the segments in it
slots() {
	ctl -js dest show loop0 | grep -o '{"slot":[0-9]*,"state":"'"$1"'"' |
		grep -o '[0-9][0-9]*' | sort -n
}

some_are() { # some_are STATE
	[[ $(slots "$1") ]]
}

none_are() {
	[[ ! $(slots "$1") ]]
}

quarantined() {
	ctl -j dest show loop0 | member quarantined_bytes
}

nothing_quarantined() {
	[[ $(quarantined) == 0 ]]
}

monitor_to() { # monitor_to FILE: in the background, $monitor
	ip netns exec b0 sluicectl -j monitor >"$1" &
	monitor=$!
	wait_for 20 heard "$1"
}

heard() {
	ctl dest set loop0 size 2M
	ctl dest set loop0 size 4M
	[[ -s $1 ]]
}

monitor_ends() {
	kill "$monitor"
	wait "$monitor" || true
}

udp_bound() {
	ip netns exec "$1" ss -Hlun "sport = :$2" | grep -q .
}

pages_out() {
	ctl -js dest show loop0 | grep -o '"pages_out":[0-9]*' | grep -qv ':0$'
}

# A socket of the guest that nobody reads: datagrams in it lie in the region's pages. (TCP
# would copy them together when it runs short of room.) The first ones may find buffers
# that were posted while there was no region.
hold_pages() {
	local n
	ip netns exec f0 socat -u UDP-RECV:5002 OPEN:/dev/null &
	echo $! >/tmp/holder
	wait_for 20 udp_bound f0 5002
	kill -STOP "$(cat /tmp/holder)"
	for ((n = 0; n < 12; n++)); do
		# shellcheck disable=SC2016 # for the inner shell
		ip netns exec b0 bash -c 'exec 3>/dev/udp/10.90.0.2/5002
			for ((i = 0; i < 50; i++)); do printf %1400s "" >&3; done'
		! pages_out || return 0
	done
	echo "no page of the region is held"
	return 1
}

udp_free() {
	! udp_bound "$@"
}

# Maybe in another test, which is another shell.
let_go() {
	kill -KILL "$(cat /tmp/holder)"
	wait_for 10 udp_free f0 5002
}

all_states_are_told() {
	local log state
	log=$(mktemp)
	monitor_to "$log"
	ctl dest set loop0 size 8M
	ctl dest set loop0 size 0
	for state in allocated validated shared active retiring drained quiesced revoked absent; do
		wait_for 10 grep -q '"event":"segment-state".*"segment_state":"'$state'"' "$log"
	done
	monitor_ends
}

quarantine_names_its_holder() {
	local log held
	log=$(mktemp)
	monitor_to "$log"
	ctl dest set loop0 size 16M drain-timeout 10s
	hold_pages
	ctl dest set loop0 size 0 nowait
	# before its time is over it is on its way, and one can see who is in the way
	wait_for 4 some_are retiring
	ctl -s dest show loop0 | grep "retiring.*held by .*the guest, which has not answered"
	wait_for 30 some_are quarantined
	wait_for 30 none_are retiring
	wait_for 10 grep '"event":"quarantined".*still holds it after 10000 ms' "$log"
	held=$(slots quarantined)
	echo "quarantined: $held"
	(($(quarantined) == $(wc -w <<<"$held") << 21))
	ctl dest show loop0 | grep "segments.* quarantined"
	# traffic goes on, and others are given other memory
	reach 0
	ctl dest set loop0 size 8M
	plugged_is 8388608
	[[ $(slots quarantined) == "$held" ]]
	fails grep -Fx "$held" <<<"$(slots active)"
	reach 0
	monitor_ends
}

quarantine_is_capped() {
	echo 2 >$back/quarantine_max_mb
	says 2 "MiB are in quarantine, .* of them because of this guest" ctl dest set loop0 size 16M
	plugged_is 8388608
	sluicectl budget | grep "quarantined .* of at most 2M"
	echo 256 >$back/quarantine_max_mb
	ctl dest set loop0 size 10M
	plugged_is 10485760
}

quarantine_ends() {
	local log
	log=$(mktemp)
	monitor_to "$log"
	let_go
	wait_for 20 nothing_quarantined
	wait_for 10 grep '"event":"released"' "$log"
	monitor_ends
	ctl dest set loop0 size 64M
	plugged_is 67108864
	ctl dest set loop0 size 4M drain-timeout 10s
}

# The guest's driver goes without an answer while a socket holds pages: the memory stays
# until the socket lets go of it, and no longer.
quarantine_outlives_the_session() {
	ctl dest set loop0 size 16M drain-timeout 100ms
	hold_pages
	ctl dest set loop0 size 0 nowait
	wait_for 30 some_are quarantined
	unload sluice_front
	some_are quarantined
	let_go
	wait_for 20 nothing_quarantined
	modprobe sluice_front
	end_up 0 frontend
	wait_for 20 carrier f0
	ctl dest set loop0 size 4M drain-timeout 10s
	reach 0
}

# The shortest patience there is, under load both ways: nothing is lost, and the guest is
# not taken for a broken one because of what it had posted before.
impatience_breaks_nobody() {
	local n sessions stream
	sessions=$(ctl -j dest show loop0 | member session_count)
	ctl dest set loop0 drain-timeout 10ms
	transfer f0 b0 10.90.0.1 1000000 >/tmp/transfer 2>&1 &
	stream=$!
	for n in 1 2 3; do
		ctl dest set loop0 size 16M timeout 60s
		ctl dest set loop0 size 0 timeout 60s
	done
	wait $stream || cat /tmp/transfer
	wait $stream
	[[ $(ctl -j dest show loop0 | member session_count) == "$sessions" ]]
	ctl dest set loop0 drain-timeout 10s
	wait_for 20 nothing_quarantined
}

quiesce_under_traffic() {
	local ping missing
	ctl dest set loop0 size 16M
	ip netns exec f0 ping -i 0.02 10.90.0.1 >/tmp/ping &
	ping=$!
	ctl dest quiesce loop0
	quiesce_is quiesced
	plugged_is 0
	[[ $(ctl -js dest show loop0) == *'"segments":[]'* ]]
	ctl dest show loop0 | grep "quiesced: traffic goes through the control segment"
	reach 0
	kill -INT $ping
	wait $ping || true
	missing=$(pings_missing /tmp/ping)
	echo "pings not answered: $missing"
	[[ ! $missing ]]
}

quiesced_refuses() {
	refused 2 "loop0 is quiesced already" dest quiesce loop0
	refused 2 "loop0 is quiesced; resume it first" dest set loop0 size 8M
	refused 2 "loop0 is quiesced; resume it first" dest set loop0 size 0 drain-timeout 1s
	quiesce_is quiesced
	plugged_is 0
}

# A guest that comes meanwhile gets no segments.
quiesce_outlives_a_session() {
	unload sluice_front
	modprobe sluice_front
	end_up 0 frontend
	wait_for 20 carrier f0
	reach 0
	plugged_is 0
	quiesce_is quiesced
}

resume_goes_on() {
	ctl dest resume loop0
	wait_for 20 plugged_is 16777216
	quiesce_is running
	refused 2 "loop0 is not quiesced" dest resume loop0
	reach 0
}

# What is held is waited for, and it ends when it comes back.
quiesce_waits() {
	hold_pages
	# long enough for segments that nobody holds: a slow machine named one of those
	says 4 "is held by .*the guest, which has not answered; quiescing goes on" \
		ctl dest quiesce loop0 timeout 3s
	quiesce_is quiescing
	refused 2 "loop0 is quiescing already; the event 'quiesced' tells its end" dest quiesce loop0
	refused 2 "loop0 is quiescing; resume it first" dest set loop0 size 8M
	let_go
	wait_for 30 quiesce_is quiesced
	ctl dest resume loop0
	wait_for 20 plugged_is 16777216
}

size_in_use() {
	ctl -j dest show loop0 | member plugged_bytes
}

larger_than() {
	(($(size_in_use) > $1))
}

# share: percent of the frames that went through bounce, of the last thousand or more
share() {
	local stats frames bounced
	stats=$(ctl -js dest show loop0)
	frames=$(($(member to_guest_frames <<<"$stats") + $(member from_guest_frames <<<"$stats")))
	bounced=$(($(member to_guest_bounce <<<"$stats") + $(member from_guest_bounce <<<"$stats")))
	((frames - last_frames >= 1000)) || return
	bounce_share=$(((bounced - last_bounced) * 100 / (frames - last_frames)))
	last_frames=$frames
	last_bounced=$bounced
}

bounces_less_than() { # bounces_less_than PERCENT
	share && ((bounce_share < $1))
}
last_frames=0
last_bounced=0

sized_automatically() {
	local log load first
	log=$(mktemp)
	monitor_to "$log"
	ctl dest set loop0 size 0
	ctl dest set loop0 auto min 1M max 8M
	ctl dest show loop0 | grep "auto min 2M max 8M weight 1"
	# idle: the floor, and no more
	wait_for 20 plugged_is 2097152
	wait_for 10 grep '"event":"auto".*0M to 2M: floor and ceiling were set' "$log"
	refused 2 "sized automatically; turn that off" dest set loop0 size 8M

	# a burst that nobody reads takes all pages: it follows, until few frames must bounce
	hold_pages
	# shellcheck disable=SC2016 # for the inner shell
	ip netns exec b0 bash -c 'exec 3>/dev/udp/10.90.0.2/5002
		while printf %1400s "" >&3; do :; done' &
	load=$!
	wait_for 40 larger_than 2097152
	wait_for 10 grep '"event":"auto".*frames/s bounced' "$log"
	first=$(sed -n 's/.*frames\/s bounced, \([0-9]*\)% of all.*/\1/p' "$log" | head -n 1)
	wait_for 10 share
	wait_for 60 bounces_less_than "$first"
	echo "through bounce: $first% at first, $bounce_share% at $(size_in_use) bytes"

	# idle again: the memory comes back
	kill $load
	wait $load || true
	let_go
	wait_for 120 plugged_is 2097152
	wait_for 10 grep '"event":"auto".*quiet for' "$log"
	monitor_ends
	grep -o '"text":"[^"]* to [^"]*"' "$log"
	ctl -j dest show loop0 | grep '"auto_reason":"4M to 2M: quiet'
	ctl dest set loop0 auto off size 4M
	plugged_is 4194304
}

requested_is() { # bytes
	[[ $(ctl -j dest show loop0 | member requested_bytes) == "$1" ]]
}

# What comes back after a resume is never above what was allowed meanwhile.
idle_keeps_to_bounds() {
	local log
	log=$(mktemp)
	monitor_to "$log"
	ctl dest set loop0 size 16M
	ctl dest quiesce loop0
	wait_for 10 grep '"event":"quiesced"' "$log"
	: >"$log"
	ctl dest set loop0 auto min 2M max 8M
	requested_is 8388608
	sluicectl budget set 4M
	wait_for 10 requested_is 4194304
	ctl dest resume loop0
	wait_for 20 plugged_is 4194304
	wait_for 10 grep '"event":"resize-done"' "$log"
	monitor_ends
	grep '"event":"auto".*16M to 8M: floor, ceiling and budget, for when it is in use' "$log"
	grep '"event":"auto".*8M to 4M: floor, ceiling and budget, for when it is in use' "$log"
	[[ $(grep -o '"plugged_bytes":[0-9]*' "$log" | cut -d: -f2 | sort -nu | tail -n 1) == 4194304 ]]
	ctl dest set loop0 auto off
	sluicectl budget set none
	ctl dest set loop0 size 4M
}

# A ceiling that was lowered is not a budget that is short, and what grows because the budget
# allows it does not do so for what was the reason of a change before.
says_why_it_changes() {
	local log
	log=$(mktemp)
	monitor_to "$log"
	ctl dest set loop0 size 16M
	# at its floor each time: nothing is quiet enough to change it meanwhile
	ctl dest set loop0 auto min 16M max 32M
	ctl dest set loop0 auto min 8M max 8M
	wait_for 10 grep '"event":"auto".*16M to 8M: it was above the ceiling' "$log"
	ctl dest show loop0 | grep "auto min 8M max 8M .*last 16M to 8M: it was above the ceiling"
	ctl dest set loop0 auto off
	sluicectl budget set 8M
	# not before the other resize has ended
	wait_for 20 ctl dest set loop0 size 16M
	ctl dest set loop0 auto min 8M max 16M
	wait_for 10 grep '"event":"auto".*16M to 8M: the budget is short and shared by weight' "$log"

	# what rests gives up its wish after two seconds, but not while it is quiesced
	ctl dest quiesce loop0
	ctl dest set loop0 auto min 2M max 8M
	sluicectl budget set 4M
	wait_for 10 requested_is 4194304
	sluicectl budget set none
	ctl dest resume loop0
	wait_for 20 grep '"event":"auto".*4M to 8M: the budget has room again' "$log"
	monitor_ends
	grep -o '"text":"[^"]* to [^"]*"' "$log"
	ctl dest set loop0 auto off
	wait_for 20 ctl dest set loop0 size 4M
	plugged_is 4194304
}

budget_is_shared() {
	refused 2 "no multiple of 2M" dest set loop0 auto min 3M max 3M
	sluicectl budget set 16M
	[[ $(sluicectl -j budget | member limit_bytes) == 16777216 ]]
	says 2 "with this floor all floors make 18M, the budget is 16M" \
		ctl dest set loop0 auto min 18M max 32M
	ctl dest set loop0 auto min 8M max 32M weight 3
	says 2 "with this floor all floors make 18M, the budget is 16M" \
		ip netns exec b1 sluicectl dest set loop1 auto min 10M max 32M
	ip netns exec b1 sluicectl dest set loop1 auto min 4M max 32M
	says 2 "a budget of 10M is below the floors, which make 12M: give at least that" \
		sluicectl budget set 10M
	[[ $(sluicectl -j budget | member limit_bytes) == 16777216 ]]
	[[ $(sluicectl -j budget | member floor_bytes) == 12582912 ]]
	[[ $(sluicectl -j budget | member dests) == 2 ]]
	wait_for 20 plugged_is 8388608
	wait_for 60 within_budget
	ctl dest set loop0 auto off
	ip netns exec b1 sluicectl dest set loop1 auto off
	sluicectl budget set none
	[[ $(sluicectl -j budget | member dests) == 0 ]]
	[[ ! $(sluicectl -j budget | member limit_bytes) ]]
}

within_budget() {
	(($(sluicectl -j budget | member used_bytes) <= 16777216))
}

unload_all
ktap_test "links come up" links_up 2 window=64
ktap_test "every state of a segment is an event" all_states_are_told
ktap_test "quarantine names its holder and is not used again" quarantine_names_its_holder
ktap_test "quarantine is capped" quarantine_is_capped
ktap_test "quarantine ends when the pages come back" quarantine_ends
ktap_test "quarantine outlives the session" quarantine_outlives_the_session
ktap_test "the shortest patience breaks nobody" impatience_breaks_nobody
ktap_test "quiesce under traffic" quiesce_under_traffic
ktap_test "a quiesced destination refuses what does not fit" quiesced_refuses
ktap_test "quiesce outlives a session" quiesce_outlives_a_session
ktap_test "resume goes on" resume_goes_on
ktap_test "quiesce waits for what is held" quiesce_waits
ktap_test "the size follows the load" sized_automatically
ktap_test "what is idle keeps to its bounds" idle_keeps_to_bounds
ktap_test "each change of the size says its reason" says_why_it_changes
ktap_test "the budget is shared" budget_is_shared
ktap_test "everything goes away" links_down
ktap_end
