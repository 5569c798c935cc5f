# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # lab and lab_name are lib.sh's
#
# The guest's interface and its connections outlive whatever becomes of the backend.
# Expects the leg pv, and the files lab/restart, lab/resize and xen/lifecycle.

interface_of() { # interface_of GUEST: its number, which another one would not have
	vm "$1" cat /sys/class/net/sl0/ifindex
}

backend_unbound_and_bound() {
	# shellcheck disable=SC2016 # for the shell in the VM
	vm driver sh -c 'cd /sys/bus/xen-backend/drivers/sluice-back
		for d in sluice-*; do echo "$d" >unbind; echo "$d"; done >/run/unbound'
	wait_for 30 has_carrier guest1 sl0 0
	# shellcheck disable=SC2016 # for the shell in the VM
	vm driver sh -c 'while read -r d; do echo "$d" >/sys/bus/xen-backend/drivers/sluice-back/bind
		done </run/unbound'
	wait_for 60 has_carrier guest1 sl0 1
	wait_for 60 one_ping client guest1
}

backend_modules_again() {
	vm driver rmmod sluice_back
	unbind_and_rmmod driver xen-backend
	vm driver modprobe -a sluice_xen sluice_back
	wait_for 60 has_carrier guest1 sl0 1
	wait_for 60 one_ping client guest1
}

# Nobody stops the card of a domain that is destroyed, and Xen tells of each frame that it then
# wants to write into memory that is no longer there: that is none of ours.
driver_dies_with_its_card() {
	vm driver ip link set nic0 down
	driver_again
}

# Milliseconds from one answer of the guest to the next, at most.
longest_silence() {
	# shellcheck disable=SC2016 # for awk
	vm client awk -F '[][]' '/bytes from/ {
			if (last && $2 - last > most)
				most = $2 - last
			last = $2
		} END { printf "%d\n", most * 1000 }' /run/answers
}

kept_through() { # kept_through COMMAND...
	local interface stream
	interface=$(interface_of guest1)
	# shellcheck disable=SC2016 # for the shell in the VM
	vm client sh -c 'ping -D -i 0.1 "$1" >/run/answers 2>&1 & echo $! >/run/asks' - \
		"$(addr4 guest1)"
	stream_to_client guest1 5561 &
	stream=$!
	wait_for 30 has_accepted client 5561
	"$@"
	vm guest1 touch /tmp/stop
	wait $stream
	# shellcheck disable=SC2016 # for the shell in the VM
	vm client sh -c 'kill $(cat /run/asks)'
	echo "no answer for at most $(longest_silence) ms; interface $interface before, $(interface_of guest1) after"
	[[ $(interface_of guest1) == "$interface" ]]
}

# While it is held its memory stays the guest's, then all of it comes back.
unread_data_and_its_memory() {
	local bytes
	bytes=$(dest guest1 .plugged_bytes)
	unread_data_outlives backend_unbound_and_bound
	wait_for 60 grant_is driver quarantined -eq 0
	wait_for 30 plugged_is "$bytes"
}

keep_scenario() {
	test_case "$1: device and connection outlive the backend's device" \
		kept_through backend_unbound_and_bound
	test_case "$1: and its modules" kept_through backend_modules_again
	test_case "$1: data that nobody has read yet too" unread_data_and_its_memory
	test_case "$1: the driver domain destroyed and made again, all live on" \
		kept_through driver_dies_with_its_card
}
