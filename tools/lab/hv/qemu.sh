# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The lab on plain QEMU, without root:
#
#   client            driver                                   guestN
#   nic0 ──wire────── nic0 ┐                                     ┌ sl0
#        unix stream       br0 ── sl-guestN ═══ ivshmem ═══════ ┘
#                                        memory and doorbells of
#                                        sluice-regiond, one socket each
#
# Each VM also has mgmt0, a user-mode network that leads nowhere but from a free
# port of this machine's loopback interface to the VM's ssh port.
#
# The client listens on the wire and the driver domain connects, so the driver
# domain can come late and can reboot.
# shellcheck disable=SC2154 # lab_* are sluice-lab's

hv_vm_memory() {
	case $1 in
	client) echo 448 ;;
	driver | solo) echo 640 ;;
	*) echo 448 ;;
	esac
}

hv_has_device() { # its status is 0 for a device that is not there, too
	[[ $("$lab_qemu" -device "$1,help" 2>/dev/null) == "$1 options"* ]]
}

hv_check() {
	local text
	text=$("$lab_qemu" --version 2>&1) ||
		die "'$lab_qemu' does not run (tools/lab/packages host lab, or name one with --qemu): $text"
	hv_has_device ivshmem-doorbell ||
		die "$lab_qemu has no ivshmem-doorbell device"
	hv_has_device "$lab_nic" ||
		die "$lab_qemu has no NIC '$lab_nic' (igb needs QEMU 8 or newer: tools/lab/packages qemu)"
}

# ------------------------------------------------------------- accelerator

# /dev/kvm may exist and hang with the first instruction of a guest. What counts
# is that a VM gets to its init.
hv_probe_kvm() {
	local log=$sluice_build/kvm-probe.log pid=$sluice_build/kvm-probe.pid

	[[ -w /dev/kvm ]] || return 1
	: >"$log"
	process_start "$pid" "$log" "$lab_qemu" -accel kvm -machine q35 -cpu max -m 320 \
		-display none -nodefaults -no-user-config -no-reboot -serial stdio \
		-kernel "$sluice_build/kernels/$1/vmlinux" -initrd "$sluice_build/kernels/$1/base.cpio" \
		-append "console=ttyS0 loglevel=3 panic=-1 sluice.probe"
	# shellcheck disable=SC2317 # called by wait_for
	hv_probe_says() {
		grep -q 'sluice: probe VM reached its init' "$log" || process_gone "$pid"
	}
	wait_for 10 hv_probe_says || true
	process_signal "$pid" KILL || true
	rm -f "$pid"
	grep -q 'sluice: probe VM reached its init' "$log"
}

# hv_accel auto|kvm|tcg KERNEL -> kvm or tcg
hv_accel() {
	local cache=$sluice_build/accel key

	if [[ $1 != auto ]]; then
		echo "$1"
		return
	fi
	# Another boot, another machine or another QEMU asks again.
	key="$(cat /proc/sys/kernel/random/boot_id) $("$lab_qemu" --version | head -n 1)"
	if [[ $(sed -n 2p "$cache" 2>/dev/null) != "$key" ]]; then
		if hv_probe_kvm "$2"; then
			printf 'kvm\n%s\n' "$key" >"$cache"
		else
			[[ ! -e /dev/kvm ]] || say "KVM is there but does not work: emulating (see kvm-probe.log)"
			printf 'tcg\n%s\n' "$key" >"$cache"
		fi
	fi
	head -n 1 "$cache"
}

# ------------------------------------------------------------ region server

hv_regiond_program() {
	echo "${SLUICE_REGIOND:-$sluice_build/regiond/sluice-regiond}"
}

hv_services_start() {
	local g sep='' window

	window=$(number_of_bytes "$lab_window")
	{
		printf '{\n\t"control": "%s/regiond.sock",\n' "$lab_run"
		printf '\t"directory": "%s",\n' "$lab_run"
		printf '\t"total": "%d",\n' $((window * lab_guests))
		printf '\t"destinations": [\n'
		for ((g = 1; g <= lab_guests; g++)); do
			printf '%s\t\t{ "name": "guest%d", "window": "%s", "pairs": %d, "mac": "%s" }' \
				"$sep" $g "$window" "$lab_pairs" "$(vm_mac guest$g)"
			sep=$',\n'
		done
		printf '\n\t]\n}\n'
	} >"$lab_dir/regiond.conf"
	process_start "$lab_dir/regiond.pid" "$lab_dir/regiond.log" \
		"$(hv_regiond_program)" -c "$lab_dir/regiond.conf"
	# shellcheck disable=SC2317 # called by wait_for
	hv_regiond_listens() {
		local g
		process_alive "$lab_dir/regiond.pid" || return 0
		for ((g = 1; g <= lab_guests; g++)); do
			[[ -S $lab_run/guest$g.sock ]] || return 1
		done
	}
	if ! wait_for 10 hv_regiond_listens || process_gone "$lab_dir/regiond.pid"; then
		cat "$lab_dir/regiond.log" >&2
		die "the region server does not start ($lab_dir/regiond.conf)"
	fi
}

