# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For tests over the loopback provider, inside one VM:
#
#	netns b0: sl-loop0 10.90.0.1 ══ loop0 ══ 10.90.0.2 front :netns f0
#	netns b1: sl-loop1 10.90.1.1 ══ loop1 ══ 10.90.1.2 front :netns f1
#
# A test is a function; ktap_test runs it in a subshell with -e and prints its
# output if it fails. Waits are for conditions, never for a time.

export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
debugfs=/sys/kernel/debug
mountpoint -q $debugfs 2>/dev/null || mount -t debugfs none $debugfs 2>/dev/null || true

patience=${SLUICE_PATIENCE:-3}
ktap_nr=0
ktap_failed=0
ktap_log=$(mktemp)

# ktap_test NAME COMMAND...
ktap_test() {
	local name=$1 status began=$SECONDS
	shift
	ktap_nr=$((ktap_nr + 1))
	set +e
	(
		set -eE
		# shellcheck disable=SC2154 # set by trap
		trap 's=$?; echo "line $LINENO: $BASH_COMMAND: status $s"' ERR
		"$@"
	) >"$ktap_log" 2>&1
	status=$?
	if ((status == 0)); then
		echo "ok $ktap_nr - $name # $((SECONDS - began)) s"
	else
		echo "not ok $ktap_nr - $name # $((SECONDS - began)) s"
		tail -n 40 "$ktap_log" | sed 's/^/# /'
		ktap_failed=$((ktap_failed + 1))
	fi
}

ktap_skip() {
	ktap_nr=$((ktap_nr + 1))
	echo "ok $ktap_nr - $1 # SKIP $2"
}

ktap_end() {
	rm -f "$ktap_log"
	echo "1..$ktap_nr"
	((ktap_failed == 0))
	exit
}

# wait_for SECONDS COMMAND... until it succeeds, for that long on a machine of the usual speed:
# what must come may come late where there is other work, and a vain wait costs time only then.
# It is asked ten times at least: the machine may have stood still.
wait_for() {
	local end=$((SECONDS + $1 * patience)) asked=0
	shift
	until "$@" >/dev/null 2>&1; do
		if ((++asked >= 10 && SECONDS >= end)); then
			echo "waited in vain for: $*"
			return 1
		fi
		sleep 0.1
	done
}

# fails COMMAND...: a bare ! would not end a test
fails() {
	if "$@"; then
		echo "should have failed: $*"
		return 1
	fi
}

# rejects VALUE FILE
rejects() {
	# shellcheck disable=SC2016 # for the inner shell
	fails bash -c 'echo "$1" >"$2"' - "$1" "$2"
}

loaded() {
	[[ -d /sys/module/$1 ]]
}

# In any order, under any traffic: this must always work.
unload() {
	local m
	for m; do
		! loaded "$m" || rmmod "$m" || return
	done
}

unload_all() {
	unload sluice_front sluice_back sluice_loopback sluice_ivshmem sluice
}

# state N backend|frontend: what the core says
state() {
	cat $debugfs/sluice/loop"$1"-"$2"/state
}

state_is() { # state_is N ROLE PATTERN
	state "$1" "$2" | grep -q -e "$3"
}

session_up() {
	state_is "$1" backend '^session: up' && state_is "$1" frontend '^session: up'
}

# netdev_of N backend|frontend: name, while it is in this namespace
netdev_of() {
	local d
	case $2 in
	backend) set -- /sys/devices/sluice_loopback/loop"$1"-backend/net/* ;;
	frontend) set -- /sys/devices/sluice_loopback/loop"$1"-frontend/*/*/net/* ;;
	esac
	d=$1
	[[ -d $d ]] && echo "${d##*/}"
}

# Put one end into its namespace. It may have been there before.
end_up() { # end_up N ROLE
	local n=$1 role=$2 dev ns addr
	case $role in
	backend) ns=b$n addr=1 ;;
	frontend) ns=f$n addr=2 ;;
	esac
	ip netns list | grep -qw "$ns" || ip netns add "$ns"
	wait_for 20 netdev_of "$n" "$role" || return
	dev=$(netdev_of "$n" "$role")
	ip link set "$dev" netns "$ns" name net0
	ip -n "$ns" link set lo up
	ip -n "$ns" addr add 10.90."$n".$addr/24 dev net0
	ip -n "$ns" addr add fd90:"$n"::$addr/64 dev net0 nodad
	ip -n "$ns" link set net0 up
}

carrier() {
	[[ $(ip netns exec "$1" cat /sys/class/net/net0/carrier 2>/dev/null) == 1 ]]
}

link_up() {
	end_up "$1" backend
	end_up "$1" frontend
	wait_for 20 carrier b"$1"
	wait_for 20 carrier f"$1"
}

# links_up N [parameters of sluice_loopback]
links_up() {
	local n=$1 i
	shift
	# finds its device by its alias where somebody listens to uevents, here not
	[[ $front_options != *virtio_net* ]] || modprobe virtio_net
	modprobe sluice_loopback links="$n" "$@"
	modprobe sluice_back
	# shellcheck disable=SC2086 # options
	modprobe sluice_front $front_options
	for ((i = 0; i < n; i++)); do
		link_up $i || return
	done
}
front_options=${front_options:-}
back_options=${back_options:-}

links_down() {
	local ns
	unload_all
	for ns in $(ip netns list | awk '{ print $1 }'); do
		ip netns del "$ns"
	done
}

# reach N [options of ping]: both ways
reach() {
	local n=$1
	shift
	ip netns exec f"$n" ping -q -c 2 -i 0.2 -W 5 "$@" 10.90."$n".1 &&
		ip netns exec b"$n" ping -q -c 2 -i 0.2 -W 5 "$@" 10.90."$n".2
}

