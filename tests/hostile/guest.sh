# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A guest that lies to the driver domain: in the virtqueues (rings.c) and about its segments.
# Each lie is named in "dest show", and costs the guest its session.
# shellcheck disable=SC2154 # pages_ring and pages_ring_bytes are pages.sh's

guest_segment=0x200000

# named REASON ATTACK...: the driver domain says why. Once the guest itself sends, it writes
# its own index over the false one: the lie may need another try.
named() {
	local reason=$1 try
	shift
	for try in 1 2 3 4 5 6; do
		recovers
		wait_for 20 not_resizing
		echo "lie: $*"
		"$@"
		if within 3 reason_is "$reason"; then
			recovers
			return
		fi
		echo "try $try: the driver domain does not say '$reason': $(dest guest1 '.state, .broken_reason')"
	done
	return 1
}

# Queue 1 is the one from which the driver domain takes frames.
guest_lies_in_ring() {
	local last=$((ring_num - 1)) retired=$((4 * guest_segment + 0x1000)) mac
	mac=$(vm guest1 cat /sys/class/net/sl0/address)
	named 'avail index jumped' lie 1 ahead 0x8000
	named 'head outside of the descriptor table' lie 1 chain 0xffff 0 0 $guest_segment 100 1
	named 'next descriptor outside of the table' lie 1 chain $last 1 0xffff $guest_segment 100 1
	named 'descriptor chain loops' lie 1 chain $last 1 $last $guest_segment 100 1
	named 'descriptor outside of the region' lie 1 chain $last 0 0 0xfffffffffffffff0 100 1
	named 'descriptor outside of the region' lie 1 chain $last 0 0 $((guest_segment - 50)) 0xffffffff 1
	named 'descriptor of zero bytes' lie 1 chain $last 0 0 $guest_segment 0 1
	named 'indirect descriptor' lie 1 chain $last 4 0 $guest_segment 64 1
	named 'transmit buffer that the device may write' lie 1 chain $last 2 0 $guest_segment 100 1
	named 'head is in flight already' lie 1 frame "$mac" $((guest_segment + 0x1ff000)) 2

	# memory that it had until a moment ago
	resized 2M 2097152
	named 'descriptor outside of the region' lie 1 chain $last 0 0 $retired 1500 1
	resized 8M 8388608
}

drops_bad_more() { # drops_bad_more THAN
	(($(dest guest1 .stats.drop_bad_frame) > $1))
}

comes_from_guest1() { # comes_from_guest1 BYTES SINCE
	(($(dest guest1 .stats.from_guest_bytes) >= $1 + $2))
}

# lie_until SECONDS CONDITION... -- VERB ...: once the guest itself sends, it writes its own index
# over the false one, so the lie may need another try
lie_until() {
	local condition=() seconds=$1 try
	shift
	while [[ $1 != -- ]]; do
		condition+=("$1")
		shift
	done
	shift
	for try in 1 2 3 4 5 6; do
		recovers
		echo "try $try: $*"
		lie 1 "$@"
		if within "$seconds" "${condition[@]}"; then
			recovers
			return
		fi
	done
	return 1
}

# One frame that is to become thousands is dropped. What becomes hundreds is cut, and nobody
# else has less of the driver domain for it (beside). The descriptor was none of guest1's
# driver, which says so and begins again.
guest_floods_in_segments() {
	local mac before at=$((guest_segment + 0x1f0000))
	mac=$(vm guest1 cat /sys/class/net/sl0/address)
	before=$(dest guest1 .stats.drop_bad_frame)
	lie_until 3 drops_bad_more "$before" -- flood "$mac" "$at" 60000 8
	lie_until 3 drops_bad_more "$((before + 1))" -- flood "$mac" "$at" 60000 0
	before=$(dest guest1 .stats.from_guest_bytes)
	lie_until 3 comes_from_guest1 60000 "$before" -- flood "$mac" "$at" 60000 64
}

says_retired() { # says_retired SLOT EPOCH
	poke message $(($(page_at front) + pages_ring)) "$pages_ring_bytes" \
		"$(side_word front msg_prod)" 0x82 "$1" "$2"
}

epoch_of() { # epoch_of SLOT
	dest guest1 ".segments[] | select(.slot == $1) | .epoch"
}

retiring_slot() {
	dest guest1 '[.segments[] | select(.state == "retiring")][0].slot'
}

# A socket that nobody reads keeps the guest from giving a segment back.
says_wrong_epoch() {
	local socket slot
	resized 8M 8388608
	socket=$(vm guest1 sh -c 'socat -u UDP-RECV:5558 OPEN:/dev/null >/dev/null 2>&1 </dev/null & echo $!')
	wait_for 20 listens guest1 u 5558
	vm guest1 kill -STOP "$socket"
	vm client sh -c "head -c 300000 /dev/zero | socat -u -b 1400 - UDP:$(addr4 guest1):5558"
	vm driver sluicectl dest set guest1 size 0 nowait
	wait_for 5 retiring_slot
	slot=$(retiring_slot)
	says_retired "$slot" $(($(epoch_of "$slot") + 1))
	vm guest1 kill -KILL "$socket"
}

guest_lies_about_segments() {
	local reason='SEGMENT_RETIRED for a segment that does not retire'
	resized 8M 8388608
	named "$reason" says_retired 1 "$(epoch_of 1)"
	named "$reason" says_retired 0 1
	named "$reason" says_retired 0xffffffff 1
	named "$reason" says_wrong_epoch
	resized 8M 8388608
}
