# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # lab_name, figures and sluice_build are run's; for the VM's shell
#
# Random sizes between nothing and the whole window, one after the other, while TCP and
# numbered datagrams run both ways: every byte of every payload is compared.

# In the driver domain until /tmp/stop is there: a random size, and the ms that it took.
resize_at_random() {
	vm driver sh -c 'rm -f /tmp/stop
		until [ -e /tmp/stop ]; do
			size=$((RANDOM % 32 * 2))M
			t=$EPOCHREALTIME
			sluicectl dest set guest1 size $size || exit
			echo "$size $t $EPOCHREALTIME" | awk "{ printf \"%s %d\n\", \$1, (\$3 - \$2) * 1000 }"
		done'
}

backend_drops() {
	dest guest1 '[.stats | to_entries[] | select(.key | startswith("drop_")) | .value] | add'
}

# A dozen seconds of all that; how long datagrams did not come is noted as gap-NAME, how often for
# more than 50 ms as late-NAME.
loads_sound() { # loads_sound NAME
	local load failed=0 pids=() udp=$sluice_build/check/lifecycle.udp
	sends_udp client guest1 2000 1200 200 >"$udp.in" &
	pids+=($!)
	sends_udp guest1 client 2000 1200 200 >"$udp.out" &
	pids+=($!)
	sends_tcp client guest1 10000000 &
	pids+=($!)
	sends_tcp guest1 client 10000000 &
	pids+=($!)
	for load in "${pids[@]}"; do
		wait "$load" || failed=1
	done
	cat "$udp.in" "$udp.out"
	awk -v name="$1" '/ gap / { print "gap-" name, $(NF - 3); print "late-" name, $NF }' \
		"$udp.in" "$udp.out" >>"$figures"
	((!failed))
}

resize_round() { # adds a line for each resize to $sizes
	local resizer failed=0
	resize_at_random >>"$sizes" &
	resizer=$!
	loads_sound resizing || failed=1
	vm driver touch /tmp/stop
	wait $resizer
	((!failed))
}

resizes_done() {
	wc -l <"$sizes"
}

# resizes COUNT
resizes() {
	local drops quarantined round=0
	sizes=$sluice_build/check/lifecycle.sizes
	: >"$sizes"
	resized 0 0
	region_mark
	vm driver sluicectl dest set guest1 size 8M
	drops=$(backend_drops)
	quarantined=$(dest guest1 .stats.quarantined)
	echo "--- at one size"
	loads_sound calm
	while (($(resizes_done) < $1)); do
		round=$((round + 1))
		echo "--- round $round, $(resizes_done) resizes before"
		resize_round
	done
	awk '{ print "resize", $2 }' "$sizes" >>"$figures"
	echo "drops before $drops, now $(backend_drops)"
	(($(backend_drops) == drops))
	# a page that a reader holds for longer than the backend waits is no loss
	echo "quarantined before $quarantined, now $(dest guest1 .stats.quarantined)"
	resized 0 0
	wait_for 15 region_is_gone
	resized 8M 8388608
}
