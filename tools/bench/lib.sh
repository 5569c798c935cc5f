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

# sizes_of LIST - region sizes, comma separated, into size_list; whatever a region cannot
# have is told before anything boots. Ends with die, the sourcing script's.
sizes_of() {
	local s bytes

	IFS=, read -ra size_list <<<"$1"
	((${#size_list[@]})) || die "--sizes is empty"
	largest_size=0
	for s in "${size_list[@]}"; do
		[[ $s =~ ^[0-9]{1,10}[KMG]?$ ]] || die "'$s' is not a size: use 0, 2M, 1G ..."
		bytes=$(numfmt --from=iec "$s")
		((bytes % (2 << 20) == 0)) || die "size $s is not a multiple of the segment, 2M"
		((bytes <= largest_size)) || largest_size=$bytes
	done
}
