# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The control segment: the page of either side, the bounce slots, and all of it at once.
# shellcheck disable=SC2154 # attacker is run's

# Where things are in it, from include/uapi/linux/sluice_shm.h
pages_side=0x40		# in either page
pages_mapped=0x3000	# struct sluice_shm_ivshmem
pages_ring=0x800
pages_ring_bytes=2048

page_at() { # page_at back|front
	[[ $1 == front ]] && echo 0x1000 || echo 0
}

side_word() { # side_word back|front WORD
	local at
	case $2 in
	generation) at=0 ;;
	echo) at=4 ;;
	doorbell) at=12 ;;
	msg_prod) at=16 ;;
	msg_cons) at=20 ;;
	esac
	echo $(($(page_at "$1") + pages_side + at))
}

# Why there is no session, as either side says it until there is one: for a second at
# least. A log has no more than three of these lines a minute.
tells() { # tells driver|guest1 TEXT
	if [[ $1 == driver ]]; then
		reason_is "$2"
	else
		vm guest1 sh -c 'cat /sys/kernel/debug/sluice/*/state' | grep "^last reason: $2"
	fi
}

# page_refused AT BYTES VALUE VM REASON: a word of a page is wrong while the next session
# begins. The owner says its page again four times a second, so the attacker must insist,
# and may be too late once.
page_refused() {
	local try
	echo "$1 is $3"
	attack set "$1" "$2" "$3" 180000
	for try in 1 2 3 4 5 6; do
		poke set "$(side_word front generation)" 4 0xdeadbeef 100
		if within 4 tells "$4" "$5"; then
			let_off
			recovers
			return
		fi
		echo "try $try: $4 does not mind"
	done
	return 1
}

# struct sluice_shm_header
header_refused() {
	page_refused 0 4 0x12345678 guest1 'no sluice header in this memory'
	said guest1 'no session: no sluice header in this memory'
	page_refused 4 2 2 guest1 'backend speaks another ABI version'
	said guest1 'the backend speaks ABI 2, this module ABI 1'
	page_refused 8 2 68 guest1 'wrong header size'
	page_refused 12 4 1024 guest1 'window larger than the memory that is there'
	page_refused 20 4 0x7ff000 guest1 'control slots do not match its size'
	page_refused 24 2 0 guest1 'impossible number of queue pairs'
}

frontend_refused() {
	page_refused "$(page_at front)" 2 7 driver 'the frontend speaks another ABI'
	said driver 'the frontend speaks ABI 7, this module ABI 1'
	[[ $(dest guest1 .state) == up ]]
}

# The attack is over before the next session begins; until then, for a second, the victim says
# what ended the last one.
prod_provokes() { # prod_provokes back|front VICTIM COUNT REASON
	local at try
	at=$(side_word "$1" msg_prod)
	# on a busy machine the owner is often first to say its index again
	for try in 1 2 3 4 5 6 7 8; do
		attack set "$at" 4 $(($(poke get "$at" 4) + $3)) 300
		if within 5 tells "$2" "$4"; then
			let_off
			recovers
			return
		fi
		echo "try $try: $2 does not say '$4'"
		let_off
		recovers
	done
	return 1
}

# attack_page back|front VICTIM
attack_page() {
	local page=$1 victim=$2 at sessions
	echo "msg_prod jumps"
	prod_provokes "$page" "$victim" 1000 "msg_prod jumped by more than the ring"

	for at in generation echo; do
		echo "$at is garbage"
		sessions=$(dest guest1 .session_count)
		poke set "$(side_word "$page" $at)" 4 0xdeadbeef 300
		wait_for 30 more_sessions "$sessions"
		recovers
	done

	echo "random messages"
	poke fill $(($(page_at "$page") + pages_ring)) $pages_ring_bytes 42 0
	prod_provokes "$page" "$victim" 7 "message "
}

# Read when the victim sends: the driver domain sends as a segment is taken away.
cons_garbage() {
	resized 8M 8388608
	attack set "$(side_word front msg_cons)" 4 0x80000000 180000
	vm driver sluicectl dest set guest1 size 0 nowait
	# as long as it goes on, each session ends that way: the user can read why
	wait_for 30 tells driver "msg_cons is nonsense"
	let_off
	recovers
	resized 8M 8388608
}

# 1000 times a second one ring full of messages, each of them right.
message_flood() { # message_flood back|front
	poke flood $(($(page_at "$1") + pages_ring)) $pages_ring_bytes "$(side_word "$1" msg_prod)" 2000
	recovers
}

# Frames in the control segment while all of them go through it.
bounce_garbage() {
	resized 0 0
	traffic_both_ways 20
	poke flip 0x20000 0x40000 1 1000 200
	recovers
	traffic_ends
	resized 8M 8388608
}

# Every byte, again and again: both pages, the region server's and the provider's, the
# virtqueues, the bounce slots. No session lasts while it goes on.
control_garbage() {
	local bytes limit
	bytes=$(dest guest1 .control_bytes)
	limit=$(dest guest1 .limit_bytes)
	[[ $(dest guest1 .state) == up ]]
	((bytes >= 262144))
	traffic_both_ways 20
	attack fill 0 "$bytes" 7 180000
	# Broken, or refused when it wanted a new session: that is how it goes on, again and again.
	# In between a session may stand for a moment, so state and reason come from one look.
	wait_for 30 is_down_for_a_reason
	pings client driver -c 2
	let_off
	recovers
	[[ $(dest guest1 .state) == up ]]
	traffic_ends
	# the region server's words too are said again
	wait_for 20 limit_is "$limit"
}

is_down_for_a_reason() {
	dest guest1 'select(.state != "up") | .broken_reason // ""' | grep .
}

limit_is() {
	[[ $(dest guest1 .limit_bytes) == "$1" ]]
}

control_is_well() {
	resized 0 0
	# its map in the provider page says that it has all slots in use; with no segment that
	# comes or goes it would not be written again by itself
	poke set $pages_mapped 4 0xffffffff 0
	wait_for 30 resized 8M 8388608
	sends_tcp client guest1 1000000
}
