# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The share of the guest that nobody attacks: TCP both ways between the client and guest2, of
# a rate that it must always get. iperf3 makes up for a pause afterwards, so what counts is
# the time of the attack.
# shellcheck disable=SC2016 # for the VMs' shells

share_mbits=1
share_seconds=5		# at least, or the end of one burst would decide

share_now() { # time in ms, bytes to and from guest2
	vm guest2 sh -c 'read -r t _ </proc/uptime; cd /sys/class/net/sl0/statistics
		echo ${t%.*}${t#*.}0 $(cat rx_bytes) $(cat tx_bytes)'
}

# Under a name that those who end their iperf3 don't mean.
share_begin() {
	if ! vm client pidof beside >/dev/null; then
		vm guest2 sh -c 'pidof iperf3 >/dev/null || iperf3 -s -D'
		wait_for 20 listens guest2 t 5201
		vm client sh -c "cp \$(command -v iperf3) /tmp/beside
			/tmp/beside -c $(addr4 guest2) --bidir -b ${share_mbits}M -l 16K \
				--pacing-timer 20000 -t 86400 >/dev/null 2>&1 </dev/null &"
		wait_for 30 share_flows
	fi
	share_at=$(share_now)
}

share_flows() {
	local now
	now=$(share_now)
	sleep 1 # what flows in this time is the question
	share_since "$now" 500 $((share_mbits * 800))
}

share_end() {
	vm client killall beside
}

# share_since WHEN MS KBITS: at least that long, and that much each way
share_since() {
	share_rates=$(echo "$1 $(share_now)" | awk '{
		ms = $4 - $1
		if (ms > 0) print ms, int(($5 - $2) * 8 / ms), int(($6 - $3) * 8 / ms)
	}')
	awk -v ms="$2" -v kbits="$3" '{ ok = $1 >= ms && $2 >= kbits && $3 >= kbits } END { exit !ok }' <<<"$share_rates"
}

# Since share_begin. A machine that is busy with other things gives guest2 less without any
# attack too: what counts then is what it gets in the time after.
share_kept() {
	local least after during
	wait_for $((2 * share_seconds)) share_since "$share_at" $((share_seconds * 1000)) 0
	echo "guest2: ${share_rates#* } kbit/s to and from it in ${share_rates%% *} ms"
	least=$((share_mbits * 900))
	awk -v least=$least '{ exit !($2 >= least && $3 >= least) }' <<<"$share_rates" && return
	after=$(share_now)
	during=$share_rates
	wait_for $((2 * share_seconds)) share_since "$after" $((share_seconds * 1000)) 0
	echo "guest2: ${share_rates#* } kbit/s after that"
	echo "$during $share_rates" | awk -v least=$((least / 2)) '{
		exit !($5 >= least && $6 >= least && $2 >= 0.9 * $5 && $3 >= 0.9 * $6) }'
}
