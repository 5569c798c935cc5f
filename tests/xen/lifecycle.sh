# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # lab and lab_name are lib.sh's
#
# Domains and modules come and go under load. Expects the leg pv.

# Grants, memory and nodes that a guest which is gone must not leave behind.
nodes_now() {
	vm dom0 xenstore-ls -f | grep -c '/sluice'
}

guest_again() { # guest_again ROUNDS: destroyed under load and made again
	local i before after
	before=$(nodes_now)
	for ((i = 1; i <= $1; i++)); do
		vm client sh -c 'ping -q -f -c 20000 -w 60 10.77.0.11 >/dev/null 2>&1 &'
		"$lab" stop --name "$lab_name" guest1
		wait_for 30 gone_in driver sl-guest1
		"$lab" start --name "$lab_name" guest1
		wait_for 90 one_ping client guest1
		after=$(nodes_now)
		echo "round $i: $after nodes, $before before"
		vm driver sluicectl -j -s dest show guest1 | json '.[0].quarantined_bytes'
		((after <= before))
	done
	"$lab" push --name "$lab_name" guest1 "$sluice_build/check/udpcheck" /usr/bin/udpcheck
	pings client guest1
}

# xenbus holds the module of a device that is bound, as those of Xen's own drivers.
unbind_and_rmmod() { # unbind_and_rmmod VM xen|xen-backend
	# shellcheck disable=SC2016 # for the shell in the VM
	vm "$1" sh -c 'for d in /sys/bus/$1/drivers/*/sluice-*; do
			echo "${d##*/}" >"${d%/*}/unbind"
		done; rmmod sluice_xen' sh "$2"
}

frontend_reloaded() {
	vm guest1 sh -c 'rmmod sluice_front && modprobe sluice_front'
	wait_for 60 one_ping client guest1
	vm guest1 rmmod sluice_front
	unbind_and_rmmod guest1 xen
	vm guest1 modprobe -a sluice_xen sluice_front
	wait_for 60 one_ping client guest1
	pings client guest1
}

backend_reloaded() {
	vm driver sh -c 'rmmod sluice_back && modprobe sluice_back'
	wait_for 60 one_ping client guest1
	vm driver rmmod sluice_back
	unbind_and_rmmod driver xen-backend
	vm driver modprobe -a sluice_xen sluice_back
	wait_for 60 one_ping client guest1
	pings client guest1
}

driver_again() {
	"$lab" stop --name "$lab_name" driver
	wait_for 30 gone_or_down guest1 sl0
	"$lab" start --name "$lab_name" driver
	wait_for 120 one_ping client guest1
	wait_for 60 one_ping client guest2
	pings client guest1
}

gone_or_down() {
	gone_in "$1" "$2" || has_carrier "$1" "$2" 0
}

# The guest owns its folder: what it writes there hurts nobody else.
# shellcheck disable=SC2034 # folders sets both
guest_writes_nonsense() {
	local node value fe be
	folders
	for node in state life peer-life event-channel-0 event-channel-1; do
		for value in 99 -1 4294967296 x ''; do
			vm guest1 xenstore-write "$fe/$node" "$value"
		done
		vm guest1 xenstore-rm "$fe/$node"
		pings client guest2
	done
	vm dom0 sluicectl xen list
	vm dom0 sluicectl xen detach --frontend guest1
	vm dom0 sluicectl xen attach --backend driver --frontend guest1 --mac 52:54:00:53:01:0b \
		--max-size 62M --size 8M
	wait_for 60 one_ping client guest1
}

lifecycle_scenario() {
	test_case "$1: guest1 destroyed and made again, $2 times under load" guest_again "$2"
	test_case "$1: frontend modules unloaded and loaded" frontend_reloaded
	test_case "$1: backend modules unloaded and loaded" backend_reloaded
	test_case "$1: nonsense in the guest's nodes" guest_writes_nonsense
	test_case "$1: the driver domain destroyed and made again" driver_again
}
