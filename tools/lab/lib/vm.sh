# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Commands and files in a VM, over ssh with kept connections. What a VM is called,
# where its files are and who may log in; nothing of how it is run.
# shellcheck disable=SC2154 # lab_* are sluice-lab's

# Places of a VM in the management network and on the wire.
vm_index() {
	case $1 in
	client) echo 1 ;;
	driver) echo 2 ;;
	solo) echo 3 ;;
	dom0) echo 4 ;;
	guest[1-9] | guest[1-9][0-9]) echo $((10 + ${1#guest})) ;;
	*) return 1 ;;
	esac
}

vm_role() {
	echo "${1%%[0-9]*}"
}

vm_addr4() {
	echo "10.77.0.$(vm_index "$1")"
}

vm_addr6() {
	echo "fd77::$(vm_index "$1")"
}

vm_mgmt_mac() {
	printf '52:54:00:53:00:%02x\n' "$(vm_index "$1")"
}

vm_mgmt_addr() {
	echo "10.0.2.$((100 + $(vm_index "$1")))"
}

vm_mac() {
	printf '52:54:00:53:01:%02x\n' "$(vm_index "$1")"
}

vm_nic1_mac() {
	printf '52:54:00:53:03:%02x\n' "$(vm_index "$1")"
}

# Xen's own network devices beside ours have a network of their own on the same wire.
vm_stock_mac() {
	printf '52:54:00:53:02:%02x\n' "$(vm_index "$1")"
}

vm_stock_addr() {
	echo "10.78.0.$(vm_index "$1")"
}

# vm_known NAME - exits with the list of those that exist
vm_known() {
	local v
	for v in $lab_vms; do
		[[ $v != "$1" ]] || return 0
	done
	say "no VM '$1' in lab '$lab_name'; there are: $lab_vms"
	exit 255
}

vm_dir() {
	echo "$lab_dir/$1"
}

vm_alive() {
	hv_vm_alive "$1"
}

vm_must_run() {
	vm_known "$1"
	vm_alive "$1" && return
	say "VM '$1' is not running; its console said last:"
	tail -n 5 "$lab_dir/$1/console.log" >&2 2>/dev/null || true
	exit 255 # as ssh does
}

# One key pair for us and one for all VMs, made for this lab.
vm_make_keys() {
	[[ -f $lab_dir/keys/known_host ]] && return
	rm -rf "$lab_dir/keys"
	mkdir -p "$lab_dir/keys"
	ssh-keygen -q -t ed25519 -N '' -C "sluice-lab" -f "$lab_dir/keys/id"
	dropbearkey -t ed25519 -f "$lab_dir/keys/hostkey" >"$lab_dir/keys/host.txt" 2>&1 ||
		die "dropbearkey: $(<"$lab_dir/keys/host.txt")"
	awk '$1 == "ssh-ed25519" { print "sluice-lab", $1, $2 }' \
		"$lab_dir/keys/host.txt" >"$lab_dir/keys/known_host.new"
	[[ -s $lab_dir/keys/known_host.new ]] || die "dropbearkey printed no public key"
	mv "$lab_dir/keys/known_host.new" "$lab_dir/keys/known_host"
}

# vm_ssh_config VM PORT - so that `ssh -F .../ssh_config VM` works as well
vm_ssh_config() {
	cat >"$lab_dir/$1/ssh_config" <<-END
		Host $1
		HostName 127.0.0.1
		Port $2
		User root
		IdentityFile $lab_dir/keys/id
		IdentitiesOnly yes
		IdentityAgent none
		UserKnownHostsFile $lab_dir/keys/known_host
		GlobalKnownHostsFile /dev/null
		HostKeyAlias sluice-lab
		StrictHostKeyChecking yes
		PasswordAuthentication no
		KexAlgorithms curve25519-sha256
		Ciphers chacha20-poly1305@openssh.com,aes128-ctr
		ConnectTimeout 10
		ServerAliveInterval 15
		ServerAliveCountMax 8
		LogLevel ERROR
		ControlPersist yes
	END
}

# A kept connection is made apart from any command, so that the process that stays
# behind holds nobody's pipes and locks. One at a time: dropbear talks to five strangers
# at most.
vm_connect() { # vm_connect VM PLACE
	local config=$lab_dir/$1/ssh_config
	if [[ ! -e $2.busy ]]; then
		ssh -F "$config" -S "$2" -O check "$1" >/dev/null 2>&1 && return
	elif [[ -S $2 ]]; then
		ssh -F "$config" -S "$2" -O exit "$1" >/dev/null 2>&1 || true
	fi
	rm -f "$2" "$2.busy"
	(
		flock 7
		# twice: ssh's ConnectTimeout is over at once where the machine stood still
		for _ in 1 2; do
			ssh -F "$config" -S "$2" -M -n -N -f "$1" </dev/null >/dev/null \
				2>>"$lab_dir/$1/ssh.log" 7>&- 8>&- 9>&- && break
		done
	) 7>"$lab_run/$1.connect"
}

# vm_ssh VM ARGUMENT... - over a connection that nobody else uses. A connection carries one
# command at a time: where one command ends while another is between "open" and "exec",
# dropbear before 2024.86 closes the other one, or itself when that goes on. A
# command that was killed here may still end there, so its connection is not used again.
vm_ssh() {
	local v=$1 n=1 place status=0
	shift
	[[ -d $lab_run ]] || return 255
	# The lock goes to ssh as well: who ends this shell has not ended the command.
	for (( ; ; n++)); do
		place=$lab_run/$v.ssh$n
		exec 8>"$place.lock"
		! flock -n 8 || break
	done
	if vm_connect "$v" "$place"; then
		: >"$place.busy"
		ssh -F "$lab_dir/$v/ssh_config" -S "$place" "$@" || status=$?
		((status >= 128)) || rm -f "$place.busy"
	else
		status=255
	fi
	exec 8>&-
	return "$status"
}

# vm_exec VM WORD... - the command's own output, input and exit status; 255 means
# that the VM could not be reached
vm_exec() {
	local v=$1 tty=()
	shift
	[[ -t 0 && -t 1 ]] && tty=(-t)
	vm_ssh "$v" "${tty[@]}" "$v" "$(quote_words "$@")"
}

vm_hangup() {
	local place
	for place in "$lab_run/$1".ssh*; do
		[[ -S $place ]] || continue
		ssh -F "$lab_dir/$1/ssh_config" -S "$place" -O exit "$1" >/dev/null 2>&1 || true
		rm -f "$place"
	done
}

vm_ready() {
	vm_exec "$1" true </dev/null >/dev/null 2>&1
}

vm_ready_or_dead() {
	vm_ready "$1" || ! vm_alive "$1"
}

vm_answers() { # vm_answers VM SECONDS - within that time, unless it dies before
	within "$2" vm_ready_or_dead "$1" && vm_alive "$1"
}

vm_give_up() { # vm_give_up VM SECONDS - says why it does not answer, and ends all
	tail -n 15 "$lab_dir/$1/console.log" >&2
	if vm_alive "$1"; then
		die "VM '$1' does not answer within $2 s; its console: $lab_dir/$1/console.log"
	fi
	tail -n 5 "$lab_dir/$1/qemu.log" >&2
	die "VM '$1' died while booting; see $lab_dir/$1/console.log and $lab_dir/$1/qemu.log"
}

vm_wait_ready() { # vm_wait_ready VM SECONDS
	vm_answers "$@" || vm_give_up "$@"
}

# vm_push VM FILE DEST - DEST as for cp; what a program needs to run comes along
vm_push() {
	local v=$1 file=$2 dest=$3 name stage lib mode

	[[ -e $file ]] || die "no file '$file'"
	name=$(basename "$file")
	if [[ $dest == */ ]] || vm_exec "$v" test -d "$dest" </dev/null; then
		dest=${dest%/}/$name
	fi
	if [[ -d $file ]]; then
		vm_exec "$v" mkdir -p "$dest" </dev/null
		tar -C "$file" -cf - . | vm_exec "$v" tar -xf - -C "$dest"
		return
	fi
	stage=$(mktemp -d "$lab_dir/push.XXXXXX")
	while read -r lib; do
		mkdir -p "$stage$(dirname "$lib")"
		cp -L "$lib" "$stage$lib"
	done < <(libraries_of "$file")
	if [[ -n $(ls -A "$stage") ]]; then
		# Libraries of the base image stay as they are: same machine, same files.
		# shellcheck disable=SC2016 # for the shell in the VM
		tar -C "$stage" -cf - . | vm_exec "$v" sh -c '
			d=/tmp/.push.$$ && mkdir $d && tar -xf - -C $d && cd $d &&
			find . -type f | while read -r f; do
				[ -e "/$f" ] || { mkdir -p "/${f%/*}" && mv "$f" "/$f"; }
			done; cd / && rm -rf $d'
	fi
	rm -rf "$stage"
	mode=$(stat -L -c %a "$file")
	# shellcheck disable=SC2016 # for the shell in the VM
	vm_exec "$v" sh -c 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"' \
		sh "$dest" "$mode" <"$file"
}

# vm_pull VM FILE DEST
vm_pull() {
	local v=$1 file=$2 dest=$3 new

	if vm_exec "$v" test -d "$file" </dev/null; then
		mkdir -p "$dest"
		vm_exec "$v" tar -C "$file" -cf - . </dev/null | tar -C "$dest" -xf -
		return
	fi
	[[ -d $dest ]] && dest=${dest%/}/$(basename "$file")
	new=$(mktemp "$dest.XXXXXX" 2>/dev/null) || die "cannot write '$dest' here"
	if ! vm_exec "$v" cat "$file" </dev/null >"$new"; then
		rm -f "$new"
		die "no file '$file' in $v"
	fi
	chmod 644 "$new"
	mv "$new" "$dest"
}
