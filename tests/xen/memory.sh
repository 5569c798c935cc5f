# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Grants on Xen: a guest that does not let go, one that lets go late, one that dies
# with everything mapped; drivers that go and come. Expects the leg pv, and xen_hold in
# guest1.
# shellcheck disable=SC2154 # lab and lab_name are lib.sh's

xen_domid() {
	vm dom0 xl domid "$1"
}

# A number of the grant table: grant VM NAME
grant() {
	vm "$1" sed -n "s/^$2 //p" /sys/module/sluice_xen/parameters/grants
}

grant_is() { # grant_is VM NAME -ge|-le|-eq NUMBER
	test "$(grant "$1" "$2")" "$3" "$4"
}

xen_state() { # xen_state GUEST: of backend and frontend
	local b f
	b=$(xen_domid driver) f=$(xen_domid "$1")
	vm dom0 xenstore-read "/local/domain/$b/backend/sluice/$f/0/state" \
		"/local/domain/$f/device/sluice/0/state" | paste -sd ' '
}

xen_is_state() { # xen_is_state GUEST "B F"
	[[ $(xen_state "$1" 2>/dev/null) == "$2" ]]
}

# A program in the guest that maps all it can get and does not let go.
hold_begin() { # hold_begin GUEST
	local domain last
	domain=$(xen_domid driver)
	last=$(($(grant driver frames) * 512 - 1))
	# one that a failed test left would hold on in the next
	vm "$1" sh -c "killall xen_hold 2>/dev/null; modprobe xen-gntdev
		rm -f /tmp/hold /tmp/held; mkfifo /tmp/hold
		(exec xen_hold $domain 8 $last <>/tmp/hold >/tmp/held 2>&1) &"
	wait_for 60 vm "$1" grep -q '^held' /tmp/held || {
		vm "$1" sh -c 'cat /tmp/held; ps | grep xen_hold; cat /sys/module/sluice_xen/parameters/grants'
		return 1
	}
	vm "$1" cat /tmp/held
	# the segments of 8 MiB at least
	(($(vm "$1" sed -n 's/^held //p' /tmp/held) >= 2048))
}

hold_end() { # hold_end GUEST
	vm "$1" sh -c 'echo >/tmp/hold'
	# what it held was still there
	wait_for 20 vm "$1" grep -q '^still there' /tmp/held
}

quarantine_is() { # quarantine_is GUEST -gt|-eq BYTES
	test "$(dest "$1" .quarantined_bytes)" "$2" "$3"
}

# The region of guest1 shrinks to nothing while a program in the guest holds all of it, and
# the guest's driver has given back its part. Sets the caller's $before: what was granted at first.
shrink_while_held() { # shrink_while_held DRAIN-TIMEOUT
	local mapped
	vm driver sluicectl dest set guest1 drain-timeout "$1"
	resized 8M 8388608
	before=$(grant driver granted)
	hold_begin guest1
	mapped=$(grant guest1 mapped)
	# the resize does not end before the program lets go, or the timeout is over
	vm driver sluicectl dest set guest1 size 0 nowait
	wait_for 15 grant_is guest1 mapped -le "$((mapped - 2048))"
	# only what it does not hold has been ended: nothing of its pages
	grant_is driver granted -ge "$((before - 8))"
}

# Nothing comes back while it is held, all of it when it is not.
guest_does_not_let_go() {
	local before
	shrink_while_held 1s
	wait_for 20 quarantine_is guest1 -gt 0
	wait_for 15 plugged_is 0
	grant_is driver granted -ge "$((before - 8))"
	# traffic goes on, through bounce, and the other destination is not asked
	pings client guest1
	pings client guest2
	hold_end guest1
	wait_for 30 quarantine_is guest1 -eq 0
	wait_for 30 grant_is driver granted -le "$((before - 2048))"
	resized 8M 8388608
	grant_is driver granted -eq "$before"
	pings client guest1
}

# Later than the guest's driver says so, but before the backend's patience ends.
guest_lets_go_late() {
	local before quarantined
	quarantined=$(dest guest1 .stats.quarantined)
	shrink_while_held 60s
	hold_end guest1
	wait_for 15 grant_is driver granted -le "$((before - 2048))"
	wait_for 15 plugged_is 0
	(($(dest guest1 .stats.quarantined) == quarantined))
	vm driver sluicectl dest set guest1 drain-timeout 10s
	resized 8M 8388608
	grant_is driver granted -eq "$before"
	pings client guest1
}

# The guest dies while it holds everything: all comes back, the other one goes on.
guest_dies_with_it() {
	local before
	before=$(grant driver granted)
	hold_begin guest1
	"$lab" stop --name "$lab_name" guest1
	# the two are alike
	wait_for 30 grant_is driver granted -le "$((before / 2))"
	wait_for 30 grant_is driver quarantined -eq 0
	pings client guest2
	"$lab" start --name "$lab_name" guest1
	wait_for 90 one_ping client guest1
	resized 8M 8388608
	wait_for 10 grant_is driver granted -eq "$before"
	push_programs guest1
}

xen_rebind() { # xen_rebind VM BUS DRIVER DEVICE
	vm "$1" sh -c "cd /sys/bus/$2/drivers/$3 && echo $4 >unbind && echo $4 >bind"
}

# Either end's driver goes and comes, several times.
ends_come_and_go() {
	local f i
	f=$(xen_domid guest1)
	for ((i = 0; i < 3; i++)); do
		xen_rebind guest1 xen sluice-front sluice-0
		wait_for 60 xen_is_state guest1 '4 4'
		wait_for 60 one_ping client guest1
		xen_rebind driver xen-backend sluice-back "sluice-$f-0"
		wait_for 60 xen_is_state guest1 '4 4'
		wait_for 60 one_ping client guest1
	done
	wait_for 30 grant_is driver quarantined -eq 0
}

memory_scenario() {
	test_case "$1: a guest that does not let go gets no memory back to anybody" guest_does_not_let_go
	test_case "$1: a guest that lets go late" guest_lets_go_late
	test_case "$1: a guest destroyed with everything mapped" guest_dies_with_it
	test_case "$1: either end's driver unbound and bound, three times" ends_come_and_go
}
