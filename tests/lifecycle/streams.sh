# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2016 # programs for awk
#
# Connections that live through a death: numbered lines over one TCP connection
# each, thirty a second for as long as it takes (three on the debug kernel and on Xen). A connection
# that breaks brings no more lines; one that loses or doubles anything shows in the numbers.
#
#	g1-out	guest1 to client, port 7001	g2-out	guest2 to client, port 7003
#	g1-in	client to guest1, port 7002	g2-in	client to guest2, port 7004

streams="g1-out g1-in g2-out g2-in"
stream_pause_us=30000
load_kbits=2000

# What the debug kernel carries, or one emulated processor for all domains, of which each line
# takes ten milliseconds: it is a process of its own.
streams_slower() {
	stream_pause_us=300000
	load_kbits=300
}

stream_of() { # stream_of NAME: from to port
	case $1 in
	g1-out) echo guest1 client 7001 ;;
	g1-in) echo client guest1 7002 ;;
	g2-out) echo guest2 client 7003 ;;
	g2-in) echo client guest2 7004 ;;
	esac
}

stream_start() {
	local name=$1 from to port
	read -r from to port < <(stream_of "$name")
	vm "$to" sh -c "pid=\$(cat /tmp/$name.pid 2>/dev/null) && kill \$pid 2>/dev/null
		socat -u TCP-LISTEN:$port,reuseaddr CREATE:/tmp/$name </dev/null >/dev/null 2>&1 &
		echo \$! >/tmp/$name.pid"
	wait_for 20 listens "$to" t "$port"
	# shellcheck disable=SC2016 # the VM's own variables
	vm "$from" sh -c "(exec </dev/null; i=0; while :; do
			i=\$((i + 1)); echo \"line \$i of $name and some words to fill it up\"
			usleep $stream_pause_us; done) 2>/dev/null |
		socat -u - TCP:$(addr4 "$to"):$port >/dev/null 2>&1 &"
	wait_for 30 stream_has "$name" 1
}

stream_lines() {
	local from to port
	read -r from to port < <(stream_of "$1")
	vm "$to" wc -l "/tmp/$1" | awk '{ print $1 }'
}

stream_has() { # stream_has NAME LINES
	local n
	n=$(stream_lines "$1") || return 1
	((n >= $2))
}

# stream_moves NAME: the same connection still brings lines
stream_moves() {
	local n
	n=$(stream_lines "$1")
	wait_for 60 stream_has "$1" $((n + 3)) || {
		echo "$1 brings no more lines after $n"
		return 1
	}
}

stream_sound() {
	local from to port
	read -r from to port < <(stream_of "$1")
	vm "$to" awk -v name="$1" '
	{ if ($2 != NR || $0 != "line " NR " of " name " and some words to fill it up") {
		if (!bad) bad = NR
	  }
	}
	END {
		# the last line may be cut where the connection stands now
		if (bad && bad != NR) { print name ": line " bad " of " NR " is wrong"; exit 1 }
		print name ": " NR " lines"
	}' "/tmp/$1"
}

# Beside them a load, restarted where it ended: as much as the client's one emulated processor
# carries on a busy machine. iperf3 looks at its limit a thousand times a second unless told
# otherwise, which costs such a processor more than the traffic does.
load_start() { # load_start GUEST PORT
	vm client sh -c "netstat -lnt | grep -q ':$2 ' || iperf3 -s -D -p $2 >/dev/null 2>&1"
	wait_for 20 listens client t "$2"
	vm "$1" sh -c "pidof iperf3 >/dev/null || iperf3 -c $(addr4 client) -p $2 --bidir -b ${load_kbits}K -l 16K \
		--pacing-timer 20000 -t 86400 --connect-timeout 20000 >/dev/null 2>&1 </dev/null &"
}

received_by() {
	vm "$1" cat /sys/class/net/sl0/statistics/rx_bytes
}

load_moves() { # load_moves GUEST: faster than the lines by far
	local before
	before=$(received_by "$1")
	sleep 1 # what comes in this time is the question
	(($(received_by "$1") > before + load_kbits * 50))
}

streams_begin() {
	local s
	for s in $streams; do
		stream_start "$s"
	done
	load_start guest1 5301
	load_start guest2 5302
	wait_for 30 load_moves guest1
	wait_for 30 load_moves guest2
}

streams_move() {
	local s
	for s; do
		stream_moves "$s"
	done
}

streams_sound() {
	local s
	for s in $streams; do
		stream_moves "$s"
		stream_sound "$s"
	done
}
