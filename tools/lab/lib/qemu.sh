# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A VM that is a QEMU process: started and found here, whatever it is made of. The
# labs of hv/ say what that is.
# shellcheck disable=SC2154 # lab_* are sluice-lab's

# Words of every kernel's command line, whoever boots it.
qemu_cmdline="loglevel=5 panic=-1 mitigations=off audit=0 apparmor=0"
qemu_cmdline+=" random.trust_cpu=on cryptomgr.notests watchdog_thresh=30"
qemu_cmdline+=" rcupdate.rcu_cpu_stall_timeout=150 rcupdate.rcu_cpu_stall_suppress_at_boot=1"

qemu_has_device() { # its status is 0 for a device that is not there, too
	[[ $("$lab_qemu" -device "$1,help" 2>/dev/null) == "$1 options"* ]]
}

qemu_check() {
	local text
	text=$("$lab_qemu" --version 2>&1) ||
		die "'$lab_qemu' does not run (tools/lab/packages host lab, or name one with --qemu): $text"
	qemu_has_device "$lab_nic" ||
		die "$lab_qemu has no NIC '$lab_nic' (igb came with QEMU 8.0)"
}

# ------------------------------------------------------------- accelerator

# /dev/kvm may exist and hang with the first instruction of a guest. What counts
# is that a VM gets to its init.
qemu_probe_kvm() {
	local log=$sluice_build/kvm-probe.log pid=$sluice_build/kvm-probe.pid

	[[ -w /dev/kvm ]] || return 1
	: >"$log"
	# It may hang for good: nobody else would end it after a Ctrl-C.
	trap 'process_signal "$pid" KILL; rm -f "$pid"; exit 130' INT TERM
	process_start "$pid" "$log" "$lab_qemu" -accel kvm -machine q35 -cpu max -m 320 \
		-display none -nodefaults -no-user-config -no-reboot -serial stdio \
		-kernel "$sluice_build/kernels/$1/vmlinux" -initrd "$sluice_build/kernels/$1/base.cpio" \
		-append "console=ttyS0 loglevel=3 panic=-1 sluice.probe"
	# shellcheck disable=SC2317 # called by wait_for
	qemu_probe_says() {
		grep -q 'sluice: probe VM reached its init' "$log" || process_gone "$pid"
	}
	wait_for 10 qemu_probe_says || true
	process_signal "$pid" KILL || true
	trap - INT TERM
	rm -f "$pid"
	grep -q 'sluice: probe VM reached its init' "$log"
}

# qemu_accel auto|kvm|tcg KERNEL -> kvm or tcg
qemu_accel() {
	local cache=$sluice_build/accel key

	if [[ $1 != auto ]]; then
		echo "$1"
		return
	fi
	# Another boot, another machine or another QEMU asks again.
	key="$(cat /proc/sys/kernel/random/boot_id) $("$lab_qemu" --version | head -n 1)"
	# Two labs that come up at once would both probe, and one forget the other's VM.
	exec 6>"$sluice_build/kvm-probe.lock"
	flock 6
	if [[ $(sed -n 2p "$cache" 2>/dev/null) != "$key" ]]; then
		if qemu_probe_kvm "$2"; then
			printf 'kvm\n%s\n' "$key" >"$cache"
		else
			[[ ! -e /dev/kvm ]] || say "KVM is there but does not work: emulating (see kvm-probe.log)"
			printf 'tcg\n%s\n' "$key" >"$cache"
		fi
	fi
	exec 6>&-
	head -n 1 "$cache"
}

# --------------------------------------------------------------------- VMs

# What each has: no devices but those named, a console that is logged, a monitor.
qemu_common_args() { # qemu_common_args VM ACCEL
	printf '%s\n' -name "sluice-$lab_name-$1" -machine q35 -accel "$2" \
		-display none -nodefaults -no-user-config -no-reboot \
		-chardev "socket,id=console,path=$lab_run/$1.console,server=on,wait=off,logfile=$lab_dir/$1/console.log,logappend=on" \
		-serial chardev:console \
		-qmp "unix:$lab_run/$1.qmp,server=on,wait=off"
}

# Emulation executes "rep movsb" byte by byte, but advertises it as fast; the kernel
# believes that, and copies and clears at a third of the speed it could have.
qemu_cpu() {
	local flag cpu=max
	if [[ $lab_accel == tcg ]]; then
		for flag in $("$lab_qemu" -cpu help | grep -owE 'erms|fsrm|fzrm|fsrs|fsrc'); do
			cpu+=,-$flag
		done
	fi
	echo "$cpu"
}

