# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # lab and lab_name are lib.sh's
#
# Either side may come first, go and come back; the other goes on and nobody reloads
# a module by hand.

guest_dies() {
	"$lab" stop --name "$lab_name" guest2
	wait_for 30 has_carrier driver sl-guest2 0
	pings client guest1
	"$lab" start --name "$lab_name" guest2
	wait_for 60 one_ping client guest2
	pings client guest2
	sends_tcp client guest2 2000000
}

# Guests run first and find no backend; then the driver domain boots.
driver_reboots() {
	"$lab" stop --name "$lab_name" driver
	wait_for 30 has_carrier guest1 sl0 0
	wait_for 30 has_carrier guest2 sl0 0
	"$lab" start --name "$lab_name" driver
	wait_for 60 has_carrier guest1 sl0 1
	wait_for 60 one_ping client guest1
	wait_for 60 one_ping client guest2
	pings client guest1
	pings guest1 guest2
	sends_tcp client guest1 2000000
	sends_tcp guest2 client 2000000
}

backend_reloads() {
	vm driver rmmod sluice_back
	wait_for 30 has_carrier guest1 sl0 0
	vm driver modprobe sluice_back
	wait_for 60 has_carrier guest1 sl0 1
	wait_for 60 one_ping client guest1
	sends_tcp client guest1 2000000
}

frontend_reloads() {
	vm guest1 rmmod sluice_front
	wait_for 30 has_carrier driver sl-guest1 0
	vm guest1 modprobe sluice_front
	wait_for 60 one_ping client guest1
	sends_tcp guest1 client 2000000
}

# Pages of the region lie in a socket nobody reads while the module goes.
frontend_leaves_with_pages_held() {
	vm guest1 sh -c 'rm -f /tmp/fifo; mkfifo /tmp/fifo
		setsid sleep 600 </tmp/fifo >/dev/null 2>&1 &
		setsid socat -u TCP-LISTEN:5556,reuseaddr OPEN:/tmp/fifo,wronly >/dev/null 2>&1 </dev/null &'
	wait_for 20 listens guest1 t 5556
	vm client timeout 5 socat -u OPEN:/dev/zero "TCP:$(addr4 guest1):5556" || true
	timeout 60 "$lab" exec --name "$lab_name" guest1 -- rmmod sluice_front </dev/null
	vm guest1 sh -c 'killall socat sleep; true'
	vm guest1 modprobe sluice_front
	wait_for 60 one_ping client guest1
	pings client guest1
}

restart_scenario() {
	test_case "$1: a guest dies and comes back, the other does not notice" guest_dies
	test_case "$1: the driver domain reboots, guests find it again" driver_reboots
	test_case "$1: sluice_back is unloaded and loaded" backend_reloads
	test_case "$1: sluice_front is unloaded and loaded" frontend_reloads
	test_case "$1: sluice_front leaves while a socket holds its pages" frontend_leaves_with_pages_held
	test_case "$1: and traffic still flows" sends_tcp client guest1 4000000
}
