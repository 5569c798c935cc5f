# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A driver domain that writes into the virtqueues of guest1 (rings.c). Run with either
# driver in the guest: both stand on the transport's shadow virtqueue.
# shellcheck disable=SC2154 # sluice_build is common.sh's, memory is run's

# Descriptors of a queue of guest1: the most, and as it is.
ring_sizes() {
	vm guest1 ethtool -g sl0 | awk '/^RX:/ { n[i++] = $2 } END { print n[0], n[1] }'
}

# lie INDEX VERB ...: in virtqueue INDEX of guest1; 0 receives, 1 transmits
lie() {
	local index=$1
	shift
	"$sluice_build/check/rings" "$memory" "$index" "$ring_max" "$ring_num" "$@"
}

answers_come() {
	local answers
	answers=$(vm client ping -q -c 100 -i 0.05 -W 3 -s 2000 "$(addr4 guest1)" |
		sed -n 's/.* \([0-9]*\) received.*/\1/p' || true)
	echo "$answers answers of 100"
	((answers >= 15))
}

# Chains that never end, in the tables that the guest has written and the backend has
# read: what is in flight is finished all the same, and the guest sees nothing of it. The backend may
# come across one that it has not read; then that session ends, by the backend, and the next
# begins after a second.
tables_loop() {
	local i
	for i in 1 2; do
		recovers
		lie 0 loop
		lie 1 loop
		echo "round $i"
		# for a slow machine that second is long
		answers_come || answers_come || answers_come
	done
	recovers
	! said guest1 'broke the protocol'
}

# How often guest1's core has broken with its peer. The log has each reason too, but no more
# than three in a minute; which check finds which lie is tests/unit's matter.
guest1_broken() {
	state=$(vm guest1 sh -c 'cat /sys/kernel/debug/sluice/*/state')
	broken=$(sed -n 's/^sessions: .* \([0-9]*\) broken by the peer$/\1/p' <<<"$state")
}

broken_more() { # broken_more THAN
	guest1_broken
	((broken > $1)) || return 1
	# gone when the next session has begun
	grep '^last reason' <<<"$state" || true
	[[ $state != *'queue 0: used '* ]] || named=$((named + 1))
}

# lies INDEX VERB ...: guest1 must notice, and come back. Its backend may publish the next
# index over ours before the guest has looked, so the lie may need another try.
lies() {
	local try before
	recovers
	for try in 1 2 3 4 5 6; do
		guest1_broken
		before=$broken
		echo "lie: $*"
		lie "$@"
		if within 5 broken_more "$before"; then
			return
		fi
		echo "try $try: guest1 has not noticed"
	done
	return 1
}

used_ring_lies() { # used_ring_lies DRIVER
	local state broken named=0
	lies 0 used 4096 0 1
	lies 0 used posted 64 2
	lies 0 used posted 0xffffffff 1
	lies 1 jump 0x8000
	# the checks are the same ones for either driver
	if [[ $1 == front ]]; then
		lies 0 used 0xffffffff 1 1
		lies 0 jump 0x8000
		lies 1 used posted 0 1
	fi
	lies 1 used 4096 0 1
	((named)) || said guest1 'queue [01]: used '
}

# The whole ring, descriptors too, while both sides are busy with it.
rings_garbage() {
	local index seed sessions
	sessions=$(dest guest1 .session_count)
	for index in 0 1; do
		seed=$((index + 1))
		echo "queue $index, seed $seed"
		traffic_both_ways 20
		lie $index garbage 300 $seed
		recovers
	done
	traffic_ends
	more_sessions "$sessions"
}

rings_scenario() { # rings_scenario DRIVER
	read -r ring_max ring_num < <(ring_sizes)
	test_case "$1: endless chains in the tables do nothing to guest1" beside tables_loop
	test_case "$1: lies in the used rings are named by guest1" beside used_ring_lies "$1"
	test_case "$1: garbage in whole rings under traffic" beside rings_garbage
}
