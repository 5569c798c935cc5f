#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Content arrives as it was sent: both ways, with regions of several sizes, with our
# driver and with the kernel's own virtio_net.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

both_ways() {
	transfer b0 f0 10.90.0.2 "$1"
	transfer f0 b0 10.90.0.1 "$1"
}

resized() {
	ip netns exec b0 sluicectl dest set loop0 size "$1"
	both_ways 200000
}

# Grow and shrink while a transfer runs: not a byte is lost.
resize_under_traffic() {
	local pid size
	both_ways 500000 &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		for size in 16M 2M 32M 0 8M; do
			ip netns exec b0 sluicectl dest set loop0 size $size
		done
	done
	wait $pid
}

udp() {
	ip netns exec b0 iperf3 -s -1 -D
	wait_for 10 listening b0 5201
	ip netns exec f0 iperf3 -c 10.90.0.1 -u -b 5M -t 2 -l 1200
}

unload_all
ktap_test "link comes up" links_up 1
if command -v sluicectl >/dev/null; then
	for size in 0 2M 8M 32M; do
		ktap_test "content, region of $size" resized $size
	done
	ktap_test "resize while a transfer runs" resize_under_traffic
else
	ktap_test "content" both_ways 200000
fi
ktap_test "UDP" udp
ktap_test "everything goes away" links_down

front_options="driver=virtio_net"
ktap_test "stock virtio_net comes up" links_up 1
ktap_test "content through stock virtio_net" both_ways 200000
ktap_test "everything goes away" links_down
ktap_end
