#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# qemu.sh DAEMON CTL: sluice-regiond with the real QEMU as client.
#
# No guest runs: the driver's accesses to the device are made through QEMU's
# qtest protocol, so it takes seconds. TAP on stdout.

set -u
# shellcheck source=../../tools/lab/lib/common.sh
. "$(dirname "$0")/../../tools/lab/lib/common.sh"
daemon=$1 ctl=$2
qemu=${QEMU:-qemu-system-x86_64}
nr=0 failed=0
dir='' server='' pids=()

ok()	# STATUS TEXT
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		failed=$((failed + 1))
	fi
}

cleanup()
{
	local p

	for p in "${pids[@]}" $server; do
		kill -9 "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	[ -n "$dir" ] && rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

if ! command -v "$qemu" >/dev/null; then
	echo "ok 1 - QEMU as client # SKIP $qemu is not installed"
	echo 1..1
	exit 0
fi

dir=$(mktemp -d /tmp/sluice-regiond-qemu.XXXXXX)
ask() { "$ctl" -s "$dir/ctl.sock" "$@"; }

start_server()	# OPTION...: its pid in $server
{
	# not the one before it shall be read
	rm -f "$dir/regiond.log"
	"$daemon" "$@" -s "$dir/ctl.sock" 2>"$dir/regiond.log" &
	server=$!
	wait_for 20 grep -qs 'ready, ' "$dir/regiond.log"
}

peers_are()	# NAME NUMBER
{
	[ "$(ask status "$1" | grep -c '^    peer ')" = "$2" ]
}

start_qemu()	# NAME: its pid in $started
{
	# shellcheck disable=SC2046 # the options are words
	"$qemu" -accel tcg -S -display none -nodefaults -machine q35 -m 64 \
		$(ask qemu "$1") >"$dir/qemu.log" 2>&1 </dev/null &
	started=$!
	pids+=("$started")
}

# --- a QEMU whose device is driven by hand ---

qt()	# COMMAND...: the reply's value in $reply
{
	local line

	echo "$*" >&"$qt_in"
	while read -r -t 30 line <&"$qt_out"; do
		case $line in
		OK*) reply=${line#OK}; reply=${reply# }; return 0 ;;
		FAIL*|ERR*) echo "# $*: $line"; return 1 ;;
		esac
	done
	echo "# $*: no answer"
	return 1
}

BAR0=0xfe000000
BAR2=0x8000000000
HOST=$((BAR2 + 0x2000))		# struct sluice_shm_host
DONE_SEQ=$((HOST + 60)) DONE_STATUS=$((HOST + 64))
REQ_SEQ=$((HOST + 2048)) REQ_OP=$((HOST + 2052))
REQ_FIRST=$((HOST + 2056)) REQ_COUNT=$((HOST + 2060))

pci_write()	# REGISTER VALUE, of device 4
{
	qt outl 0xcf8 $((0x80000000 | 4 << 11 | $1)) && qt outl 0xcfc "$2"
}

start_driven()	# NAME
{
	coproc QT {
		# shellcheck disable=SC2046
		exec "$qemu" -accel tcg -S -qtest stdio -display none \
			-nodefaults -machine q35 -m 64 \
			$(ask qemu "$1"),addr=4 2>"$dir/driven.log"
	}
	# shellcheck disable=SC2153 # coproc sets it
	driven=$QT_PID		# bash forgets its own when it has ended
	pids+=("$driven")
	qt_in=${QT[1]} qt_out=${QT[0]}
	pci_write 0x10 $BAR0 && pci_write 0x18 $((BAR2 & 0xffffffff)) &&
		pci_write 0x1c $((BAR2 >> 32)) && pci_write 0x04 2
}

answered()	# SEQ
{
	qt readl $DONE_SEQ && [ $((reply)) = "$1" ]
}

request()	# SEQ FIRST COUNT: the answer's status in $status
{
	status=none
	qt writel $REQ_OP 1 && qt writel $REQ_FIRST "$2" &&
		qt writel $REQ_COUNT "$3" && qt writel $REQ_SEQ "$1" &&
		qt readl $((HOST + 56)) &&
		qt writel $((BAR0 + 12)) $((reply << 16)) &&
		wait_for 20 answered "$1" && qt readl $DONE_STATUS &&
		status=$((reply))
}

