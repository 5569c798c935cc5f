# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # sluice_build and lab_* are run's
#
# What must not grow: memory and references of the kernels that lived through
# the deaths, their processes, and what the hypervisor's side counts (growth_of_host).

growth_vms="driver guest1 guest2"

# KiB that may come and go. On the debug kernel KASAN keeps back what was freed, up to a 32nd of
# the machine's memory; leaks it finds by itself.
growth_slack() { # growth_slack ROUNDS
	local kept=0
	[[ $kernel != debug ]] || kept=40960 # of 1280 MiB
	echo $((4096 + kept + 64 * $1))
}

# KiB that no cache holds, references of our modules, processes, our kernel threads. Each processor
# keeps free pages of its own, ten MiB and more of them where traffic takes and gives many:
# they are free, but not in MemFree. Traffic goes on, and frames that wait in a queue are memory,
# too. What a leak has taken is there at any time, so the least of some looks counts.
growth_of_vm() {
	# shellcheck disable=SC2016 # for the shell in the VM
	vm "$1" sh -c 'for i in 1 2 3 4 5; do
			echo 3 >/proc/sys/vm/drop_caches
			awk "/^MemTotal:/ { n = \$2 } /^(MemFree|Cached|Buffers|SReclaimable):/ { n -= \$2 }
				\$1 == \"count:\" { n -= 4 * \$2 } END { print n }" /proc/meminfo /proc/zoneinfo
			usleep 500000
		done | sort -n | head -n 1
		cat /sys/module/sluice*/refcnt | awk "{ n += \$1 } END { printf \" %d \", n }"
		for p in /proc/[0-9]*; do [ -n "$(head -c 1 $p/cmdline)" ] && echo u; done 2>/dev/null | wc -l | tr "\n" " "
		cat /proc/[0-9]*/comm 2>/dev/null | grep -c "^sluice\|R-sluic"; true' | xargs
}

growth_note() { # growth_note FILE
	local v
	{
		for v in $growth_vms; do
			echo "$v $(growth_of_vm "$v")"
		done
		echo "host $(growth_of_host)"
	} >"$1"
}

growth_mark() { # growth_mark NAME
	growth_note "$sluice_build/check/lifecycle.$1.before"
}

# growth_within FILE ROUNDS: what there is now is no more than FILE.before, but for what goes up
# and down by itself; a leak that matters shows in many rounds. Whoever was restarted
# meanwhile has less, not more.
growth_within() {
	local file=$1
	growth_note "$file.after"
	paste -d' ' "$file.before" "$file.after" | tee "$file.both"
	# a figure that is missing would compare others
	awk -v host="$growth_host_names" '
		{ want = 2 + 2 * ($1 == "host" ? split(host, name, ",") : 4) }
		NF != want { print "figures missing: " $0; bad = 1 }
		END { exit bad }' "$file.both" || return
	awk -v rounds="$2" -v slack="$(growth_slack "$2")" -v host="$growth_host_names" '
		function no_more(what, before, after, slack) {
			if (after > before + slack) {
				printf "%s: %s grew from %d to %d in %d rounds\n", $1, what, before, after, rounds
				bad = 1
			}
		}
		$1 == "host" {
			n = split(host, name, ",")
			for (i = 1; i <= n; i++)
				no_more(name[i], $(1 + i), $(2 + n + i), 0)
			next
		}
		{
			no_more("KiB in use", $2, $7, slack)
			no_more("references to modules", $3, $8, 0)
			no_more("processes", $4, $9, 2)
			no_more("kernel threads of sluice", $5, $10, 0)
		}
		END { exit bad }' "$file.both"
}

# growth_none NAME ROUNDS: since the mark, once the queues have emptied
growth_none() {
	local v
	within 90 growth_within "$sluice_build/check/lifecycle.$1" "$2" || {
		for v in $growth_vms; do
			echo "--- memory of $v"
			# shellcheck disable=SC2016 # for awk
			vm "$v" sh -c 'grep -E "^(MemFree|Cached|AnonPages|SUnreclaim|Percpu|VmallocUsed):" /proc/meminfo
				tc -s qdisc | grep -B 2 "backlog [1-9]"
				awk "NR > 2 { print int(\$3 * \$4 / 1024), \"KiB\", \$1 }" /proc/slabinfo |
					sort -n -r | head -n 8'
		done
		return 1
	}
}
