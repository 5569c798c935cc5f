# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The lab on Xen, without root: Xen and its domains live inside one QEMU.
#
#   client           ┌ QEMU ──────────────────────────────────────────┐
#   nic0 ──wire──────┼─ e1000e ─ driver                        guestN │
#        unix stream │  passed   nic0 ┐                          ┌ sl0│
#                    │  through       br0 ── sl-guestN ═ grants ═┘    │
#                    │                └──── vifN.1 ─ netback ─ stock0 │ (--stock)
#                    │  dom0: xl, xenstore, sluicectl xen             │
#                    └────────────────────────────────────────────────┘
#
# mgmt0 of dom0 is a bridge with a user-mode network of QEMU behind it and an
# ordinary vif of every domain on it: each domain has an address there to which a
# port of this machine leads. Consoles of the domains come out through ports of a
# virtio console, so what a domain said last is in its console.log here.
#
# With --driver-domain dom0 there is no other one: "driver" and dom0 are the same VM.
# shellcheck disable=SC2034,SC2154 # hv_provider is for them, others are sluice-lab's

# QEMU's emulation of what is left out breaks dom0 (SMAP) or corrupts the user space
# of PV domains (XSAVE and all that needs it).
hv_cpu_without=,-smap,-xsave,-avx,-avx2,-pku,-rdtscp
hv_nic_slot=00:04.0
hv_provider=sluice_xen

hv_dom0() {
	[[ $lab_driver_domain == dom0 ]] && echo driver || echo dom0
}

hv_is_domu() {
	[[ $1 != client && $1 != "$(hv_dom0)" ]]
}

hv_domains() {
	local v out=
	for v in $lab_vms; do
		! hv_is_domu "$v" || out+=" $v"
	done
	echo "${out# }"
}

hv_vm_memory() {
	case $1 in
	"$(hv_dom0)") echo 768 ;;
	driver) echo 640 ;;
	*) echo 384 ;;
	esac
}

# The one that hv qemu takes, but a PVH domain ends there before its first word (seen with
# 10.0.2). What is wrong with the old one needs two processors.
hv_qemu() {
	local v
	for v in $(hv_domains); do
		[[ $(lab_vm_option type "$v") == pv ]] || {
			type -P qemu-system-x86_64
			return
		}
	done
	"$here/packages" qemu
}

hv_check() {
	qemu_check
	qemu_has_device intel-iommu || die "$lab_qemu has no intel-iommu device"
}

hv_accel() {
	qemu_accel "$@"
}

hv_services_start() {
	:
}

hv_services_stop() {
	:
}

hv_services_must_run() {
	:
}

hv_services_status() {
	:
}

# -------------------------------------------------------------------- dom0

# What dom0 starts domains from, one kernel and image of each version in use: disks, so
# that only what is read is copied, and the reading is QEMU's work.
hv_disk_args() {
	local kernels=' ' v kernel
	for v in $(hv_domains); do
		kernel=$(lab_vm_option kernel "$v")
		[[ $kernels != *" $kernel "* ]] || continue
		kernels+="$kernel "
		hv_disk "vmlinux-$kernel" "$sluice_build/kernels/$kernel/vmlinux"
		hv_disk "base-$kernel" "$sluice_build/kernels/$kernel/base.cpio"
	done
	hv_disk xen-tools "$sluice_build/xen/$lab_xen/tools.cpio"
}

hv_disk() { # hv_disk NAME FILE: NAME is its serial number
	printf '%s\n' -drive "if=none,id=$1,file=$2,format=raw,read-only=on" \
		-device "virtio-blk-pci,drive=$1,serial=$1"
}

