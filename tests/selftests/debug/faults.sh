#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Memory runs out at the Nth allocation, N = 1, 2, ..., until nothing fails any
# more: while modules load, links begin, regions change their size, interfaces
# go up and down. Only allocations with a module's code on the stack count.
#
#	by task		/proc/TASK/fail-nth of the command itself
#	anywhere	the Nth in any task, worker or interrupt: what a command only
#			starts happens in workers. Interfaces go up and down like that:
#			the command itself allocates nothing.
#
# The command may fail or not. Then, with memory again, everything must work. What the
# kernel's log says and whether anything has leaked is asked after the script. The checks of
# DMA-API switch themselves off when their own allocation is the Nth, so this script is the last.
# shellcheck source=../lib.sh
. "$(dirname "$0")/lib.sh" # all are in one folder in the VM

places="failslab fail_page_alloc"
counter=1000000
mark="faults begin here"

fault() { # fault ATTRIBUTE VALUE
	local p
	for p in $places; do
		echo "$2" >$debugfs/"$p/$1"
	done
}

# The core kernel is one file; whatever lies in the modules' part is sluice or
# works for it. Addresses as they are on x86-64, without a random base.
faults_begin() {
	# The allocator itself complains of some failures, with a backtrace, and the checks of
	# DMA-API say that they switch themselves off. That is no complaint of ours, so the
	# console, which is searched, gets nothing but a kernel's last words, and the
	# rest is looked at here, from the mark on.
	dmesg -n 1
	cat /dev/kmsg >/tmp/faults.kmsg &
	echo $! >/tmp/faults.pid
	echo "$mark" >/dev/kmsg
	fault probability 0
	fault interval 1
	fault times $counter
	fault space 0
	fault verbose 0
	fault stacktrace-depth 32
	fault ignore-gfp-wait N
	echo N >$debugfs/fail_page_alloc/ignore-gfp-highmem
	echo 0 >$debugfs/fail_page_alloc/min-order
	# most of the time goes to unloading, which waits for RCU again and again
	echo 1 >/sys/kernel/rcu_expedited
	fault require-start 0xffffffffa0000000
	fault require-end 0xffffffffff000000
}

faults_end() {
	fault probability 0
	fault require-start 0
	fault require-end 0xffffffffffffffff
	echo 0 >/sys/kernel/rcu_expedited
	dmesg -n 7
}

log_is_clean() {
	kill "$(cat /tmp/faults.pid)"
	# shellcheck disable=SC2016 # awk's
	awk -F ';' -v mark="$mark" '$2 == mark { begun = 1 }
		/page allocation failure|vmalloc error|vmap allocation/ { own = 1 }
		begun && !own && !/DMA-API: cacheline tracking ENOMEM/ { print $2 }
		/<\/TASK>/ { own = 0 }' /tmp/faults.kmsg >/tmp/faults.dmesg
	[[ -s /tmp/faults.dmesg ]]
	fails grep -E -A 30 'BUG|WARNING:|Oops|KASAN|possible .* locking|inconsistent lock|suspicious RCU|sleeping function|scheduling while atomic|held lock freed|refcount_t:|list_(add|del) corr|DMA-API|unregister_netdevice: waiting|Call Trace' \
		/tmp/faults.dmesg
}

# Of COUNT faults some have been made: fault times was COUNT. Nothing here may ask sluice:
# what that allocates would count. And no process where none is needed: on this kernel each
# takes a tenth of a second.
made_of() { # made_of COUNT
	local p left
	for p in $places; do
		read -r left <$debugfs/"$p"/times
		((left == $1)) || return 0
	done
	return 1
}

# with_nth N COMMAND...: the Nth allocation of this task fails; the status is
# whether one did, not how the command ended
with_nth() {
	local nth=$1
	shift
	fault times $counter
	( # a task of its own
		echo "$nth" >/proc/$BASHPID/fail-nth
		exec "$@"
	) >>/tmp/faults.log 2>&1 || echo "nth $nth: $* failed" >>/tmp/faults.log
	made_of $counter
}

# with_any N COMMAND...: the same for the Nth allocation that anybody makes while
# the command runs, and a moment longer for what it left to workers. That nothing fails is
# no fault, so this wait knows no patience.
with_any() {
	local nth=$1
	shift
	fault times 1
	fault interval "$nth"
	fault probability 100
	"$@" >>/tmp/faults.log 2>&1 || echo "any $nth: $* failed" >>/tmp/faults.log
	patience=1 wait_for 2 made_of 1 >>/tmp/faults.log || true
	fault probability 0
	made_of 1
}

# N until COMMAND runs through without a failure: at most LIMIT of them, else the
# loop is not what it claims to be. BEFORE and AFTER run with memory. The first ones all, then every
# FAULT_STEPth: each costs seconds.
by_task() { # by_task LIMIT BEFORE AFTER COMMAND...
	local limit=$1 before=$2 after=$3 nth made=0
	shift 3
	for ((nth = 1; nth <= limit; nth += nth < 8 ? 1 : ${FAULT_STEP:-1})); do
		$before
		if ! with_nth $nth "$@"; then
			$after
			echo "$*: $made allocations of $((nth - 1))"
			echo "# $*: $made of $((nth - 1)) allocations failed, one by one" >>/tmp/faults.notes
			((made > 1))
			return
		fi
		made=$((made + 1))
		$after
	done
	echo "$*: still failing after $limit"
	return 1
}

