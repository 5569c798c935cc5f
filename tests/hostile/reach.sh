# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A card that does not reach the regions: nic1 is an e1000, which has 32 address bits, and
# the regions lie above 4 GiB. Here it takes nic0's place on the bridge.

reach_count() { # reach_count STATISTIC [DESTINATION]
	dest "${2:-guest1}" ".stats.$1"
}

# And not the other, which would answer for the bridge, whose address it has. Frames that
# are on the wire meanwhile are lost, so no other guest is watched here.
bridge_card() { # bridge_card CARD
	! vm client pidof beside || share_end
	vm driver sh -c "ip link set nic0 nomaster down; ip link set nic1 nomaster down
		ip link set $1 up master br0"
	# What the other card sent last comes in here, from the hub that both are on, and the bridge
	# believes that guest1 is out there until it hears from it.
	wait_for 20 one_ping guest1 client
	wait_for 20 one_ping client guest1
}

# One error that says what to do, and nothing has changed.
port_refused() {
	local text status=0 before
	resized 8M 8388608
	[[ $(dest guest1 .port) == nic0 ]]
	vm driver sluicectl -j port show nic1 | json '.[0].dma_mask == "0xffffffff"'
	before=$(dest guest1 '[.segments[].epoch] | tostring')
	text=$(vm driver sluicectl dest set guest1 port nic1 size 2M 2>&1) || status=$?
	echo "$text"
	((status == 2))
	[[ $text =~ segment\ 0:\ bus\ address\ 0x[0-9a-f]{9,}\ above\ the\ NIC\'s\ 32-bit\ DMA\ mask\;\ take\ a\ NIC ]]
	[[ $(dest guest1 .port) == nic0 && $(dest guest1 .requested_bytes) == 8388608 ]]
	[[ $(dest guest1 '[.segments[].epoch] | tostring') == "$before" ]]
	(($(reach_count bounce_constraint) == 0))
}

copied_for_reach() {
	local copied lent
	mark_logs
	vm driver sluicectl dest set guest1 port none
	said driver "32-bit DMA mask .nic1.; frames in it are copied first"
	bridge_card nic1
	copied=$(reach_count bounce_constraint)
	lent=$(reach_count from_guest_zerocopy)
	sends_tcp guest1 client 1000000
	echo "copied for the card: $copied, then $(reach_count bounce_constraint)"
	(($(reach_count bounce_constraint) > copied && $(reach_count from_guest_zerocopy) == lent))

	# bounce slots are out of reach as well, and so is what is added now
	resized 0 0
	copied=$(reach_count bounce_constraint)
	pings guest1 client -s 1200 -c 3
	(($(reach_count bounce_constraint) > copied))
	resized 8M 8388608
	copied=$(reach_count bounce_constraint)
	pings guest1 client -s 1200 -c 3
	(($(reach_count bounce_constraint) > copied && $(reach_count from_guest_zerocopy) == lent))
	(($(reach_count bounce_constraint guest2) == 0))
}

lent_again() {
	local copied lent
	bridge_card nic0
	vm driver sluicectl dest set guest1 port nic0
	copied=$(reach_count bounce_constraint)
	lent=$(reach_count from_guest_zerocopy)
	sends_tcp guest1 client 1000000
	(($(reach_count bounce_constraint) == copied && $(reach_count from_guest_zerocopy) > lent))

	# nor does a card hinder anybody that is not there any more
	# shellcheck disable=SC2016 # for the shell in the VM
	vm driver sh -c 'dev=$(readlink -f /sys/class/net/nic1/device) &&
		echo "${dev##*/}" >/sys/bus/pci/drivers/e1000/unbind'
	vm driver sluicectl dest set guest1 port none
	pings guest1 client -s 1200 -c 3
	(($(reach_count bounce_constraint) == copied))
}
