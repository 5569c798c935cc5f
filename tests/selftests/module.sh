#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Modules come and go in every order.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

orders="loopback,back,front loopback,front,back back,loopback,front back,front,loopback front,loopback,back front,back,loopback"

load_in_order() {
	local m
	for m in ${1//,/ }; do
		modprobe sluice_"$m"
	done
	wait_for 20 session_up 0
	wait_for 20 session_up 1
}

unload_in_order() {
	local m
	for m in ${1//,/ }; do
		unload sluice_"$m"
	done
	unload sluice
	fails loaded sluice
}

# The same module again and again while the others stay.
reload() {
	local n
	for n in 1 2 3; do
		unload sluice_"$1"
		modprobe sluice_"$1"
		wait_for 20 session_up 0
		wait_for 20 session_up 1
	done
}

links_at_run_time() {
	echo 5 >/sys/devices/sluice_loopback/new_link
	wait_for 20 session_up 5
	rejects 5 /sys/devices/sluice_loopback/new_link
	rejects 99 /sys/devices/sluice_loopback/new_link
	echo 5 >/sys/devices/sluice_loopback/delete_link
	[[ ! -e $debugfs/sluice/loop5-backend ]]
	rejects 5 /sys/devices/sluice_loopback/delete_link
	session_up 0
}

# refused MODULE PARAMETER TEXT: not loaded, and the kernel log says why
refused() {
	local module=$1 param=$2 text=$3 mark
	mark=$(dmesg | wc -l)
	fails modprobe "$module" "$param"
	fails loaded "$module"
	dmesg | tail -n +$((mark + 1)) | grep -F -e "$text"
}

timeout_parameter() {
	local p=/sys/module/sluice/parameters/peer_timeout_ms
	modprobe sluice
	[[ $(cat $p) == 5000 ]]
	rejects 999 $p
	rejects 600001 $p
	rejects -1 $p
	rejects many $p
	[[ $(cat $p) == 5000 ]]
	echo 1000 >$p
	[[ $(cat $p) == 1000 ]]
	unload sluice
}

backoff_parameter() {
	local p=/sys/module/sluice/parameters/backoff_max_ms
	modprobe sluice
	[[ $(cat $p) == 64000 ]]
	rejects 999 $p
	rejects 600001 $p
	echo 2000 >$p
	[[ $(cat $p) == 2000 ]]
	unload sluice
}

unload_all
for order in $orders; do
	ktap_test "load in the order $order" load_in_order "$order"
	ktap_test "unload in the order $order" unload_in_order "$order"
done
modprobe sluice_loopback
modprobe sluice_back
modprobe sluice_front
for module in back front loopback; do
	ktap_test "reload sluice_$module" reload $module
done
ktap_test "links made and removed at run time" links_at_run_time
unload_all
ktap_test "refused: links=17" refused sluice_loopback links=17 "links=17: give 0 to 16"
ktap_test "refused: pairs=9" refused sluice_loopback pairs=9 "pairs=9: give 1 to 8"
ktap_test "refused: window=3" refused sluice_loopback window=3 "window=3: give an even number"
ktap_test "refused: ctrl_kb=100" refused sluice_loopback ctrl_kb=100 "ctrl_kb=100: give 256 to 8192"
ktap_test "peer_timeout_ms has limits" timeout_parameter
ktap_test "backoff_max_ms has limits" backoff_parameter
unload_all
ktap_end
