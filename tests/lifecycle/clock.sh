# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # lab and figures are run's; programs for awk and the VMs' shells
#
# How long a recovery takes. The client pings ten times a second and notes when
# each answer came; every other time is asked of the same clock, over a connection that
# is kept open for it. A figure begins before the command that brings the dead one
# back, or when the user space of its VM is up, and ends with the first answer after it.

clock_open() {
	# shellcheck disable=SC2317 # a process of its own
	coproc clock { "$lab" exec --name "$lab_name" client -- \
		sh -c 'while read -r _; do echo $EPOCHREALTIME; done'; }
	# bash closes those of a coprocess in subshells, which is where tests run
	exec {clock_in}>&"${clock[1]}" {clock_out}<&"${clock[0]}"
}

clock_now() { # in us, as the client counts
	local t
	# a connection that is gone, as after a VM that took minutes to boot, is a signal to who writes
	t=$(trap '' PIPE
		echo >&"$clock_in" && read -r -t 30 t <&"$clock_out" && echo "$t") 2>/dev/null ||
		t=$(vm client sh -c 'echo $EPOCHREALTIME')
	echo "${t/./}"
}

# pings_start GUEST, and end those that a death has left which failed
pings_start() {
	pings_stop "$1"
	vm client sh -c "ping -D -n -i 0.1 $(addr4 "$1") >/tmp/ping.$1 2>&1 </dev/null &
		echo \$! >/tmp/ping.$1.pid"
}

pings_stop() {
	vm client sh -c "kill -INT \$(cat /tmp/ping.$1.pid 2>/dev/null) 2>/dev/null; rm -f /tmp/ping.$1.pid"
}

# answer_after GUEST TIME: when the first answer after TIME came
answer_after() {
	vm client awk -v t="$2" '/bytes from/ {
		us = substr($1, 2, length($1) - 2) * 1000000
		if (us > t) { printf "%.0f\n", us; found = 1; exit }
	}
	END { exit !found }' "/tmp/ping.$1"
}

# longest_gap GUEST SINCE: between two answers, in us
longest_gap() {
	vm client awk -v t="$2" '/bytes from/ {
		us = substr($1, 2, length($1) - 2) * 1000000
		if (us > t && last && us - last > gap) gap = us - last
		last = us
	}
	END { printf "%.0f\n", gap }' "/tmp/ping.$1"
}

# clock_recovered DEATH GUEST TIME SECONDS: waits for an answer after TIME and notes
# how long it took; fails past the SECONDS that were promised
clock_recovered() {
	local death=$1 guest=$2 since=$3 limit=$4 at
	wait_for 60 answer_after "$guest" "$since" || {
		vm driver sluicectl -s dest show
		vm "$guest" sh -c 'ip -br addr; cat /sys/kernel/debug/sluice/*/state'
		return 1
	}
	at=$(answer_after "$guest" "$since")
	echo "$death: $guest answers after $(((at - since) / 1000)) ms"
	echo "$death $(((at - since) / 1000))" >>"$figures"
	((at - since <= limit * patience * 1000000)) || {
		echo "$death: more than $((limit * patience)) s"
		return 1
	}
}

clock_gap() { # clock_gap DEATH GUEST SINCE SECONDS: at most this long without an answer
	local gap
	gap=$(longest_gap "$2" "$3")
	echo "$1: $2 gave no answer for $((gap / 1000)) ms at most"
	echo "$1 $((gap / 1000))" >>"$figures"
	((gap <= $4 * patience * 1000000))
}

clock_summary() { # clock_summary FIGURE [UNIT]
	awk -v name="$1" '$1 == name { print $2 }' "$figures" | sort -n | awk -v name="$1" -v unit="${2:-ms}" '
	{ v[NR] = $1; sum += $1 }
	END {
		if (NR) printf "# %s: %d times, %s: least %d, median %d, mean %d, p99 %d, most %d\n",
			name, NR, unit, v[1], v[int((NR + 1) / 2)], sum / NR, v[int(NR * 0.99 + 0.99)], v[NR]
	}'
}
