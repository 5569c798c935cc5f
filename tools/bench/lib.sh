# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For the benchmarks of this folder.

# Start of an awk program: median("3 1 2") of numbers with blanks between them.
# shellcheck disable=SC2034 # the sourcing script's
awk_median='
function median(str,   v, n, i, j, t) {
	n = split(str, v, " ")
	for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++)
		if (v[j] + 0 < v[i] + 0) { t = v[i]; v[i] = v[j]; v[j] = t }
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
'
