# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # lab and lab_name are lib.sh's
#
# The lab is a user's tool: what its verbs promise.

# vms_are KERNEL DRIVER [VM=KERNEL|VM=DRIVER]...: by their own word
vms_are() {
	local kernel=$1 driver=$2 v o want_kernel want_driver got
	shift 2
	for v in client driver guest1 guest2; do
		want_kernel=$kernel
		want_driver=$driver
		for o; do
			case $o in
			"$v"=[0-9]*) want_kernel=${o#*=} ;;
			"$v"=*) want_driver=${o#*=} ;;
			esac
		done
		got=$(vm $v uname -r)
		echo "$v: $got"
		[[ $got == "$want_kernel".* ]]
		[[ $v == guest* ]] || continue
		got=$(vm $v cat /sys/module/sluice_front/parameters/driver)
		echo "$v: $got"
		[[ $got == "$want_driver" ]]
	done
}

# Nothing can be made in that folder, so who does more than to print fails.
helps() { # helps COMMAND...
	local text
	text=$(SLUICE_BUILD=/proc/none "$@" </dev/null)
	echo "$*: ${text%%$'\n'*}"
	[[ $text == "Usage: "* ]]
}

help_everywhere() {
	local verb program
	helps "$lab" --help
	helps "$lab" --name x -h
	for verb in up exec push pull console status start stop dmesg-check down; do
		helps "$lab" $verb --help
		helps "$lab" $verb -h
		helps "$lab" $verb guest1 --name x --help
	done
	for program in lab/demo bench/sluice-{bench,bench-xen,scale}; do
		helps "$sluice_top/tools/$program" --help
		helps "$sluice_top/tools/$program" -h
	done
}

# Which lab a verb has looked for, in a folder without any.
looks_for() { # looks_for LAB WORD...
	local want=$1 text
	shift
	text=$(SLUICE_LAB=lab SLUICE_BUILD=$sluice_build/check/nothing "$lab" "$@" 2>&1 </dev/null) || true
	echo "$*: $text"
	[[ $text == *"there is no lab '$want'"* ]]
}

name_anywhere() {
	local verb
	for verb in status start stop dmesg-check down; do
		looks_for x --name x $verb
		looks_for x $verb --name x
	done
	looks_for x --name x exec driver -- sluicectl dest show --name foo
	looks_for x exec --name x driver -- sluicectl dest show --name foo
	looks_for lab exec driver -- sluicectl dest show --name foo
	looks_for lab exec driver -- sluicectl dest show --help
}

exec_passes_everything() {
	local out
	# shellcheck disable=SC2016 # not to be expanded
	out=$(vm guest1 printf '%s|' 'a  b' '$HOME' "it's" '*' '')
	# shellcheck disable=SC2016
	[[ $out == 'a  b|$HOME|it'"'"'s|*||' ]]
	out=$(printf 'from here' | "$lab" exec --name "$lab_name" guest1 -- cat)
	[[ $out == 'from here' ]]
	out=$(vm guest1 sh -c 'echo err >&2' 2>&1 >/dev/null)
	[[ $out == err ]]
	out=$("$lab" --name "$lab_name" exec guest1 -- echo --name x -h -- --help </dev/null)
	[[ $out == '--name x -h -- --help' ]]
}

exec_status() {
	local s=0
	vm client sh -c 'exit 42' || s=$?
	((s == 42))
	s=0
	vm client false || s=$?
	((s == 1))
	s=0
	"$lab" exec --name "$lab_name" nobody -- true || s=$?
	((s == 255))
}

exec_in_turn() { # exec_in_turn WORD: twelve commands one after the other
	local i s out
	for ((i = 1; i <= 12; i++)); do
		s=0
		out=$(vm client sh -c "echo $1; exit $i") || s=$?
		[[ $s == "$i" && $out == "$1" ]] || {
			echo "$1, command $i: status $s, '$out'"
			return 1
		}
	done
}

# Short ones, so that many end while others begin; and one whose user goes away.
exec_at_once() {
	local word pid failed=0 pids=()
	"$lab" exec --name "$lab_name" client -- sleep 2 &
	pid=$!
	for word in a b c d e f; do
		exec_in_turn $word &
		pids+=($!)
	done
	kill $pid
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=1
	done
	((!failed))
}

