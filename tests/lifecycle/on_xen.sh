# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # for run and deaths.sh; lab and lab_name are lib.sh's
#
# What deaths are made of on Xen: domains are destroyed, and grants hold the memory.

for part in toolstack memory; do
	# shellcheck source=/dev/null
	. "$here/../xen/$part.sh"
done

deaths=(frontend backend guest driver paused deaf)
# all domains share one emulated processor
up_options=(--hv xen --boot-timeout 400)

dies() { # dies VM: with no time to say goodbye
	# Nobody stops the card of a domain that is destroyed, and Xen tells of each frame that it then
	# wants to write into memory that is no longer there: that is none of ours.
	[[ $1 != driver ]] || vm driver ip link set nic0 down
	"$lab" stop --name "$lab_name" "$1"
}

stands_still() {
	vm dom0 xl pause "$1"
}

goes_on() {
	vm dom0 xl unpause "$1"
}

# The toolstack attaches a domain that is made anew as it attaches any.
has_region_again() { # has_region_again GUEST...
	local g
	for g; do
		vm driver sluicectl dest set "$g" size 8M
	done
}

# What holds the memory must not hold more.
growth_host_names="nodes of xenstore,pages granted,pages in quarantine"
growth_of_host() {
	echo "$(vm dom0 xenstore-ls -f | grep -c '/sluice') $(grant driver granted) $(grant driver quarantined)"
}

region_mark() { # at size 0
	granted_at_least=$(grant driver granted)
}

region_is_gone() { # guest1's, but for the control segment
	grant_is driver granted -le "$granted_at_least"
}
