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
# shellcheck disable=SC2034,SC2154 # hv_provider is for them, lab_* are sluice-lab's

hv_provider=sluice_ivshmem

hv_domains() { # those that have their console elsewhere
	:
}

hv_vm_memory() {
	case $1 in
	driver | solo) echo 640 ;;
	*) echo 448 ;;
	esac
}

hv_qemu() {
	"$here/packages" qemu
}

hv_check() {
	qemu_check
	qemu_has_device ivshmem-doorbell ||
		die "$lab_qemu has no ivshmem-doorbell device"
}

hv_accel() {
	qemu_accel "$@"
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
		"$(hv_regiond_program)" --keep -c "$lab_dir/regiond.conf"
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

hv_services_must_run() { # hv_services_must_run VM: what it connects to when it starts
	[[ $(vm_role "$1") == @(driver|guest) ]] && process_gone "$lab_dir/regiond.pid" || return 0
	die "VM '$1' cannot start: the region server is $(hv_region_server_gone)"
}

# VMs that run have their memory and doorbells, and go on without it. No other one is
# started here: it would have other memory, and not know them.
hv_region_server_gone() {
	echo "gone (see $lab_dir/regiond.log):" \
		"sluice-lab down --name $lab_name, then up"
}

hv_services_status() {
	local state="not running"

	[[ $lab_vms != solo ]] || return 0
	if process_alive "$lab_dir/regiond.pid"; then
		state="running, pid $(process_pid "$lab_dir/regiond.pid")"
	elif [[ -f $lab_dir/regiond.pid ]]; then # down takes it away
		state=$(hv_region_server_gone)
	fi
	printf '%-32s %s\n' "region server" "$state"
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
	local v=$1 role args g
	role=$(vm_role "$v")

	mapfile -t args < <(qemu_common_args "$v" "$lab_accel" && qemu_linux_args "$v")
	# Two emulated processors although one would do: with one, QEMU emulates atomic
	# operations in a way that does not hold between two QEMU processes.
	[[ $role == client ]] || args+=(-smp 2 -m "$(qemu_memory "$(hv_vm_memory "$role")" "$v")")
	case $role in
	client) mapfile -t -O ${#args[@]} args < <(qemu_client_args) ;;
	driver)
		mapfile -t -O ${#args[@]} args < <(qemu_wire_args "$v")
		for ((g = 1; g <= lab_guests; g++)); do
			mapfile -t -O ${#args[@]} args < <(hv_region_device $g)
		done
		;;
	guest) mapfile -t -O ${#args[@]} args < <(hv_region_device "${v#guest}") ;;
	esac
	qemu_start "$v" "${args[@]}"
}

hv_vm_alive() {
	process_alive "$lab_dir/$1/pid"
}

# A VM of QEMU is gone when its process is.
hv_look() {
	:
}

hv_vm_stop() {
	qemu_stop "$1"
}

# What stands in the logs is there as soon as the VM has said it.
hv_console() {
	say "console of $1; Ctrl-] leaves"
	socat -,raw,echo=0,escape=0x1d "UNIX-CONNECT:$lab_run/$1.console"
}
