# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scenarios in this folder are made of. $lab_name is the lab under test.
# shellcheck disable=SC2154 # sluice_top is common.sh's

lab=$sluice_top/tools/lab/sluice-lab
lab_name='test'

# vm NAME COMMAND... - in that VM, without our input
vm() {
	local v=$1
	shift
	"$lab" exec --name "$lab_name" "$v" -- "$@" </dev/null
}

# Every test also fails if a kernel complained meanwhile.
# shellcheck disable=SC2034 # tap.sh calls it
tap_after=kernels_quiet
kernels_quiet() {
	"$lab" dmesg-check --name "$lab_name" --new
}

# What --kernel V means for "sluice-lab up", in $kernel_options. The debug kernel takes several
# times the processor, so only the two ends of one link get it.
kernel_is() { # kernel_is V
	kernel_options=(--kernel "$1")
	if [[ $1 == debug ]]; then
		# shellcheck disable=SC2034
		kernel_options=(--kernel driver=debug --kernel guest1=debug)
		# shellcheck disable=SC2034 # for wait_for()
		SLUICE_PATIENCE=10
	fi
}

# The kernels' own search for leaks, where they have one.
nothing_leaked() {
	"$lab" dmesg-check --name "$lab_name" --new --leaks
}

# Mbit/s and datagram losses come from iperf3's JSON, read here.
json() {
	jq -e -r "$@"
}

addr4() {
	case $1 in
	client) echo 10.77.0.1 ;;
	driver) echo 10.77.0.2 ;;
	guest*) echo 10.77.0.$((10 + ${1#guest})) ;;
	esac
}

addr6() {
	case $1 in
	client) echo fd77::1 ;;
	driver) echo fd77::2 ;;
	guest*) echo fd77::$((10 + ${1#guest})) ;;
	esac
}

# ping FROM TO [OPTION...]: every one answered
pings() {
	local from=$1 to=$2
	shift 2
	vm "$from" ping -q -c 5 -i 0.2 -W 5 "$@" "$(addr4 "$to")"
}

pings6() {
	local from=$1 to=$2
	shift 2
	vm "$from" ping -q -c 5 -i 0.2 -W 5 "$@" "$(addr6 "$to")"
}

one_ping() {
	vm "$1" ping -q -c 1 -W 1 "$(addr4 "$2")"
}

listens() { # listens VM t|u PORT
	vm "$1" sh -c "netstat -ln$2 | grep -q ':$3 '"
}

same_sum() { # same_sum VM FILE VM FILE
	local a b
	a=$(vm "$1" md5sum "$2") && b=$(vm "$3" md5sum "$4")
	echo "$1 $a; $3 $b"
	[[ ${a%% *} == "${b%% *}" ]]
}

# A file of random bytes over TCP, compared at the other end.
sends_tcp() { # sends_tcp FROM TO BYTES
	local from=$1 to=$2 server
	vm "$from" sh -c "head -c $3 /dev/urandom >/tmp/out"
	# one that a failed test left, and nobody else's
	vm "$to" sh -c 'kill "$(cat /tmp/in.pid 2>/dev/null)" 2>/dev/null; rm -f /tmp/in; echo $$ >/tmp/in.pid
		exec timeout 400 socat -u TCP-LISTEN:5555,reuseaddr CREATE:/tmp/in' &
	server=$!
	wait_for 20 listens "$to" t 5555
	vm "$from" timeout 400 socat -u OPEN:/tmp/out "TCP:$(addr4 "$to"):5555"
	wait $server
	same_sum "$from" /tmp/out "$to" /tmp/in
	vm "$from" rm /tmp/out
	vm "$to" rm /tmp/in /tmp/in.pid
}

# Numbered datagrams of known content (udpcheck.c): all must come, once, unchanged.
sends_udp() { # sends_udp FROM TO COUNT BYTES PER_SECOND [ADDRESS]
	local from=$1 to=$2 count=$3 bytes=$4 rate=$5 addr=${6:-} server
	vm "$to" sh -c 'killall udpcheck 2>/dev/null; true'
	vm "$to" udpcheck recv 6000 $((120 + 2 * count / rate)) &
	server=$!
	wait_for 20 listens "$to" u 6000
	vm "$from" udpcheck send "${addr:-$(addr4 "$to")}" 6000 "$count" "$bytes" "$rate"
	wait $server
}

iperf_server() {
	vm "$1" sh -c "pidof iperf3 >/dev/null || iperf3 -s -D"
	wait_for 20 listens "$1" t 5201
}

# iperf FROM TO OPTION... - prints iperf3's JSON
iperf() {
	local from=$1 to=$2
	shift 2
	iperf_server "$to" >&2
	vm "$from" timeout 400 iperf3 -J -c "$(addr4 "$to")" "$@"
}

mbits_of() {
	json '(.end.sum_received // .end.sum).bits_per_second / 1e6 | round'
}

has_carrier() { # has_carrier VM INTERFACE 0|1
	[[ $(vm "$1" cat "/sys/class/net/$2/carrier" 2>/dev/null) == "$3" ]]
}

gone_in() { # gone_in VM INTERFACE
	! vm "$1" test -e "/sys/class/net/$2"
}

gone_or_down() {
	gone_in "$1" "$2" || has_carrier "$1" "$2" 0
}

# A counter or word of a destination, as sluicectl tells it.
dest() { # dest NAME JQ-PATH
	vm driver sluicectl -j -s dest show "$1" |
		json "(if type == \"array\" then .[0] else . end) | $2"
}