used()	# NAME: bytes
{
	ask -j status "$1" | sed -n 's/.*"used": *\([0-9]*\).*/\1/p'
}

# --- the tests ---

start_server || {
	echo "Bail out! the server does not start"
	exit 1
}
ask add g1 window 16M pairs 2 socket "$dir/g1.sock"
ask add g2 window 4M pairs 8 socket "$dir/g2.sock"

start_qemu g1
first=$started
wait_for 20 peers_are g1 1
ok $? "QEMU connects"
start_qemu g1
second=$started
wait_for 20 peers_are g1 2
ok $? "a second QEMU connects"

start_qemu g1
third=$started
wait "$third"
[ $? = 1 ] && grep -q 'server sent version -16' "$dir/qemu.log"
ok $? "a third one exits with a message, it does not hang"
peers_are g1 2 && kill -0 "$first" && kill -0 "$second"
ok $? "the two others go on"

kill -9 "$second"
wait "$second" 2>/dev/null
wait_for 20 peers_are g1 1
ok $? "kill -9 of one is seen"
start_qemu g1
wait_for 20 peers_are g1 2 && kill -0 "$first"
ok $? "its successor connects"

start_driven g2
ok $? "a QEMU with 9 vectors connects and its device answers"
qt readl $HOST && [ $((reply)) = $((0x48554c53)) ]
ok $? "the guest finds the host page"
qt readl $((BAR0 + 8)) && [ $((reply)) -gt 1 ]
ok $? "the guest reads its own id"
request 1 1 1 && [ "$status" = 0 ]
ok $? "a request and a ring from the guest are answered"
before=$(used g2)
qt memset $((BAR2 + 0x200000)) 0x200000 0xa5 &&
	[ "$(used g2)" -ge $((before + 0x200000)) ]
ok $? "a slot that the guest writes takes memory"
request 2 1 1 && [ "$status" = 0 ] && [ "$(used g2)" -le "$before" ]
ok $? "it is given back while QEMU maps it"
qt readl $((BAR2 + 0x200000)) && [ $((reply)) = 0 ]
ok $? "the guest then reads zero"
request 3 0 1 && [ "$status" = 1 ]
ok $? "the control segment is refused (EPERM)"

kill -9 "$server"
wait "$server" 2>/dev/null
server=''
qt readl $HOST && [ $((reply)) = $((0x48554c53)) ] && kill -0 "$first"
ok $? "the server is killed and the QEMUs go on"

start_server && ask add g1 window 16M socket "$dir/g1.sock" && start_qemu g1 &&
	wait_for 20 peers_are g1 1
ok $? "the next server takes over its sockets"
kill "$server"
wait "$server"
ok $? "and ends cleanly"
server=''

# --- a server that is kept ---

kill -9 "$driven"
wait "$driven" 2>/dev/null

server_pid()
{
	# two spaces: the server's, deeper ones are of peers
	ask -j status | sed -n 's/^  "pid": *\([0-9]*\).*/\1/p'
}

server_follows()	# PID
{
	local pid

	pid=$(server_pid) && [ -n "$pid" ] && [ "$pid" != "$1" ]
}

start_server --keep && ask add g3 window 4M pairs 8 socket "$dir/g3.sock" &&
	start_driven g3 && start_qemu g3 && other=$started &&
	wait_for 20 peers_are g3 2
ok $? "two QEMUs connect to a server that is kept"
before=$(server_pid)
kill -9 "$before"
wait_for 20 server_follows "$before" && peers_are g3 2
ok $? "it is killed, and the next one has both"
request 1 1 1 && [ "$status" = 0 ]
ok $? "and answers the guest that rings it"
kill -9 "$other"
wait "$other" 2>/dev/null
wait_for 20 peers_are g3 1 && start_qemu g3 && wait_for 20 peers_are g3 2 &&
	kill -0 "$started" && qt readl $HOST && [ $((reply)) = $((0x48554c53)) ]
ok $? "a QEMU that is started again connects to it"
kill "$server"
wait "$server"
ok $? "and ends cleanly"
server=''

echo "1..$nr"
[ $failed = 0 ]