# Distances in steps that hit other allocations each time, and far enough: a backend is attached
# after hundreds of others. Counting goes on where the round before has ended, so that
# the first one to fail is any of N. Few of them are enough to know that the loop does
# something at all.
anywhere() { # anywhere BEFORE AFTER COMMAND...
	local before=$1 after=$2 nth rounds=0 hits=0
	shift 2
	for nth in 1 2 3 4 5 7 9 12 16 21 28 37 50 66 88 117 156 208 277 369 492; do
		rounds=$((rounds + 1))
		$before
		! with_any $nth "$@" || hits=$((hits + 1))
		$after
	done
	echo "$*: $hits of $rounds rounds had a failure"
	echo "# $*: $hits of $rounds rounds had a failure somewhere" >>/tmp/faults.notes
	((hits >= 5))
}

unloaded() {
	unload_all
}

only_core() {
	unload sluice_front sluice_back sluice_loopback
	modprobe sluice
}

# load MODULE [PARAMETER]: where it is not
load() {
	loaded "$1" || modprobe "$@"
}

only_channels() {
	unload sluice_front sluice_back
	load sluice_loopback links=1
}

only_frontend() {
	unload sluice_back
	load sluice_loopback links=1
	load sluice_front
}

only_backend() {
	unload sluice_front
	load sluice_loopback links=1
	load sluice_back
}

# Whatever state the failure left: modules go, come, and the link carries traffic.
works() {
	unload sluice_front sluice_back sluice_loopback
	if ! link_works; then
		cat $debugfs/sluice/*/state
		tail -n 5 /tmp/faults.log
		return 1
	fi
}

link_works() {
	modprobe sluice_loopback links=1
	modprobe sluice_back
	modprobe sluice_front
	link_up 0
	wait_for 30 reach 0
}

# The link itself must recover, with nothing loaded again; an answer has gone both ways.
recovers() {
	wait_for 60 ip netns exec f0 ping -q -c 1 -W 2 10.90.0.1
}

up_recovers() { # interfaces may be new, or down
	ip -n b0 link set net0 up || end_up 0 backend
	ip -n f0 link set net0 up || end_up 0 frontend
	recovers
}

nothing() {
	:
}

in_b0() {
	ip netns exec b0 "$@"
}

grown() {
	in_b0 sluicectl dest set loop0 size 8M timeout 20s || true
	recovers
}

shrunk() {
	in_b0 sluicectl dest set loop0 size 0 timeout 20s
}

down() {
	ip -n f0 link set net0 down
	ip -n b0 link set net0 down
}

load_all() {
	modprobe sluice_loopback links=1 && modprobe sluice_back && modprobe sluice_front
}

up_both() {
	ip -n b0 link set net0 up
	ip -n f0 link set net0 up
}

# Closing allocates nothing: frames that are under way do, if any are. So both in one.
down_and_up() {
	down
	up_both
}

back_reload() {
	unload sluice_back && modprobe sluice_back
}

# A backend that could not attach needs another load; the frontend needs nobody's help.
back_recovers() {
	netdev_of 0 backend || in_b0 ip link show net0 || back_reload
	up_recovers
}

# Over the channels of the round before, whatever that has left.
loaded_again() {
	load sluice_back
	load sluice_front
	up_recovers
}

resize_both_ways() {
	in_b0 sluicectl dest set loop0 size 8M timeout 3s
	in_b0 sluicectl dest set loop0 size 2M timeout 3s
}

: >/tmp/faults.notes
unload_all
ktap_test "faults are set up" faults_begin
ktap_test "sluice is loaded" by_task 200 unloaded unloaded modprobe sluice
ktap_test "sluice_loopback is loaded" by_task 600 only_core nothing modprobe sluice_loopback links=1
ktap_test "sluice_back is loaded" by_task 200 only_frontend nothing modprobe sluice_back
ktap_test "sluice_front is loaded" by_task 200 only_backend nothing modprobe sluice_front
ktap_test "the link works after that" works
ktap_test "interfaces down and up, anybody may fail" anywhere nothing up_recovers down_and_up
ktap_test "the destination grows" by_task 200 shrunk recovers \
	ip netns exec b0 sluicectl dest set loop0 size 8M timeout 5s
ktap_test "the destination shrinks" by_task 200 grown recovers \
	ip netns exec b0 sluicectl dest set loop0 size 0 timeout 5s
ktap_test "everything is loaded, anybody may fail" anywhere only_channels nothing load_all
ktap_test "the link works after that, too" works
ktap_test "a resize, anybody may fail" anywhere nothing recovers resize_both_ways
ktap_test "the backend goes and comes, anybody may fail" anywhere nothing back_recovers back_reload
ktap_test "unloaded, anybody may fail" anywhere loaded_again nothing unload sluice_front sluice_back
ktap_test "the link works at last" works
ktap_test "all links go" links_down
faults_end
ktap_test "no complaint but the allocator's own" log_is_clean
cat /tmp/faults.notes
ktap_end
