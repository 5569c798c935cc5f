# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # lab and lab_name are lib.sh's
#
# Either side may come first, go and come back; the other goes on and nobody reloads
# a module by hand.

# Numbered lines to the client until /tmp/stop is there; how many came, all in their order.
stream_to_client() { # stream_to_client GUEST PORT
	local server sent came
	# shellcheck disable=SC2016 # for the VM's shells
	vm client sh -c 'timeout 900 socat -u "TCP-LISTEN:$1,reuseaddr" - |
		awk "\$1 != NR { print \"line\", NR, \"is\", \$1; bad = 1; exit } END { if (!bad) print NR }"' \
		- "$2" >"$sluice_build/check/$lab_name-$1.came" &
	server=$!
	wait_for 20 listens client t "$2"
	# shellcheck disable=SC2016 # for the VM's shell
	sent=$(vm "$1" sh -c 'rm -f /tmp/stop /tmp/sent
		n=1
		until [ -e /tmp/stop ]; do
			seq $n $((n + 4999))
			n=$((n + 5000))
			echo $((n - 1)) >/tmp/sent
		done | timeout 900 socat -u - "TCP:$1:$2"
		cat /tmp/sent' - "$(addr4 client)" "$2")
	wait $server
	came=$(<"$sluice_build/check/$lab_name-$1.came")
	echo "$1: $sent lines sent, $came came"
	[[ $came == "$sent" ]]
}

# The first lines are in the sender's pipe before there is a connection.
has_accepted() { # has_accepted VM PORT
	[[ $(vm "$1" ss -Htn state established "sport = :$2") ]]
}

# A connection of each guest to the outside lives as if nothing had happened.
outlasted_by_connections() {
	local pids=() pid
	stream_to_client guest1 5561 &
	pids+=($!)
	stream_to_client guest2 5562 &
	pids+=($!)
	wait_for 30 has_accepted client 5561
	wait_for 30 has_accepted client 5562
	"$@"
	vm guest1 touch /tmp/stop
	vm guest2 touch /tmp/stop
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
}

guest_dies() {
	"$lab" stop --name "$lab_name" guest2
	wait_for 30 has_carrier driver sl-guest2 0
	# nobody says that its pages are back, and the host gets them all the same
	wait_for 40 uses_at_most guest2 4194304
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

unread() { # unread VM PORT: bytes that a socket there has received and nobody has read
	vm "$1" ss -Htn "sport = :$2" | awk '$1 == "ESTAB" { n = $2 } END { print n + 0 }'
}

# A receive buffer of 128 KiB that counts 5 KiB for a frame of 1448 bytes is full with 35000.
much_unread() {
	(($(unread "$1" "$2") >= 10000))
}

# Data that the guest has acknowledged and nobody has read yet lies in the region while the
# backend forgets everything. The connection goes on, and the bytes are what was sent.
unread_data_outlives() { # unread_data_outlives COMMAND...
	local sender receiver
	vm guest1 sh -c 'rm -f /tmp/got /tmp/go; mkfifo /tmp/go'
	vm client sh -c 'seq 300000 >/tmp/sent'
	# shellcheck disable=SC2016 # for the shell in the VM
	vm guest1 timeout 900 socat -u TCP-LISTEN:5557,reuseaddr \
		SYSTEM:'read x </tmp/go; cat >/tmp/got' &
	receiver=$!
	wait_for 20 listens guest1 t 5557
	vm client timeout 900 socat -u OPEN:/tmp/sent "TCP:$(addr4 guest1):5557" &
	sender=$!
	wait_for 30 much_unread guest1 5557
	"$@"
	vm guest1 sh -c 'echo go >/tmp/go'
	wait $sender
	wait $receiver
	same_sum client /tmp/sent guest1 /tmp/got
}

backend_goes_and_comes() {
	vm driver rmmod sluice_back
	wait_for 30 has_carrier guest1 sl0 0
	vm driver modprobe sluice_back
	wait_for 60 has_carrier guest1 sl0 1
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
	test_case "$1: the driver domain reboots, guests and their connections go on" \
		outlasted_by_connections driver_reboots
	test_case "$1: sluice_back is reloaded, guests and their connections go on" \
		outlasted_by_connections backend_reloads
	test_case "$1: data that nobody has read outlives the backend" \
		unread_data_outlives backend_goes_and_comes
	test_case "$1: sluice_front is unloaded and loaded" frontend_reloads
	test_case "$1: sluice_front leaves while a socket holds its pages" frontend_leaves_with_pages_held
	test_case "$1: and traffic still flows" sends_tcp client guest1 4000000
}
