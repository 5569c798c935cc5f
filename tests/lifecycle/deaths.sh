# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # lab, lab_name and lab_dir are run's; for the VMs' shells
#
# Each death and what must be true after it; on_qemu.sh and on_xen.sh tell how it is done.
# guest1 or the driver domain dies; guest2 and its connections never do.

death_title() {
	case $1 in
	frontend) echo "sluice_front of guest1 is unloaded and loaded" ;;
	backend) echo "sluice_back is unloaded and loaded, traffic back within 3 s" ;;
	guest) echo "guest1 is killed and boots again" ;;
	driver) echo "the driver domain is killed and boots again, traffic back within 5 s" ;;
	server) echo "the region server is killed, and another one takes over" ;;
	paused) echo "guest1 is paused for longer than every timeout" ;;
	deaf) echo "guest1 answers no PING but goes on with the memory" ;;
	esac
}

last_boot() { # the line that its user space prints, counted in its console
	grep -c "sluice: $1 has booted" "$lab_dir/$1/console.log" || true
}

booted() {
	(($(last_boot "$1") >= 1))
}

# boot VM: when its user space was up, in $up_at
boot() {
	local booting
	# what it said before it died
	: >"$lab_dir/$1/console.log"
	"$lab" start --name "$lab_name" "$1" &
	booting=$!
	wait_for 150 booted "$1"
	up_at=$(clock_now)
	wait $booting
}

# reload VM MODULE DEATH SECONDS
reload() {
	local since
	pings_start guest1
	vm "$1" rmmod "$2"
	since=$(clock_now)
	vm "$1" modprobe "$2"
	clock_recovered "$3" guest1 "$since" "$4"
	pings_stop guest1
	streams_move g1-out g1-in g2-out g2-in
}

death_frontend() {
	reload guest1 sluice_front frontend 5
	# its interface was another one for a while, and iperf3 may have given up
	load_start guest1 5301
}

death_backend() {
	reload driver sluice_back backend 3
}

death_guest() {
	local up_at
	pings_start guest1
	dies guest1
	wait_for 30 gone_or_down driver sl-guest1
	boot guest1
	clock_recovered guest guest1 "$up_at" 5
	pings_stop guest1
	has_region_again guest1
	streams_move g2-out g2-in
	stream_start g1-out
	stream_start g1-in
	load_start guest1 5301
}

death_driver() {
	local up_at
	pings_start guest1
	dies driver
	wait_for 30 has_carrier guest1 sl0 0
	wait_for 30 has_carrier guest2 sl0 0
	boot driver
	clock_recovered driver guest1 "$up_at" 5
	pings_stop guest1
	has_region_again guest1 guest2
	streams_move g1-out g1-in g2-out g2-in
}

# The peers' timeout is 5 s, the guest stands still for longer than that and than its
# own watchdogs would like.
death_paused() {
	local since
	pings_start guest1
	stands_still guest1
	wait_for 30 has_carrier driver sl-guest1 0
	wait_for 30 dest_state guest1 waiting
	# as long again: whoever gives up on it has had the time
	pause_for 8
	goes_on guest1
	since=$(clock_now)
	clock_recovered paused guest1 "$since" 8
	pings_stop guest1
	streams_move g1-out g1-in g2-out g2-in
}

# A length of time, not a wait for something: the death itself.
pause_for() {
	local end=$((SECONDS + $1))
	wait_for $(($1 + 5)) reached "$end"
}

reached() {
	((SECONDS >= $1))
}

dest_state() {
	[[ $(dest "$1" .state) == "$2" ]]
}

# No heartbeat, no answer; but the rings go on, and so do its processors in the memory.
death_deaf() {
	local since
	pings_start guest1
	vm guest1 sh -c 'for f in /sys/kernel/debug/sluice/*/silent; do echo 1 >$f; done'
	wait_for 30 has_carrier driver sl-guest1 0
	vm driver sluicectl dest show guest1
	vm guest1 sh -c 'for f in /sys/kernel/debug/sluice/*/silent; do echo 0 >$f; done'
	since=$(clock_now)
	clock_recovered deaf guest1 "$since" 8
	pings_stop guest1
	streams_move g1-out g1-in g2-out g2-in
}