hv_start_dom0() {
	local v=$1 dir=$lab_dir/$1 args memory=512 d forward='' kernel xen append
	kernel=$(lab_vm_option kernel "$v")
	xen=$sluice_build/xen/$lab_xen

	cat "$sluice_build/kernels/$kernel/base.cpio" "$dir/overlay.cpio" "$xen/tools.cpio" \
		>"$dir/initrd.cpio"
	for d in $lab_vms; do
		[[ $d != client ]] || continue
		memory=$((memory + $(hv_vm_memory "$d")))
		forward+=",hostfwd=tcp:127.0.0.1:0-$(vm_mgmt_addr "$d"):22"
	done
	mapfile -t args < <(qemu_common_args "$v" "$([[ $lab_accel == tcg ]] && echo tcg,thread=multi || echo "$lab_accel")")
	args+=(-machine kernel-irqchip=split -smp 1 -m "$memory" -cpu "$(qemu_cpu)$hv_cpu_without")
	append="console=com1 com1=115200,8n1 dom0_mem=$(hv_vm_memory "$v")M,max:$(hv_vm_memory "$v")M"
	append+=" dom0_max_vcpus=1 noreboot loglvl=info guest_loglvl=info spec-ctrl=no xpti=no"
	args+=(-kernel "$xen/xen" -append "$append ${lab_xen_cmdline:-}")
	# The files that Xen is given, each with its arguments; a comma would end them.
	append="console=hvc0 tsc=unstable clocksource=xen $qemu_cmdline ${lab_cmdline:-}"
	append="$sluice_build/kernels/$kernel/vmlinux ${append//,/,,}"
	append+=",$dir/initrd.cpio"
	args+=(-initrd "$append" -device "intel-iommu,intremap=on"
		-netdev "user,id=mgmt,restrict=on$forward"
		-device "virtio-net-pci,netdev=mgmt,mac=$(vm_mgmt_mac "$v"),romfile=,addr=0x3"
		-device "virtio-serial-pci,max_ports=31")
	mapfile -t -O ${#args[@]} args < <(qemu_wire_args driver ",addr=0x4" && hv_disk_args)
	for d in $(hv_domains); do
		mkdir -p "$lab_dir/$d"
		rm -f "$lab_dir/$d/started"
		args+=(-chardev "file,id=log-$d,path=$lab_dir/$d/console.log,append=on"
			-device "virtserialport,chardev=log-$d,name=$d")
	done
	qemu_start "$v" "${args[@]}"
	vm_ssh_config "$v" "$(qemu_ssh_port "$v" "$(vm_mgmt_addr "$v")")"
}

# ----------------------------------------------------------------- domains

# The configuration as xl reads it.
hv_domain_config() {
	local v=$1 role kernel type vifs
	role=$(vm_role "$v")
	kernel=$(lab_vm_option kernel "$v")
	type=$(lab_vm_option type "$v")

	vifs="'mac=$(vm_mgmt_mac "$v"),bridge=mgmt0,script=vif-lab'"
	if [[ $role == guest ]] && ((lab_stock)); then
		vifs+=", 'mac=$(vm_stock_mac "$v"),backend=$(hv_backend),bridge=br0,script=vif-lab'"
	fi
	cat <<-END
		name = "$v"
		type = "$type"
		kernel = "/run/disks/vmlinux-$kernel"
		ramdisk = "/run/domains/$v/initrd.cpio"
		extra = "console=hvc0 tsc=unstable clocksource=xen $qemu_cmdline ${lab_cmdline:-}"
		memory = $(hv_vm_memory "$v")
		vcpus = 1
		vif = [ $vifs ]
		on_poweroff = "destroy"
		on_reboot = "destroy"
		on_crash = "destroy"
		tsc_mode = "native"
	END
	[[ $role != driver ]] || printf 'driver_domain = 1\npci = [ "%s" ]\n' "$hv_nic_slot"
	printf '%s' "$lab_xl_config"
}

hv_backend() {
	[[ $lab_driver_domain == dom0 ]] && echo 0 || echo driver
}

hv_create() {
	tar -C "$lab_dir/$1" -cf - overlay.cpio domain.cfg |
		vm_exec "$(hv_dom0)" /sbin/domain create "$1" "$(lab_vm_option kernel "$1")"
}

hv_start_domu() {
	local v=$1 dir=$lab_dir/$1 d

	vm_wait_ready "$(hv_dom0)" "$lab_boot_timeout"
	# One after the other: all share one emulated processor, and xl waits only 10 s for the
	# backend of a vif to answer. Whether they have come up is asked at the end.
	for d in $(hv_domains); do
		[[ $d == "$v" ]] || ! vm_alive "$d" || wait_for 300 vm_ready "$d" || true
	done
	hv_domain_config "$v" >"$dir/domain.cfg"
	# Once more, as a machine that stands still uses up those 10 s, too.
	hv_create "$v" || {
		say "domain '$v' does not start: once more"
		vm_exec "$(hv_dom0)" /sbin/domain destroy "$v" </dev/null
		hv_create "$v"
	} || die "domain '$v' does not start; $dir/domain.cfg, $lab_dir/$(hv_dom0)/console.log"
	vm_ssh_config "$v" "$(qemu_ssh_port "$(hv_dom0)" "$(vm_mgmt_addr "$v")")"
	touch "$dir/started"
	hv_attach_all "$v"
}

# What a toolstack does for our device once both domains are there. A driver domain
# that was started anew is another domain: the guest's device is handed over to it.
hv_attach() {
	local v=$1 bytes
	bytes=$(($(number_of_bytes "$lab_window") - (2 << 20)))
	vm_exec "$(hv_dom0)" sluicectl xen attach --backend "$(hv_backend)" --frontend "$v" \
		--mac "$(vm_mac "$v")" --max-size $bytes --pairs "$lab_pairs" </dev/null ||
		die "sluicectl xen attach of '$v' failed"
}

hv_attach_all() { # hv_attach_all driver|guestN, which has just been started
	local v
	((!lab_bare)) && vm_alive driver || return 0
	for v in $lab_vms; do
		[[ $(vm_role "$v") == guest && ($1 == driver || $1 == "$v") ]] || continue
		! vm_alive "$v" || hv_attach "$v"
	done
}

# ---------------------------------------------------------------------- VMs

hv_vm_start() {
	local v=$1 args

	case $v in
	client)
		mapfile -t args < <(qemu_common_args "$v" "$lab_accel" && qemu_linux_args "$v" &&
			qemu_client_args)
		qemu_start "$v" "${args[@]}"
		;;
	"$(hv_dom0)") hv_start_dom0 "$v" ;;
	*) hv_start_domu "$v" ;;
	esac
}