# pings_missing FILE: numbers without an answer in the output of a ping that was told to
# end. What was on its way in that moment, ping counts as lost; this does not.
pings_missing() {
	awk '/icmp_seq=/ {
		split($0, a, "icmp_seq=")
		n = a[2] + 0
		answered[n] = 1
		if (n > last)
			last = n
	}
	/packets transmitted/ { sent = $1 }
	END {
		for (n = 1; n <= last; n++)
			if (!(n in answered))
				print n
		if (!last || sent - last > 5)
			print last + 1 " to " sent
	}' "$1"
}

# Numbered lines: a frame that is lost, doubled or misplaced changes the sum.
pattern() {
	seq "$1"
}

# transfer FROM TO ADDRESS LINES: content arrives as it was sent
transfer() {
	local from=$1 to=$2 addr=$3 lines=$4 dir server status=0
	dir=$(mktemp -d)
	pattern "$lines" >"$dir/sent"
	# the listener leaves early if its input ends: this one never does
	mkfifo "$dir/idle"
	ip netns exec "$to" timeout 400 nc -l -p 5001 0<>"$dir/idle" >"$dir/received" &
	server=$!
	wait_for 30 listening "$to" 5001
	# shellcheck disable=SC2016 # for the inner shell
	ip netns exec "$from" timeout 400 bash -c 'cat "$1" >"/dev/tcp/$2/5001"' - \
		"$dir/sent" "$addr" || status=$?
	wait $server || status=$?
	if ! cmp "$dir/sent" "$dir/received"; then
		ls -l "$dir"
		status=1
	fi
	rm -rf "$dir"
	return $status
}

# count INTERFACE NAME: of the first guest, over all queues
count() {
	ip netns exec f0 ethtool -S "$1" | awk -v name="$2" '$1 ~ name ":$" { n += $2 } END { print n + 0 }'
}

listening() {
	ip netns exec "$1" ss -Hltn "sport = :$2" | grep -q LISTEN
}

# send_lines FROM TO ADDRESS DIR: numbered lines over one connection until DIR/stop is there. The
# other end writes how many came, all in their order, to DIR/TO.
send_lines() {
	local from=$1 to=$2 addr=$3 dir=$4 server
	mkfifo "$dir/idle-$to"
	# shellcheck disable=SC2016 # for awk
	ip netns exec "$to" nc -l -p 5002 0<>"$dir/idle-$to" |
		awk '$1 != NR { print "line " NR " is " $1; bad = 1; exit } END { if (!bad) print NR }' \
			>"$dir/$to" &
	server=$!
	wait_for 30 listening "$to" 5002
	# shellcheck disable=SC2016 # for the inner shell
	ip netns exec "$from" bash -c '
		exec >"/dev/tcp/$1/5002"
		n=1
		until [[ -e $2/stop ]]; do
			seq "$n" $((n + 9999))
			n=$((n + 10000))
		done
		echo $((n - 1)) >"$2/$3.sent"' - "$addr" "$dir" "$to"
	wait $server
	cmp "$dir/$to" "$dir/$to.sent"
}

# The guest's netdev, its counters and connections each way outlive N backends.
outlives_backends() {
	local n dir ifindex pids=() pid
	dir=$(mktemp -d)
	ifindex=$(ip netns exec f0 cat /sys/class/net/net0/ifindex)
	send_lines f0 b0 10.90.0.1 "$dir" &
	pids+=($!)
	send_lines b0 f0 10.90.0.2 "$dir" &
	pids+=($!)
	wait_for 10 moving
	for ((n = 0; n < $1; n++)); do
		unload sluice_back
		wait_for 20 guest_no_carrier
		# shellcheck disable=SC2086 # options
		modprobe sluice_back $back_options
		end_up 0 backend
		wait_for 20 carrier f0
		wait_for 30 moving
	done
	touch "$dir/stop"
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	(($(<"$dir/f0") > 10000 && $(<"$dir/b0") > 10000))
	[[ $(ip netns exec f0 cat /sys/class/net/net0/ifindex) == "$ifindex" ]]
	rm -rf "$dir"
}

guest_no_carrier() {
	! carrier f0
}

# In both directions, as the guest counts.
moving() {
	local before after
	before=$(guest_bytes)
	sleep 0.2
	after=$(guest_bytes)
	echo "$before" "$after" | awk '{ exit !($3 > $1 + 10000 && $4 > $2 + 10000) }'
}

guest_bytes() {
	ip netns exec f0 cat /sys/class/net/net0/statistics/{tx,rx}_bytes | xargs
}

# The destinations' interfaces are in b0 and b1, and so is who may see them.
ctl() {
	ip netns exec b0 sluicectl "$@"
}

# says STATUS TEXT WORDS...: one error, that status, nothing on stdout
says() {
	local want=$1 text=$2 out err got=0
	shift 2
	err=$(mktemp)
	out=$("$@" 2>"$err") || got=$?
	echo "status $got: $(cat "$err")"
	[[ $got == "$want" ]]
	[[ -z $out ]]
	[[ $(wc -l <"$err") == 1 ]]
	grep -q -e "^error: .*$text" "$err"
	rm -f "$err"
}

# member KEY: its value, from JSON on stdin
member() {
	grep -o "\"$1\":[^,}]*" | head -n 1 | cut -d: -f2-
}

plugged_is() { # bytes
	local got
	got=$(ctl -j dest show loop0 | member plugged_bytes)
	[[ $got == "$1" ]] || echo "plugged $got, not $1"
	[[ $got == "$1" ]]
}

# refused STATUS TEXT WORDS...: and nothing has changed
refused() {
	local before after
	before=$(ctl -j dest show)
	says "$1" "$2" ctl "${@:3}"
	after=$(ctl -j dest show)
	[[ $before == "$after" ]]
}
