# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Emptying a region for who must unmap it, a size that looks after itself, and a host that
# stands still.
# shellcheck disable=SC2154 # sluice_build and lab_name are run's

# Under load: nothing is lost, the host has all memory back but for the control segment,
# and a reload of the guest's driver does not fill it again.
quiesced_and_resumed() {
	local load
	resized 16M 16777216
	sends_tcp client guest1 8000000 &
	load=$!
	vm driver sluicectl dest quiesce guest1
	[[ $(dest guest1 .quiesce) == quiesced ]]
	[[ $(dest guest1 '.segments | length') == 0 ]]
	wait_for 15 uses_at_most guest1 1048576
	wait $load
	vm guest1 rmmod sluice_front
	wait_for 30 has_carrier driver sl-guest1 0
	vm guest1 modprobe sluice_front
	wait_for 60 one_ping client guest1
	plugged_is 0
	uses_at_most guest1 1048576

	vm driver sluicectl dest resume guest1
	wait_for 15 plugged_is 16777216
	sends_tcp guest1 client 2000000
}

# The guest does not read, its socket takes one page after the other.
burst_arrives() {
	vm client sh -c 'head -c 1000000 /dev/zero | socat -u -b 1400 - UDP:'"$(addr4 guest1)"':5558'
	(($(dest guest1 .plugged_bytes) > 2097152))
}

sized_by_itself() {
	local socket
	resized 0 0
	vm driver sluicectl dest set guest1 auto min 2M max 8M
	wait_for 15 plugged_is 2097152
	socket=$(vm guest1 sh -c 'socat -u UDP-RECV:5558 OPEN:/dev/null >/dev/null 2>&1 </dev/null & echo $!')
	wait_for 20 listens guest1 u 5558
	vm guest1 kill -STOP "$socket"
	wait_for 60 burst_arrives
	dest guest1 .auto_reason
	[[ $(dest guest1 .auto_reason) == *"frames/s bounced"* ]]
	vm guest1 kill -KILL "$socket"
	wait_for 60 plugged_is 2097152
	[[ $(dest guest1 .auto_reason) == *"to 2M: quiet for"* ]]
	vm driver sluicectl dest set guest1 auto off size 8M
	plugged_is 8388608
}

lent_frames_wait() { # in the card's queue
	vm driver sh -c "tc -s qdisc show dev nic0 | grep 'backlog .* [1-9][0-9]*p'" &&
		(($(dest guest1 '[.segments[].pages_out] | add') > 0))
}

held_by_frames() {
	[[ $(dest guest1 '[.segments[] | select(.state == "quarantined") | .holder] | join(" ")') == \
		*"frames on their way out"* ]]
}

quarantined_bytes_are() {
	[[ $(dest guest1 .quarantined_bytes) == "$1" ]]
}

# Frames of guest1 that were lent to the card wait in its qdisc, 11 s each if nobody ends that:
# their segment is waited for, then put into quarantine, and free once they are on the wire.
queued_frames_are_waited_for() {
	local sent
	resized 8M 8388608
	vm driver sluicectl dest set guest1 drain-timeout 1s
	trap 'vm driver tc qdisc del dev nic0 root' EXIT
	vm driver tc qdisc replace dev nic0 root tbf rate 1kbit burst 3k limit 1m
	sends_udp guest1 client 30 1400 100 &
	sent=$!
	wait_for 20 lent_frames_wait
	set_size 0
	plugged_is 0
	wait_for 10 held_by_frames || {
		vm driver sluicectl -s dest show guest1
		return 1
	}
	(($(dest guest1 .quarantined_bytes) > 0))
	vm driver tc qdisc change dev nic0 root tbf rate 1gbit burst 100k limit 1m
	wait $sent
	wait_for 20 quarantined_bytes_are 0
	nothing_leaves
	vm driver sluicectl dest set guest1 drain-timeout 10s
	resized 8M 8388608
}

received_above() { # received_above VM FRAMES
	(($(vm "$1" cat /sys/class/net/sl0/statistics/rx_packets) > $2))
}

# The host is suspended, or without time for any of them: longer than peer_timeout_ms, all
# at once. Nobody takes anybody for dead, and nothing that was under way is lost.
all_stand_still() {
	local sessions frames load pids
	mapfile -t pids < <(cat "$sluice_build/lab/$lab_name"/*/pid \
		"$sluice_build/lab/$lab_name/regiond.pid" <(region_server) | cut -d' ' -f1)
	sessions=$(dest guest1 .session_count)
	frames=$(vm guest1 cat /sys/class/net/sl0/statistics/rx_packets)
	sends_udp client guest1 2000 1400 200 &
	load=$!
	wait_for 20 received_above guest1 $((frames + 100))
	kill -STOP "${pids[@]}"
	sleep 9
	kill -CONT "${pids[@]}"
	wait $load
	echo "sessions: $sessions before, $(dest guest1 .session_count) after"
	[[ $(dest guest1 .session_count) == "$sessions" ]]
}

life_scenario() { # life_scenario KERNEL
	test_case "$1: quiesce gives everything back, resume fills the region again" quiesced_and_resumed
	test_case "$1: frames in a card's queue are waited for, and none is lost" queued_frames_are_waited_for
	test_case "$1: the region grows with a burst and shrinks after it" sized_by_itself
	test_case "$1: all stand still for longer than a peer may, and nothing is lost" all_stand_still
}
