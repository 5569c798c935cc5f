# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What sluicectl in dom0 writes, what it refuses, and who may touch it. Expects the
# leg pv.

xen_list() { # xen_list JQ [GUEST]: of its device
	vm dom0 sluicectl -j xen list | json ".[] | select(.name == \"${2:-guest1}\") | $1"
}

connected() {
	[[ $(xen_list '.backend_state + "/" + .frontend_state') == connected/connected ]]
}

folders() { # folders [GUEST]: sets be and fe
	local ids
	ids=$(xen_list '"\(.backend_id) \(.frontend_id) \(.device)"' "${1:-guest1}")
	# shellcheck disable=SC2086 # words
	set -- $ids
	be=/local/domain/$1/backend/sluice/$2/$3 fe=/local/domain/$2/device/sluice/$3
}

# Whoever is neither of the two sees nothing and changes nothing.
closed_to_others() {
	local be fe node
	folders
	for node in $be/state $be/ctrl-ref0 $be/life $fe/state $fe/life; do
		vm guest1 xenstore-read "$node"
		if vm guest2 xenstore-read "$node"; then
			echo "guest2 reads $node"
			return 1
		fi
		if vm guest2 xenstore-write "$node" 9; then
			echo "guest2 writes $node"
			return 1
		fi
	done
	if vm guest1 xenstore-write "$be/state" 6; then
		echo "guest1 writes into the backend's folder"
		return 1
	fi
	connected
}

refused_by_tool() { # refused_by_tool VM STATUS TEXT WORD...
	local v=$1 want=$2 text=$3 status=0 said before after
	shift 3
	before=$(vm dom0 xenstore-ls -f | grep -c sluice)
	said=$(vm "$v" sluicectl xen "$@" 2>&1) || status=$?
	after=$(vm dom0 xenstore-ls -f | grep -c sluice)
	echo "status $status: $said; $before nodes before, $after after"
	[[ $status == "$want" && $said == *"$text"* && $before == "$after" ]]
}

plan_is_xens() {
	local frames
	frames=$(vm dom0 sluicectl -j plan |
		json '.xen.domains[] | select(.name == "driver") | .max_grant_frames')
	echo "grant table of the driver domain: $frames frames"
	((frames == 64))
	wait_for 10 plan_counts_grants
	vm dom0 sluicectl plan
}

attach_too_much() {
	refused_by_tool dom0 2 "raise max_grant_frames" attach --backend driver --frontend guest2 \
		--name big --size 128M
}

# To the last page, whatever size they were attached with.
plan_counts_grants() {
	local plan
	plan=$(vm dom0 sluicectl -j plan |
		json '.xen.domains[] | select(.name == "driver") | .granted_bytes')
	echo "the plan says that $plan bytes are granted, the driver domain $(grant driver granted) pages"
	((plan == $(grant driver granted) << 12))
}

detach_attach() {
	vm dom0 sluicectl xen detach --frontend guest1
	wait_for 30 gone_in driver sl-guest1
	wait_for 30 gone_in guest1 sl0
	if vm dom0 xenstore-ls -f | grep 'sluice/.*guest1'; then
		return 1
	fi
	vm dom0 sluicectl xen attach --backend driver --frontend guest1 --mac 52:54:00:53:01:0b \
		--max-size 62M --size 8M
	wait_for 60 one_ping client guest1
	connected
	pings client guest1
}

toolstack_scenario() {
	test_case "$1: list shows both sides connected" connected
	test_case "$1: no other guest reads or writes the nodes" closed_to_others
	test_case "$1: the plan asks Xen for the grant table" plan_is_xens
	test_case "$1: attach that does not fit is refused" attach_too_much
	test_case "$1: attach twice is refused" refused_by_tool dom0 2 \
		"has a destination 'guest1' already" attach --backend driver --frontend guest1
	test_case "$1: a domain that does not exist is refused" refused_by_tool dom0 2 \
		"no domain 'nobody'" attach --backend nobody --frontend guest1
	test_case "$1: outside of dom0 it says so" refused_by_tool guest1 3 \
		"dom0" attach --backend 1 --frontend 2
	test_case "$1: detach and attach again while both run" detach_attach
}
