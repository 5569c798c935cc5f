# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A NIC that does not reach the regions: this lab's is an e1000, which has 32 address
# bits, and the regions lie above 4 GiB. The user is told, and traffic goes on, copied.

reach_count() { # reach_count STATISTIC [DESTINATION]
	dest "${2:-guest1}" ".stats.$1"
}

beyond_reach() {
	local text copied lent
	resized 8M 8388608
	vm driver sluicectl -j port show nic0 | json '.[0].dma_mask == "0xffffffff"'
	copied=$(reach_count bounce_constraint)

	text=$(vm driver sluicectl dest set guest1 port nic0 2>&1)
	echo "$text"
	[[ $text == *"segment "*"above the NIC's 32-bit DMA mask; frames in it"*"are copied first"* ]]
	[[ $(dest guest1 .port) == nic0 ]]
	[[ $(dest guest1 .plugged_bytes) == 8388608 ]]
	(($(reach_count refused_segments) >= 4))

	lent=$(reach_count from_guest_zerocopy)
	sends_tcp guest1 client 2000000
	sends_tcp client guest1 2000000
	text=$(reach_count bounce_constraint)
	echo "frames copied for the NIC: $copied, then $text; lent: $lent, then $(reach_count from_guest_zerocopy)"
	((text > copied && $(reach_count from_guest_zerocopy) == lent))
	(($(reach_count bounce_constraint guest2) == 0))

	# bounce slots are out of reach as well, and so is what is added now
	resized 0 0
	copied=$(reach_count bounce_constraint)
	sends_tcp guest1 client 500000
	(($(reach_count bounce_constraint) > copied))
	mark_logs
	resized 8M 8388608
	wait_for 5 said driver "32-bit DMA mask; frames in it are copied first"
}

within_reach_again() {
	local copied lent
	vm driver sluicectl dest set guest1 port none
	copied=$(reach_count bounce_constraint)
	lent=$(reach_count from_guest_zerocopy)
	sends_tcp guest1 client 2000000
	(($(reach_count bounce_constraint) == copied && $(reach_count from_guest_zerocopy) > lent))
}