hv_services_stop() {
	[[ ! -f $lab_dir/regiond.pid ]] || process_stop "$lab_dir/regiond.pid"
}

# ---------------------------------------------------------------------- VMs

hv_region_device() { # hv_region_device N: root port and device of destination guestN
	# 64-bit window above 4 GiB: below it the memory would be uncached.
	printf '%s\n' \
		-device "pcie-root-port,id=rp$1,chassis=$1,slot=$1,bus=pcie.0,pref64-reserve=$(hv_reserve),io-reserve=0" \
		-chardev "socket,id=region$1,path=$lab_run/guest$1.sock" \
		-device "ivshmem-doorbell,id=dest$1,bus=rp$1,chardev=region$1,vectors=9"
}

hv_reserve() {
	local bytes
	bytes=$(number_of_bytes "$lab_window")
	# The bridge's own granularity, and some room beside the BAR.
	echo $((bytes < 512 << 20 ? 1 << 30 : bytes * 2))
}

hv_vm_start() {
	local v=$1 dir=$lab_dir/$1 role smp=2 args g port kernel
	role=$(vm_role "$v")
	kernel=$(lab_vm_option kernel "$v")
	# Two emulated processors although one would do: with one, QEMU emulates atomic
	# operations in a way that does not hold between two QEMU processes.
	[[ $role != client ]] || smp=1

	cat "$sluice_build/kernels/$kernel/base.cpio" "$dir/overlay.cpio" >"$dir/initrd.cpio"
	args=(
		-name "sluice-$lab_name-$v" -machine q35 -accel "$lab_accel" -cpu max
		-smp "$smp" -m "$(hv_vm_memory "$role")"
		-display none -nodefaults -no-user-config -no-reboot
		-kernel "$sluice_build/kernels/$kernel/vmlinux" -initrd "$dir/initrd.cpio"
		-append "console=ttyS0 loglevel=5 panic=-1 mitigations=off audit=0 apparmor=0 no_timer_check random.trust_cpu=on cryptomgr.notests watchdog_thresh=30 rcupdate.rcu_cpu_stall_timeout=150 rcupdate.rcu_cpu_stall_suppress_at_boot=1 ${lab_cmdline:-}"
		-chardev "socket,id=console,path=$lab_run/$v.console,server=on,wait=off,logfile=$dir/console.log,logappend=on"
		-serial chardev:console
		-qmp "unix:$lab_run/$v.qmp,server=on,wait=off"
		-netdev "user,id=mgmt,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"
		-device "virtio-net-pci,netdev=mgmt,mac=$(vm_mgmt_mac "$v"),romfile="
	)
	case $role in
	client)
		args+=(-netdev "stream,id=wire,server=on,addr.type=unix,addr.path=$lab_run/wire.sock"
			-device "$lab_nic,netdev=wire,mac=$(vm_mac "$v"),romfile=")
		;;
	driver)
		args+=(-netdev "stream,id=wire,server=off,addr.type=unix,addr.path=$lab_run/wire.sock"
			-device "$lab_nic,netdev=wire,mac=$(vm_mac "$v"),romfile=")
		for ((g = 1; g <= lab_guests; g++)); do
			mapfile -t -O ${#args[@]} args < <(hv_region_device $g)
		done
		;;
	guest) mapfile -t -O ${#args[@]} args < <(hv_region_device "${v#guest}") ;;
	esac
	rm -f "$lab_run/$v".{console,qmp}
	{
		printf '# %s\n' "$(date -u)"
		quote_words "$lab_qemu" "${args[@]}"
		echo
	} >>"$dir/qemu.log"
	process_start "$dir/pid" "$dir/qemu.log" "$lab_qemu" "${args[@]}"
	# shellcheck disable=SC2317 # called by wait_for
	hv_port() {
		process_alive "$dir/pid" || return 0
		port=$(hv_ssh_port "$v") && [[ $port ]]
	}
	if ! wait_for 20 hv_port || process_gone "$dir/pid"; then
		tail -n 5 "$dir/qemu.log" >&2
		die "QEMU of VM '$v' does not start; its output: $dir/qemu.log"
	fi
	vm_ssh_config "$v" "$port"
}

# qmp VM JSON... - the answers, one per line
hv_qmp() {
	local v=$1
	shift
	{
		printf '%s\n' '{"execute":"qmp_capabilities"}' "$@"
	} | socat -t 2 - "UNIX-CONNECT:$lab_run/$v.qmp" 2>/dev/null
}

# QEMU chose the port itself, so that nobody can take it in between.
hv_ssh_port() {
	hv_qmp "$1" '{"execute":"human-monitor-command","arguments":{"command-line":"info usernet"}}' |
		grep -o 'HOST_FORWARD\][^\\]*' | awk '{ print $4; exit }'
}

hv_vm_stop() {
	vm_hangup "$1"
	process_stop "$lab_dir/$1/pid"
}