push_pull() {
	local dir
	dir=$(mktemp -d)
	head -c 3000000 /dev/urandom >"$dir/a file"
	"$lab" push --name "$lab_name" guest1 "$dir/a file" "/tmp/pushed file"
	"$lab" pull --name "$lab_name" guest1 "/tmp/pushed file" "$dir/back"
	cmp "$dir/a file" "$dir/back"
	mkdir -p "$dir/tree/sub"
	echo x >"$dir/tree/sub/x"
	"$lab" push --name "$lab_name" guest1 "$dir/tree" /tmp/tree
	"$lab" pull --name "$lab_name" guest1 /tmp/tree "$dir/tree2"
	diff -r "$dir/tree" "$dir/tree2"
	rm -rf "$dir"
}

# A program of this machine whose libraries are not in the image.
runs_pushed_program() {
	"$lab" push --name "$lab_name" guest1 "$(command -v jq)" /usr/bin/jq
	[[ $(echo '{"a":7}' | "$lab" exec --name "$lab_name" guest1 -- jq .a) == 7 ]]
}

console_has_log() {
	"$lab" console --name "$lab_name" driver </dev/null | grep 'driver has booted'
}

# The log search would find something.
log_search_finds() {
	vm client sh -c 'echo "BUG: planted by the test" >/dev/kmsg'
	if "$lab" dmesg-check --name "$lab_name" --new; then
		return 1
	fi
	"$lab" dmesg-check --name "$lab_name" --new
}

second_up_refused() {
	local text
	if text=$("$lab" up --name "$lab_name" 2>&1); then
		return 1
	fi
	[[ $text == *"is up already"* ]]
}

bad_options() {
	local words
	for words in "--guests 0" "--guests x" "--window 63M" "--window 1G2" "--driver foo" \
		"--kernel 5.4" "--nic ne2000" "--size -3" "--kernel guest9=6.1" "--frob 1" "--pairs 9" \
		"--size 3M" "--size 64M" "--hv kvm" "--hv xen --xen 4.16" \
		"--hv xen --type hvm" "--hv xen --driver-domain guest1" "--stock" "--type pvh" \
		"--xl a=1" "--hv xen --xl vcpus" "--hv xen --solo" "--boot-timeout 0"; do
		# shellcheck disable=SC2086 # words
		if "$lab" up --name "$lab_name-bad" $words; then
			echo "up $words was accepted"
			return 1
		fi
	done
}

booting_or_over() { # booting_or_over PID FILE
	[[ -s $2 ]] || ! kill -0 "$1" 2>/dev/null
}

ctrl_c_until_gone() {
	! kill -INT -- "-$1" 2>/dev/null
}

# Ctrl-C while a VM boots, again and again by a user who does not like to wait.
interrupted_up_leaves_nothing() {
	local name=$lab_name-int dir=$sluice_build/lab/$lab_name-int pid status=0
	rm -f "$dir/client/pid"
	# A job in the background ignores the signal, unless told otherwise.
	setsid env --default-signal=INT "$lab" up --name "$name" --bare --vms client &
	pid=$!
	wait_for 120 booting_or_over $pid "$dir/client/pid"
	wait_for 30 ctrl_c_until_gone $pid
	wait $pid || status=$?
	echo "status $status"
	((status == 130))
	! pgrep -f "name sluice-$name-client"
	# shellcheck disable=SC1091 # made by sluice-lab
	[[ ! -e $(. "$dir/settings" && echo "$lab_run") ]]
}

# What the kernel says then, said by us: it cannot be made to.
wrong_clock_is_repeated() {
	local dir=$sluice_build/lab/$lab_name-clock up=$sluice_build/lab/$lab_name-clock.up pid status=0

	lab_name+=-clock # here and in what ends this shell
	trap '"$lab" down --name "$lab_name"' EXIT
	rm -f "$dir"/solo/{pid,ssh_config,console.hung}
	"$lab" up --name "$lab_name" --bare --solo 2>"$up" &
	pid=$!
	wait_for 120 booting_or_over $pid "$dir/solo/ssh_config"
	echo 'tsc: PIT calibration deviates' >>"$dir/solo/console.log"
	wait $pid || status=$?
	cat "$up"
	((status == 0))
	grep 'solo.*another speed: starting it once more' "$up"
	grep 'PIT calibration deviates' "$dir/solo/console.hung"
	"$lab" exec --name "$lab_name" solo -- true
}

