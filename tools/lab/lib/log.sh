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
log_bad+='|unreferenced object|kmemleak: [1-9]|memory leak|refcount_t:|list_(add|del) corruption'
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

# log_check [--new] - prints what it finds with a few lines around it
log_check() {
	local v found bad=0 mode=

	case ${1:-} in
	--new) mode=new ;;
	'') ;;
	*) die "dmesg-check does not know '$1'" ;;
	esac
	for v in $lab_vms; do
		if [[ $mode != new ]] && vm_alive "$v"; then
			# A kernel with kmemleak is asked; others have nothing to add.
			# shellcheck disable=SC2016 # for the shell in the VM
			vm_exec "$v" sh -c '
				k=/sys/kernel/debug/kmemleak
				if [ -w $k ]; then echo scan >$k; cat $k >/dev/console; fi' </dev/null || true
		fi
		found=$(log_of "$v" $mode | grep -nE -B 3 -A 25 -- "$log_bad" || true)
		[[ $found ]] || continue
		bad=1
		printf '%s: the kernel complains (%s):\n%s\n' "$v" "$lab_dir/$v/console.log" \
			"$found" | head -n 80
	done
	return $bad
}
