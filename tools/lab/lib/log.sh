# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Kernel logs of all VMs, searched after every test. A line that says that
# something broke fails the test, whatever else it saw.
# shellcheck disable=SC2154 # lab_* are sluice-lab's

log_bad='BUG|WARNING:|Oops|KASAN|KCSAN|UBSAN|KFENCE|kernel panic|Kernel panic'
log_bad+='|general protection fault|Call Trace|unable to handle|invalid opcode|double fault'
log_bad+='|possible recursive locking|possible circular locking|inconsistent lock state'
log_bad+='|suspicious RCU usage|sleeping function called|scheduling while atomic|held lock freed'
log_bad+='|unreferenced object|memory leak|refcount_t:|list_(add|del) corruption'
log_bad+='|Bad page|page allocation failure|Out of memory|blocked for more than|detected.*stall'
log_bad+='|NETDEV WATCHDOG|transmit queue .* timed out|DMAR:.*fault|segfault at|stack-protector'
log_bad+='|DMA-API:|nobody cared|unregister_netdevice: waiting'

# log_of VM [new] - the console since boot, or since the last time that "new" was asked
log_of() {
	local file=$lab_dir/$1/console.log seen=0

	[[ -f $file ]] || return 0
	if [[ ${2:-} == new ]]; then
		seen=$(cat "$lab_dir/$1/console.seen" 2>/dev/null || echo 0)
		stat -c %s "$file" >"$lab_dir/$1/console.seen"
	fi
	tail -c "+$((seen + 1))" "$file" | tr -d '\r'
}

# kmemleak tells only what two scans have found with the same content: the first one that meets
# a leak says nothing. The third is for a pointer that was on its way between two places, which
# makes no leak. What is younger than five seconds is told the next time. Kernels without
# kmemleak have nothing to add. The checks of DMA keep a tree of what is mapped, and lose
# empty nodes of it with a card under load: theirs, with no driver of ours on the way. (So what
# counts are the objects, not the line with their number that a scan writes.)
log_ask_leaks() { # log_ask_leaks VM
	# shellcheck disable=SC2016 # for the shell in the VM
	vm_exec "$1" sh -c '
		k=/sys/kernel/debug/kmemleak
		[ -w $k ] || exit 0
		echo scan >$k
		echo scan >$k
		[ -n "$(head -c 1 $k)" ] || exit 0
		echo scan >$k
		awk "/^unreferenced object/ { tell() } { text = text \$0 \"\n\" } END { tell() }
			function tell() { if (text !~ /add_dma_entry/) printf \"%s\", text; text = \"\" }" \
			$k >/dev/console
		echo clear >$k' </dev/null || true
}

# log_check [--new] [--leaks] - prints what it finds with a few lines around it
log_check() {
	local v found bad=0 mode='' leaks=''

	while (($#)); do
		case $1 in
		--new) mode=new ;;
		--leaks) leaks=1 ;;
		*) die "dmesg-check does not know '$1'" ;;
		esac
		shift
	done
	for v in $lab_vms; do
		if [[ ($leaks || ! $mode) ]] && vm_alive "$v"; then
			log_ask_leaks "$v"
		fi
		found=$(log_of "$v" $mode | grep -nE -B 3 -A 25 -- "$log_bad" || true)
		[[ $found ]] || continue
		bad=1
		printf '%s: the kernel complains (%s):\n%s\n' "$v" "$lab_dir/$v/console.log" \
			"$found" | head -n 80
	done
	return $bad
}