hung_boot_is_repeated() {
	local dir=$sluice_build/lab/$lab_name-hung up=$sluice_build/lab/$lab_name-hung.up pid status=0

	lab_name+=-hung # here and in what ends this shell
	trap '"$lab" down --name "$lab_name"' EXIT
	rm -f "$dir"/client/{pid,ssh_config,console.hung}
	"$lab" up --name "$lab_name" --bare --vms client --boot-timeout 90 2>"$up" &
	pid=$!
	wait_for 120 booting_or_over $pid "$dir/client/ssh_config"
	kill -STOP "$(cut -d ' ' -f 1 "$dir/client/pid")"
	wait $pid || status=$?
	cat "$up"
	((status == 0))
	grep 'client.*starting it once more' "$up"
	[[ -e $dir/client/console.hung ]]
	vm client true
}

region_server_is() { # region_server_is STATE
	"$lab" status --name "$lab_name" | grep "^region server  *$1"
}

# For good: not the server, which would be started again, but what keeps it.
region_server_goes() {
	local pidfile=$sluice_build/lab/$lab_name-gone/regiond.pid text

	lab_name+=-gone # here and in what ends this shell
	trap '"$lab" down --name "$lab_name"' EXIT
	"$lab" up --name "$lab_name" --bare --vms client
	region_server_is "running, pid $(cut -d ' ' -f 1 "$pidfile")"
	kill -KILL "$(cut -d ' ' -f 1 "$pidfile")"
	wait_for 10 region_server_is "gone .*sluice-lab down --name $lab_name, then up"
	text=$("$lab" start --name "$lab_name" guest1 2>&1) && return 1
	echo "$text"
	[[ $text == *"region server is gone"*"sluice-lab down --name $lab_name, then up" ]]
	[[ $text != *$'\n'* ]]
	vm client true
	"$lab" down --name "$lab_name"
	region_server_is "not running"
}

# The QEMU that this machine has itself, where the lab prefers another one.
own_qemu_carries() {
	lab_name+=-own # here and in what ends this shell
	trap '"$lab" down --name "$lab_name"' EXIT
	"$lab" up --name "$lab_name" --qemu qemu-system-x86_64
	pings guest1 client
	sends_tcp client guest1 2000000
	sends_tcp guest1 client 2000000
	kernels_quiet
}

own_qemu_scenario() {
	if [[ $("$sluice_top/tools/lab/packages" qemu) == "$(command -v qemu-system-x86_64)" ]]; then
		test_skip "this machine's own QEMU carries traffic" "it is what all the others ran on"
	else
		test_case "this machine's own QEMU carries traffic" own_qemu_carries
	fi
}

lab_scenario() {
	test_case "$1: every verb and program tells its usage, without a lab" help_everywhere
	test_case "$1: --name stands before the verb or after it" name_anywhere
	test_case "$1: exec passes words, input, output and errors" exec_passes_everything
	test_case "$1: exec returns the command's status" exec_status
	test_case "$1: six commands at a time in one VM, each with its own status" exec_at_once
	test_case "$1: push and pull of files and folders" push_pull
	test_case "$1: a pushed program runs with its libraries" runs_pushed_program
	test_case "$1: console shows the log" console_has_log
	test_case "$1: the log search finds a planted line" log_search_finds
	test_case "$1: up refuses a lab that is up" second_up_refused
	test_case "$1: up refuses nonsense" bad_options
	test_case "$1: up that is interrupted leaves nothing behind" interrupted_up_leaves_nothing
	test_case "$1: a region server that is gone is told, with what to do" region_server_goes
	test_case "$1: a VM that hangs while it boots is started once more" hung_boot_is_repeated
	test_case "$1: a VM with a clock of another speed is started once more" wrong_clock_is_repeated
}
