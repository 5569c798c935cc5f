# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What a VM needs beside its image, and when the lab's network is ready.
# shellcheck disable=SC2154 # here and lab_* are sluice-lab's, hv_* are those of hv/

# Files that only this VM has: who it is, keys, module parameters.
lab_overlay() {
	local v=$1 dir=$lab_dir/$1 role extra modules='' stock=''
	role=$(vm_role "$v")
	((!lab_stock)) || stock=$(vm_stock_addr "$v")/24
	extra=$dir/overlay

	rm -rf "$extra"
	mkdir -p "$extra"/{etc/lab,etc/modprobe.d,root/.ssh}
	chmod 755 "$extra"
	chmod 700 "$extra/root" "$extra/root/.ssh"
	install -m 600 "$lab_dir/keys/id.pub" "$extra/root/.ssh/authorized_keys"
	install -m 600 "$lab_dir/keys/hostkey" "$extra/etc/lab/hostkey"
	printf '%s' "$lab_options" >"$extra/etc/modprobe.d/sluice-lab.conf"
	if ((!lab_bare)); then
		case $role in
		driver)
			modules="$hv_provider sluice_back"
			printf 'options sluice_back pairs=%s\n' "$lab_pairs" \
				>>"$extra/etc/modprobe.d/sluice-lab.conf"
			;;
		guest)
			modules="$hv_provider sluice_front"
			printf 'options sluice_front driver=%s\n' "$(lab_vm_option driver "$v")" \
				>>"$extra/etc/modprobe.d/sluice-lab.conf"
			;;
		esac
	fi
	# The card is passed through to another domain.
	[[ $role != dom ]] || printf 'blacklist %s\n' "$lab_nic" \
		>>"$extra/etc/modprobe.d/sluice-lab.conf"
	cat >"$extra/etc/lab/config" <<-END
		LAB_VM=$v
		LAB_ROLE=$role
		LAB_MGMT_MAC=$(vm_mgmt_mac "$v")
		LAB_MGMT_ADDR=$(vm_mgmt_addr "$v")/24
		LAB_MAC=$(vm_mac "$v")
		LAB_NIC1_MAC=$(vm_nic1_mac "$v")
		LAB_ADDR4=$(vm_addr4 "$v")/24
		LAB_ADDR6=$(vm_addr6 "$v")/64
		LAB_STOCK_MAC=$(vm_stock_mac "$v")
		LAB_STOCK_ADDR=$stock
		LAB_DOMAINS="$(hv_domains)"
		LAB_MODULES="$modules"
	END
	"$here/image" overlay "$(lab_vm_option kernel "$v")" "$dir/overlay.cpio" "$extra"
}

# shellcheck disable=SC2317 # called by wait_for
lab_has_carrier() {
	[[ $(vm_exec "$1" cat "/sys/class/net/$2/carrier" </dev/null 2>/dev/null) == 1 ]]
}

# shellcheck disable=SC2317 # called by wait_for
lab_reaches() { # lab_reaches ADDRESS: the client does
	vm_exec client ping -q -c 1 -W 1 "$1" </dev/null >/dev/null 2>&1
}

lab_wait_carrier() {
	wait_for 90 lab_has_carrier "$1" "$2" && return
	vm_exec "$1" sh -c 'ip -br link; dmesg | grep -i sluice | tail' </dev/null >&2 || true
	die "$1: no carrier on $2; its console: $lab_dir/$1/console.log"
}

# Xen's own devices, when asked for.
lab_wait_stock() {
	local g

	((lab_stock)) && vm_alive client || return 0
	for ((g = 1; g <= lab_guests; g++)); do
		vm_alive guest$g || continue
		lab_wait_carrier guest$g stock0
		wait_for 20 lab_reaches "$(vm_stock_addr guest$g)" ||
			die "client does not reach stock0 of guest$g ($(vm_stock_addr guest$g))"
	done
}

lab_wait_network() {
	local v g guests=

	((!lab_solo)) || return 0
	if vm_alive client && vm_alive driver; then
		lab_wait_carrier driver nic0
		lab_wait_carrier client nic0
	fi
	vm_alive driver || return 0
	lab_wait_stock
	((!lab_bare)) || return 0
	for ((g = 1; g <= lab_guests; g++)); do
		vm_alive guest$g || continue
		guests+=" guest$g"
		lab_wait_carrier driver sl-guest$g
		lab_wait_carrier guest$g sl0
		# The kernel's own driver has no use for data segments: every frame bounces.
		[[ $(lab_vm_option driver guest$g) == front ]] || continue
		vm_exec driver sluicectl dest set guest$g size "$lab_size" </dev/null ||
			die "region of guest$g cannot have $lab_size"
	done
	vm_alive client || return 0
	for v in driver $guests; do
		wait_for 20 lab_reaches "$(vm_addr4 "$v")" ||
			die "client does not reach $v ($(vm_addr4 "$v"))"
	done
}
