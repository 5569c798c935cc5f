#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fuzz.sh BUILD SECONDS: a short run of the fuzz target as one TAP test

out=$1 seconds=$2
what="$seconds s of fuzzing configuration, commands and requests"

echo 1..1
if ! command -v clang >/dev/null; then
	echo "ok 1 - $what # SKIP clang is not installed"
	exit 0
fi
if make -s --no-print-directory -C "$(dirname "$0")" fuzz O="$out" \
	FUZZ_SECONDS="$seconds" >"$out/fuzz.log" 2>&1; then
	units=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/fuzz.log")
	echo "ok 1 - $what: $units inputs"
else
	tail -50 "$out/fuzz.log" | sed 's/^/# /'
	echo "not ok 1 - $what"
	exit 1
fi
