# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A driver domain that writes into the virtqueues of guest1 (rings.c). Run with either
# driver in the guest: both stand on the transport's shadow virtqueue.
# shellcheck disable=SC2154 # sluice_build is common.sh's

rings_build() {
	gcc -O2 -Wall -Wextra -Werror -o "$sluice_build/check/rings" "$here/rings.c"
}

# Descriptors of a queue of guest1: the most, and as it is.
ring_sizes() {
	vm guest1 ethtool -g sl0 | awk '/^RX:/ { n[i++] = $2 } END { print n[0], n[1] }'
}

# lie INDEX VERB ...: in virtqueue INDEX of guest1; 0 receives, 1 transmits
lie() {
	local index=$1 max num
	shift
	read -r max num < <(ring_sizes)
	"$sluice_build/check/rings" "$(region_of guest1)" "$index" "$max" "$num" "$@"
}

# Chains that never end, in the tables that the guest has written and the backend has
# read: what is in flight is finished all the same, and the guest sees nothing of it. The backend may
# come across one that it has not read; then that session ends, by the backend.
tables_loop() {
	local i answers
	for i in 1 2 3; do
		recovers
		lie 0 loop
		lie 1 loop
		answers=$(vm client ping -q -c 60 -i 0.05 -W 5 -s 2000 "$(addr4 guest1)" |
			sed -n 's/.* \([0-9]*\) received.*/\1/p' || true)
		echo "round $i: $answers answers of 60"
		((answers >= 20))
	done
	recovers
	! said guest1 'broke the protocol'
}

# How often guest1's core has broken with its peer. The log has each reason too, but no more
# than three in a minute; which check finds which lie is tests/unit's matter.
times_broken() {
	vm guest1 sh -c 'cat /sys/kernel/debug/sluice/*/state' |
		sed -n 's/^sessions: .* \([0-9]*\) broken by the peer$/\1/p'
}

broken_more() { # broken_more THAN
	(($(times_broken) > $1))
}

# lies INDEX VERB ...: guest1 must notice, and come back. Its backend may publish the next
# index over ours before the guest has looked, so the lie may need another try.
lies() {
	local try before
	recovers
	for try in 1 2 3; do
		before=$(times_broken)
		echo "lie: $*"
		lie "$@"
		if wait_for 5 broken_more "$before"; then
			recovers
			return
		fi
		echo "try $try: guest1 has not noticed"
	done
	return 1
}

used_ring_lies() {
	lies 0 used 4096 0 1
	lies 0 used 0xffffffff 1 1
	lies 0 used posted 64 2
	lies 0 used posted 0xffffffff 1
	lies 0 jump 0x8000
	lies 1 used 4096 0 1
	lies 1 used posted 0 1
	lies 1 jump 0x8000
	said guest1 'the backend broke the protocol: (receive|transmit) queue 0: used '
}

# The whole ring, descriptors too, while both sides are busy with it.
rings_garbage() {
	local index seed
	mark_logs
	for seed in 1 2 3; do
		for index in 0 1; do
			echo "queue $index, seed $seed"
			traffic_both_ways 20
			lie $index garbage 300 $seed
			recovers
		done
	done
	traffic_ends
	said driver 'broke the protocol' || said guest1 'broke the protocol'
}

rings_scenario() { # rings_scenario DRIVER
	test_case "$1: endless chains in the tables do nothing to guest1" beside tables_loop
	test_case "$1: lies in the used rings are named by guest1" beside used_ring_lies
	if [[ $1 == virtio_net ]]; then
		test_skip "$1: garbage in whole rings under traffic" \
			"the kernel's driver may crash when a session ends while it sends (threat-model.md)"
		return
	fi
	test_case "$1: garbage in whole rings under traffic" beside rings_garbage
}
