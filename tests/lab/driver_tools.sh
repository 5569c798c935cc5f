# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The usual tools of the driver domain work on a destination's netdev.

sees_in_tcpdump() {
	local dump
	vm driver sh -c 'timeout 60 tcpdump -nn -c 4 -i sl-guest1 icmp 2>/tmp/tcpdump.err' &
	dump=$!
	wait_for 20 vm driver grep -q 'listening on' /tmp/tcpdump.err
	pings client guest1
	wait $dump
}

blocks_with_nft() {
	vm driver nft add table bridge lab
	vm driver nft 'add chain bridge lab f { type filter hook forward priority 0; }'
	vm driver nft add rule bridge lab f oifname sl-guest1 icmp type echo-request counter drop
	if one_ping client guest1; then
		return 1
	fi
	pings client guest2
	vm driver nft list table bridge lab
	vm driver nft delete table bridge lab
	pings client guest1
}

shapes_with_tc() {
	local mbits
	vm driver tc qdisc replace dev sl-guest1 root tbf rate 4mbit burst 32k latency 200ms
	mbits=$(iperf guest1 client -R -n 2M | mbits_of)
	vm driver tc -s qdisc show dev sl-guest1
	vm driver tc qdisc del dev sl-guest1 root
	echo "$mbits Mbit/s through a 4 Mbit/s shaper"
	# All came, so it lets through; how slowly is no matter where the machine stood still.
	((mbits <= 6))
}

bridge_learns() {
	pings client guest1
	vm driver bridge fdb show br br0 | grep -i '52:54:00:53:01:0b dev sl-guest1'
}

ethtool_works() {
	vm driver ethtool -i sl-guest1 | grep '^driver: sluice'
	vm driver ethtool -k sl-guest1 >/dev/null
	vm driver ip -s link show sl-guest1
	vm guest1 ethtool -i sl0 | grep '^driver: sluice_front'
	vm guest1 ethtool -S sl0 | grep rx_region
	vm guest1 ethtool -g sl0
	vm guest1 ethtool -l sl0
	vm guest1 ethtool -k sl0 | grep 'tcp-segmentation-offload: on'
}

offloads_off() {
	vm guest1 ethtool -K sl0 tso off gso off gro off tx off sg off
	sends_tcp guest1 client 2000000
	sends_tcp client guest1 2000000
	vm guest1 ethtool -K sl0 sg on tx on tso on gso on gro on
	sends_tcp guest1 client 2000000
}

ring_resize() {
	vm guest1 ethtool -G sl0 rx 64 tx 64
	sends_tcp client guest1 1000000
	vm guest1 ethtool -G sl0 rx 256 tx 256
	sends_tcp guest1 client 1000000
}

mtu_changes() {
	local m
	for m in 68 576 9000 1500; do
		vm driver ip link set sl-guest1 mtu $m
		vm guest1 ip link set sl0 mtu $m
		# IPv6 leaves an interface with less than 1280.
		vm guest1 ip addr replace "$(addr6 guest1)/64" dev sl0 nodad 2>/dev/null || ((m < 1280))
		vm guest1 ping -q -c 2 -i 0.2 -W 5 -s 20 "$(addr4 client)"
	done
	sends_tcp client guest1 1000000
}

link_flaps() {
	for _ in 1 2 3; do
		vm guest1 ip link set sl0 down
		vm guest1 ip link set sl0 up
		vm driver ip link set sl-guest1 down
		vm driver ip link set sl-guest1 up
		wait_for 20 one_ping client guest1
	done
}

tools_scenario() {
	test_case "$1: tcpdump on sl-guest1 sees the frames" sees_in_tcpdump
	test_case "$1: nft drops what it is told to, for that guest only" blocks_with_nft
	test_case "$1: tc shapes what goes to a guest" shapes_with_tc
	test_case "$1: the bridge learns the guest's address" bridge_learns
	test_case "$1: ethtool on both ends" ethtool_works
	test_case "$1: all offloads off and on again" offloads_off
	test_case "$1: rings of another size" ring_resize
	test_case "$1: MTU 68 to 9000" mtu_changes
	test_case "$1: links go down and up" link_flaps
}
