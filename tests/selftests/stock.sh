#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The kernel's own virtio_net over our transport: what a user may do to it while
# it is in use. Nobody here wrote that driver, so it is the conformance test.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

vdev() {
	basename /sys/devices/sluice_loopback/loop0-frontend/*/virtio*
}

in_f0() {
	ip netns exec f0 "$@"
}

rings() {
	local max n
	max=$(in_f0 ethtool -g net0 | awk '/^RX:/ { print $2; exit }')
	# one pair has 1 MiB of control segment
	[[ $max == 128 ]]
	for n in 64 32 $max; do
		in_f0 ethtool -G net0 rx "$n" tx "$n"
		reach 0
	done
	fails in_f0 ethtool -G net0 rx $((2 * max))
	reach 0
}

channels() {
	local n
	in_f0 ethtool -l net0 | grep -q 'Combined:.*4'
	for n in 4 1 3; do
		in_f0 ethtool -L net0 combined $n
		reach 0
		transfer b0 f0 10.90.0.2 30000
	done
	fails in_f0 ethtool -L net0 combined 5
}

offloads() {
	in_f0 ethtool -k net0 | grep -q '^tcp-segmentation-offload: on'
	in_f0 ethtool -k net0 | grep -q '^rx-checksumming: on'
	in_f0 ethtool -K net0 tso off tx off
	transfer f0 b0 10.90.0.1 30000
	in_f0 ethtool -K net0 tx on tso on
	transfer f0 b0 10.90.0.1 30000
}

# New virtqueues each time, while the other side keeps sending.
down_up() {
	local pid
	ip netns exec b0 ping -q -i 0.01 10.90.0.2 &
	pid=$!
	for _ in 1 2 3; do
		ip -n f0 link set net0 down
		ip -n f0 link set net0 up
	done
	wait_for 10 carrier f0
	reach 0
	kill $pid
	wait $pid || true
}

unbind_bind() {
	local dev pid
	dev=$(vdev)
	ip netns exec b0 ping -q -i 0.01 10.90.0.2 &
	pid=$!
	for _ in 1 2; do
		echo "$dev" >/sys/bus/virtio/drivers/virtio_net/unbind
		echo "$dev" >/sys/bus/virtio/drivers/virtio_net/bind
		end_up 0 frontend
		wait_for 20 carrier f0
		reach 0
	done
	kill $pid
	wait $pid || true
}

# by way of bash: busybox's timeout would run its own ip
at_once() {
	# shellcheck disable=SC2016 # for the inner shell
	timeout $((5 * patience)) bash -c '"$@"' - "$@"
}

# The interface outlives the backend, with its addresses and routes.
backend_again() {
	local before
	ip -n f0 route add 10.91.0.0/24 via 10.90.0.1
	before=$(in_f0 cat /sys/class/net/net0/ifindex)
	for _ in 1 2; do
		unload sluice_back
		wait_for 20 no_carrier
		# nothing blocks meanwhile
		at_once ip -n f0 link set net0 down
		at_once ip -n f0 link set net0 up
		at_once ip netns exec f0 ethtool -G net0 rx 64
		at_once ip netns exec f0 ethtool -G net0 rx 128
		ip -n f0 route replace 10.91.0.0/24 via 10.90.0.1
		modprobe sluice_back
		end_up 0 backend
		wait_for 20 carrier f0
		reach 0
	done
	[[ $(in_f0 cat /sys/class/net/net0/ifindex) == "$before" ]]
	ip -n f0 route show | grep -q 10.91.0.0/24
	ip -n f0 addr show net0 | grep -q 10.90.0.2/24
}

four_pairs() {
	modprobe virtio_net
	modprobe sluice_loopback links=1 pairs=4
	# shellcheck disable=SC2086,SC2154 # options
	modprobe sluice_back $back_options
	# shellcheck disable=SC2086,SC2154 # options
	modprobe sluice_front $front_options
	link_up 0
}

no_carrier() {
	! carrier f0
}

parameter() {
	unload_all
	fails modprobe sluice_front driver=other
	fails modprobe sluice_front driver=
	modprobe sluice_front driver=front
	[[ $(cat /sys/module/sluice_front/parameters/driver) == front ]]
	unload_all
}

front_options="driver=virtio_net"
unload_all
ktap_test "link comes up" links_up 1
ktap_test "it is virtio_net" test -e "/sys/bus/virtio/drivers/virtio_net/$(vdev)"
ktap_test "both ways" reach 0
ktap_test "ring sizes" rings
ktap_test "offloads off and on" offloads
ktap_test "down and up under traffic" down_up
ktap_test "unbind and bind under traffic" unbind_bind
ktap_test "backend goes and comes" backend_again
ktap_test "connections outlive three backends" outlives_backends 3
ktap_test "everything goes away" links_down
back_options="pairs=4"
ktap_test "a link of four pairs" four_pairs
ktap_test "channels" channels
ktap_test "connections over four pairs outlive three backends" outlives_backends 3
ktap_test "everything goes away" links_down
ktap_test "only known drivers are taken" parameter
ktap_end
