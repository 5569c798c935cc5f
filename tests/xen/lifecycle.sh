# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # lab and lab_name are lib.sh's
#
# Domains and modules come and go under load. Expects the leg pv.

nodes_now() {
	vm dom0 xenstore-ls -f | grep -c '/sluice'
}

# Memory of the driver domain that is in use, in KiB.
memory_now() {
	# shellcheck disable=SC2016 # for awk
	vm driver sh -c 'sync; echo 3 >/proc/sys/vm/drop_caches
		awk '"'"'/^MemTotal/ { t = $2 } /^MemFree/ { f = $2 } END { print t - f }'"'"' /proc/meminfo'
}

# Grants, memory and nodes that a guest which is gone must not leave behind.
guest_again() { # guest_again ROUNDS: destroyed under load and made again
	local i nodes grants memory
	nodes=$(nodes_now)
	grants=$(grant driver granted)
	iperf_server guest1
	for ((i = 1; i <= $1; i++)); do
		# shellcheck disable=SC2016 # for the shell in the VM
		vm client sh -c 'ping -q -f -w 60 10.77.0.11 >/dev/null 2>&1 & echo $! >/run/load
			iperf3 -t 60 -c 10.77.0.11 >/dev/null 2>&1 & echo $! >>/run/load'
		"$lab" stop --name "$lab_name" guest1
		wait_for 30 gone_in driver sl-guest1
		wait_for 30 grant_is driver quarantined -eq 0
		"$lab" start --name "$lab_name" guest1
		wait_for 90 one_ping client guest1
		# shellcheck disable=SC2016 # for the shell in the VM
		vm client sh -c 'kill $(cat /run/load) 2>/dev/null; true'
		resized 8M 8388608
		iperf_server guest1
		# what the first round leaves in caches is not counted
		((i > 1)) || memory=$(memory_now)
		echo "round $i: $(nodes_now) nodes of $nodes, $(grant driver granted) grants of $grants, $(memory_now) KiB of $memory"
		(($(nodes_now) <= nodes))
		grant_is driver granted -le "$grants"
	done
	# one segment is 2 MiB
	(($(memory_now) < memory + 2048))
	push_programs guest1
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

backend_life() {
	local be fe
	folders
	vm dom0 xenstore-read "$be/life"
}

backend_reloaded() {
	local life
	life=$(backend_life)
	vm driver sh -c 'rmmod sluice_back && modprobe sluice_back'
	wait_for 60 one_ping client guest1
	# the same control segment
	[[ $(backend_life) == "$life" ]]
	vm driver rmmod sluice_back
	unbind_and_rmmod driver xen-backend
	vm driver modprobe -a sluice_xen sluice_back
	wait_for 60 one_ping client guest1
	pings client guest1
}

driver_again() {
	local g
	"$lab" stop --name "$lab_name" driver
	wait_for 30 gone_or_down guest1 sl0
	"$lab" start --name "$lab_name" driver
	wait_for 120 one_ping client guest1
	wait_for 60 one_ping client guest2
	for g in guest1 guest2; do
		vm driver sluicectl dest set $g size 8M
	done
	pings client guest1
}

# The guest owns its folder: what it writes there hurts nobody else.
# shellcheck disable=SC2034 # folders sets both
guest_writes_nonsense() {
	local node value fe be
	folders
	for node in state life peer-life event-channel-0 event-channel-1; do
		for value in 99 -1 4294967296 x ''; do
			vm guest1 xenstore-write -- "$fe/$node" "$value"
		done
		vm guest1 xenstore-rm "$fe/$node"
		pings client guest2
	done
	vm dom0 sluicectl xen list
	attached_anew
}

# What a toolstack does for a guest that it has just made or restored.
attach_guest1() {
	vm dom0 sluicectl xen attach --backend driver --frontend guest1 --mac 52:54:00:53:01:0b \
		--max-size 62M --size 8M
}

attached_anew() {
	vm dom0 sluicectl xen detach --frontend guest1
	attach_guest1
	wait_for 60 one_ping client guest1
}

guest_refuses() {
	[[ $(vm guest1 xenstore-read "$1/error" 2>/dev/null) ]]
}

# A driver domain whose kernel has let go of the device, and which offers what it likes by hand: the
# guest refuses it and says why, the other guest does not notice, and an honest backend has
# the guest back. The last reference is good, but granted to guest2.
driver_writes_nonsense() {
	local life=70 what node value others fe be device
	folders guest2
	others=$(vm dom0 xenstore-read "$be/ctrl-ref0")
	folders
	device=sluice-$(xen_domid guest1)-0
	vm driver sh -c "echo $device >/sys/bus/xen-backend/drivers/sluice-back/unbind"
	wait_for 30 has_carrier guest1 sl0 0
	for what in 'ctrl-bytes 0' 'ctrl-bytes 4294963200' 'ctrl-bytes x' 'doorbells 0' \
		'doorbells 4000000000' 'ctrl-ref0 0' 'ctrl-ref0 x' 'ctrl-ref0 -1' \
		'ctrl-ref0 4294967295' 'ctrl-ref0 4000' "ctrl-ref0 $others"; do
		read -r node value <<<"$what"
		vm guest1 xenstore-rm "$fe/error" 2>/dev/null || true
		vm driver xenstore-write -- "$be/ctrl-bytes" 1048576 "$be/doorbells" 2 \
			"$be/ctrl-ref0" 4001 "$be/$node" "$value" "$be/life" $((life++)) \
			"$be/state" 2
		wait_for 30 guest_refuses "$fe"
		echo "$what: $(vm guest1 xenstore-read "$fe/error")"
		pings client guest2
	done
	vm driver sh -c "echo $device >/sys/bus/xen-backend/drivers/sluice-back/bind"
	wait_for 60 one_ping client guest1
}

rounds_scenario() {
	test_case "$1: guest1 destroyed and made again, $2 times under load" guest_again "$2"
}

lifecycle_scenario() {
	test_case "$1: frontend modules unloaded and loaded" frontend_reloaded
	test_case "$1: backend modules unloaded and loaded" backend_reloaded
	test_case "$1: nonsense in the guest's nodes" guest_writes_nonsense
	test_case "$1: nonsense in the driver domain's nodes" driver_writes_nonsense
}
