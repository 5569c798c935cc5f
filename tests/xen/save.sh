# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # lab and lab_name are lib.sh's
#
# A guest that is saved and restored by xl: another domain with the same memory. Expects the
# leg pv, and the files lab/restart, xen/memory, xen/lifecycle and xen/keep.

save_guest1() {
	# all of the guest's memory is written, zeroes too
	vm dom0 sh -c 'mkdir -p /run/save; mount -t tmpfs -o size=500m save /run/save'
	vm dom0 xl save guest1 /run/save/guest1
	# nothing stays granted to a domain that is no longer there
	wait_for 60 gone_in driver sl-guest1
	wait_for 30 grant_is driver quarantined -eq 0
}

restore_guest1() {
	vm dom0 xl restore -e /run/save/guest1
	vm dom0 umount /run/save
	attach_guest1
	wait_for 120 has_carrier guest1 sl0 1
	wait_for 60 one_ping client guest1
}

save_and_restore() {
	save_guest1
	pings client guest2
	restore_guest1
}

save_scenario() {
	test_case "$1: a guest saved and restored, device and connection stay" \
		kept_through save_and_restore
}
