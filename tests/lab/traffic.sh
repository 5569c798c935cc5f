# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Frames get through, both ways, unchanged. Expects client, driver, guest1, guest2.

iperf_moves() {
	local mbits
	mbits=$(iperf "$@" | mbits_of)
	echo "$mbits Mbit/s"
	((mbits > 0))
}

# Every header that a frame can have: sizes around copybreak, MTU and fragments.
ping_sizes() {
	local size
	for size in 0 1 64 128 129 1000 1472 1473 4000 16000; do
		echo "size $size"
		vm client ping -q -c 2 -i 0.2 -W 5 -s $size "$(addr4 "$1")"
		vm "$1" ping -q -c 2 -i 0.2 -W 5 -s $size "$(addr4 client)"
	done
}

copies_as_promised() { # of a guest with sluice_front
	local zero before
	before=$(dest guest1 .stats.from_guest_zerocopy)
	iperf guest1 client -t 2 >/dev/null
	zero=$(dest guest1 .stats.from_guest_zerocopy)
	echo "frames handed to the NIC without a copy: $((zero - before))"
	((zero > before))
}

traffic_scenario() {
	test_case "$1: client and guest1 ping each other" pings client guest1
	test_case "$1: over IPv6 too" pings6 guest1 client
	test_case "$1: pings of many sizes, fragments too" ping_sizes guest1
	test_case "$1: 8 MB over TCP, client to guest1, same md5" sends_tcp client guest1 8000000
	test_case "$1: 8 MB over TCP, guest1 to client, same md5" sends_tcp guest1 client 8000000
	test_case "$1: UDP, client to guest1, every byte right" sends_udp client guest1 2000 1400 500
	test_case "$1: UDP, guest1 to client, every byte right" sends_udp guest1 client 2000 1400 500
	test_case "$1: UDP over IPv6, fragmented" sends_udp client guest1 100 8000 50 "$(addr6 guest1)"
	test_case "$1: guest1 and guest2 ping each other" pings guest1 guest2
	test_case "$1: 8 MB over TCP, guest1 to guest2, same md5" sends_tcp guest1 guest2 8000000
	test_case "$1: 8 MB over TCP, guest2 to guest1, same md5" sends_tcp guest2 guest1 8000000
	test_case "$1: iperf3, guest1 to client" iperf_moves guest1 client -n 20M
	test_case "$1: iperf3, client to guest1, two streams" iperf_moves guest1 client -R -P 2 -n 20M
}

stock_scenario() { # guest2 runs the kernel's own virtio_net
	test_case "$1: stock virtio_net drives guest2" is_stock guest2
	test_case "$1: stock virtio_net pings the client" pings guest2 client
	test_case "$1: stock virtio_net receives 8 MB, same md5" sends_tcp client guest2 8000000
	test_case "$1: stock virtio_net sends 8 MB, same md5" sends_tcp guest2 client 8000000
	test_case "$1: stock virtio_net, UDP both ways" udp_both guest2
}

is_stock() {
	vm "$1" ethtool -i sl0 | grep '^driver: virtio_net$'
}

udp_both() {
	sends_udp client "$1" 1000 1400 300
	sends_udp "$1" client 1000 1400 300
}
