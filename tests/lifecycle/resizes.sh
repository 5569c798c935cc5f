# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # lab_name, figures and sluice_build are run's; for the VM's shell
#
# Random sizes between nothing and the whole window, one after the other, while TCP and
# numbered datagrams run both ways: every byte of every payload is compared. Before it, how
# long traffic stops for a size, where the processors have time left.

# sizes_until_stop COMMANDS: in the driver domain until /tmp/stop is there: the size that COMMANDS
# set, and the ms that it took
sizes_until_stop() {
	vm driver sh -c 'rm -f /tmp/stop
		size=8M
		until [ -e /tmp/stop ]; do
			'"$1"'
			t=$EPOCHREALTIME
			sluicectl dest set guest1 size $size || exit
			echo "$size $t $EPOCHREALTIME" | awk "{ printf \"%s %d\n\", \$1, (\$3 - \$2) * 1000 }"
		done'
}

backend_drops() {
	dest guest1 '[.stats | to_entries[] | select(.key | startswith("drop_")) | .value] | add'
}

# datagrams_sound NAME VM PID...: a dozen seconds of datagrams between VM and guest1, while the
# loads PID run, and until these have ended well; how long none came is noted as gap-NAME, how often
# for more than 50 ms as late-NAME.
datagrams_sound() {
	local name=$1 other=$2 load failed=0 pids=("${@:3}") udp=$sluice_build/check/lifecycle.udp
	sends_udp "$other" guest1 2000 1200 200 >"$udp.in" &
	pids+=($!)
	sends_udp guest1 "$other" 2000 1200 200 >"$udp.out" &
	pids+=($!)
	for load in "${pids[@]}"; do
		wait "$load" || failed=1
	done
	cat "$udp.in" "$udp.out"
	awk -v name="$name" '/ gap / { print "gap-" name, $(NF - 3); print "late-" name, $NF }' \
		"$udp.in" "$udp.out" >>"$figures"
	((!failed))
}

# As much TCP as goes, so that there is no processor that does not wait
loads_sound() { # loads_sound NAME
	local pids=()
	sends_tcp client guest1 10000000 &
	pids+=($!)
	sends_tcp guest1 client 10000000 &
	pids+=($!)
	datagrams_sound "$1" client "${pids[@]}"
}

# Between two VMs, 20 Mbit/s of TCP each way: who waits now waits for the size
paced_sound() { # paced_sound NAME
	iperf guest1 driver --bidir -b 20M -t 12 >/dev/null &
	datagrams_sound "$1" driver $!
}

# while_resizing COMMANDS LOAD...: adds a line for each size to $sizes
while_resizing() {
	local resizer failed=0
	sizes_until_stop "$1" >>"$sizes" &
	resizer=$!
	"${@:2}" || failed=1
	vm driver touch /tmp/stop
	wait $resizer
	((!failed))
}

# 16 MiB more, a second later 16 MiB less
steps_of_16M() {
	sizes=$sluice_build/check/lifecycle.steps
	: >"$sizes"
	resized 8M 8388608
	paced_sound paced
	while_resizing 'sleep 1; if [ $size = 8M ]; then size=24M; else size=8M; fi' paced_sound step
	awk '{ print "step", $2 }' "$sizes" >>"$figures"
	(($(wc -l <"$sizes") >= 6))
	resized 8M 8388608
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
		while_resizing 'size=$((RANDOM % 32 * 2))M' loads_sound resizing
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