# A domain that crashed is asked for nowhere here: this is called for each command.
hv_vm_alive() {
	hv_is_domu "$1" || {
		process_alive "$lab_dir/$1/pid"
		return
	}
	[[ -f $lab_dir/$1/started ]] && process_alive "$lab_dir/$(hv_dom0)/pid"
}

# Asks Xen: a domain that crashed, or that somebody destroyed in dom0, was started no more.
hv_look() {
	local v there

	process_alive "$lab_dir/$(hv_dom0)/pid" || return 0
	there=$(timeout 30 "${BASH_SOURCE[0]%/hv/*}/sluice-lab" exec --name "$lab_name" \
		"$(hv_dom0)" -- xl list </dev/null) || return 0
	for v in $(hv_domains); do
		[[ -f $lab_dir/$v/started ]] || continue
		grep -q "^$v " <<<"$there" || {
			vm_hangup "$v"
			rm -f "$lab_dir/$v/started"
		}
	done
}

hv_vm_stop() {
	if hv_is_domu "$1"; then
		vm_hangup "$1"
		vm_exec "$(hv_dom0)" /sbin/domain destroy "$1" </dev/null
		rm -f "$lab_dir/$1/started"
	else
		qemu_stop "$1"
	fi
}

hv_console() {
	if hv_is_domu "$1"; then
		say "console of $1; Ctrl-] leaves"
		vm_exec "$(hv_dom0)" xl console "$1"
	else
		say "console of $1 and Xen; Ctrl-] leaves, Ctrl-a three times goes between them"
		socat -,raw,echo=0,escape=0x1d "UNIX-CONNECT:$lab_run/$1.console"
	fi
}