# qemu_memory MIB VM - what it gets: KASAN's shadow and quarantine and the notes of kmemleak
# take more than all the rest
qemu_memory() {
	[[ $(lab_vm_option kernel "$2") == debug ]] && echo 1280 || echo "$1"
}

# A kernel of the lab with the image and the files of this VM.
qemu_linux_args() { # qemu_linux_args VM
	local kernel dir=$lab_dir/$1 more=
	kernel=$(lab_vm_option kernel "$1")
	# Each report of KASAN counts, not only the first.
	[[ $kernel != debug ]] || more=kasan_multi_shot
	cat "$sluice_build/kernels/$kernel/base.cpio" "$dir/overlay.cpio" >"$dir/initrd.cpio"
	printf '%s\n' -cpu "$(qemu_cpu)" -kernel "$sluice_build/kernels/$kernel/vmlinux" \
		-initrd "$dir/initrd.cpio" \
		-append "console=ttyS0 no_timer_check $qemu_cmdline $more ${lab_cmdline:-}" \
		-netdev "user,id=mgmt,restrict=on,hostfwd=tcp:127.0.0.1:0-$(vm_mgmt_addr "$1"):22" \
		-device "virtio-net-pci,netdev=mgmt,mac=$(vm_mgmt_mac "$1"),romfile="
}

# The outside client listens on the wire and the driver domain connects, so the
# driver domain can come late and can reboot.
qemu_client_args() {
	printf '%s\n' -smp 1 -m "$(qemu_memory 448 client)" \
		-netdev "stream,id=wire,server=on,addr.type=unix,addr.path=$lab_run/wire.sock" \
		-device "$lab_nic,netdev=wire,mac=$(vm_mac client),romfile="
}

qemu_wire_args() { # qemu_wire_args VM [,PROPERTY=VALUE]
	local wire=wire

	[[ ! $lab_nic1 ]] || wire=nic0
	printf '%s\n' \
		-netdev "stream,id=wire,server=off,addr.type=unix,addr.path=$lab_run/wire.sock" \
		-device "$lab_nic,netdev=$wire,mac=$(vm_mac "$1"),romfile=${2:-}"
	[[ ! $lab_nic1 ]] || printf '%s\n' -netdev hubport,hubid=1,id=line,netdev=wire \
		-netdev hubport,hubid=1,id=nic0 -netdev hubport,hubid=1,id=nic1 \
		-device "$lab_nic1,netdev=nic1,mac=$(vm_nic1_mac "$1"),romfile="
}

# qemu_start VM ARG... - and write down how ssh reaches it
qemu_start() {
	local v=$1 dir=$lab_dir/$1 port
	shift

	rm -f "$lab_run/$v".{console,qmp}
	{
		printf '# %s\n' "$(date -u)"
		quote_words "$lab_qemu" "$@"
		echo
	} >>"$dir/qemu.log"
	process_start "$dir/pid" "$dir/qemu.log" "$lab_qemu" "$@"
	# shellcheck disable=SC2317 # called by wait_for
	qemu_listens() {
		process_alive "$dir/pid" || return 0
		port=$(qemu_ssh_port "$v") && [[ $port ]]
	}
	if ! wait_for 20 qemu_listens || process_gone "$dir/pid"; then
		tail -n 5 "$dir/qemu.log" >&2
		die "QEMU of VM '$v' does not start; its output: $dir/qemu.log"
	fi
	vm_ssh_config "$v" "$port"
}

qemu_stop() {
	vm_hangup "$1"
	process_stop "$lab_dir/$1/pid"
}

# qmp VM JSON... - the answers, one per line
qemu_qmp() {
	local v=$1
	shift
	{
		printf '%s\n' '{"execute":"qmp_capabilities"}' "$@"
	} | socat -t 20 -T 60 - "UNIX-CONNECT:$lab_run/$v.qmp" 2>/dev/null
}

# qemu_ssh_port VM [ADDRESS] - the port of this machine that leads to the VM, or to
# an address inside of it. QEMU chose it itself: nobody can take it in between.
qemu_ssh_port() {
	qemu_qmp "$1" '{"execute":"human-monitor-command","arguments":{"command-line":"info usernet"}}' |
		grep -o 'HOST_FORWARD\][^\\]*' |
		awk -v to="${2:-}" 'to == "" || $5 == to { print $4; exit }'
}
