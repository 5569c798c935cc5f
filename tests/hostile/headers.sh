# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A header that changes after it was checked: a filter drops what goes to port 7777, and the
# peer exchanges 7777 and 7778 in the shared memory all the while (poke waver). What the
# filter let through as 7778 must still be that where it arrives. The ports of the sender change too,
# so that the checksum is right both ways.
# shellcheck disable=SC2154 # guest_segment is guest.sh's, sluice_build is common.sh's

headers_passed=7778
headers_refused=7777
headers_sum=14779		# of both ports
headers_data=1000		# bytes of a datagram
headers_frames=2000

hex() { # hex BYTES NUMBER
	printf "%0$((2 * $1))x" "$2"
}

# The checksum of the internet (RFC 1071).
sum16() { # sum16 HEX
	local hex=$1 sum=0
	while [[ $hex ]]; do
		sum=$((sum + 16#${hex:0:4}))
		hex=${hex:4}
	done
	while ((sum >> 16)); do
		sum=$(((sum & 0xffff) + (sum >> 16)))
	done
	hex 2 $((0xffff ^ sum))
}

nic_of() {
	[[ $1 == client ]] && echo nic0 || echo sl0
}

mac_of() {
	vm "$1" cat "/sys/class/net/$(nic_of "$1")/address" | tr -d :
}

hex_addr() { # hex_addr VM 4|6
	local addr
	if [[ $2 == 4 ]]; then
		addr=$(addr4 "$1")
		# shellcheck disable=SC2046,SC2086 # four words
		printf '%02x%02x%02x%02x' ${addr//./ }
	else
		addr=$(addr6 "$1")
		echo "fd77$(hex 14 $((16#${addr##*:})))"
	fi
}

# A datagram to the port that passes, for trafgen. Over IPv6 with a header of options before it, so
# that UDP's lies farther behind than anybody copies in any case; or (6f) one so long that a
# fragment's header, of a datagram in one piece, begins just before that and ends behind it.
datagram() { # datagram FROM TO 4|6|6f
	local from to ip udp bytes=$((8 + headers_data)) extra
	from=$(hex_addr "$1" "$3")
	to=$(hex_addr "$2" "$3")
	udp=$(hex 2 $((headers_sum - headers_passed)))$(hex 2 $headers_passed)$(hex 2 $bytes)
	if [[ $3 == 4 ]]; then
		ip=4500$(hex 2 $((20 + bytes)))000100004011
		ip=0800$ip$(sum16 "$ip$from$to")$from$to
		udp+=0000
	else
		# one option, of a kind to be ignored
		if [[ $3 == 6 ]]; then
			extra=110f1e7c$(hex 124 0)
		else
			extra=2c081e44$(hex 68 0)1100000000000001
		fi
		ip=86dd60000000$(hex 2 $((${#extra} / 2 + bytes)))3c40$from$to$extra
		udp+=$(sum16 "$from$to$(hex 4 $bytes)$(hex 4 17)$udp")
	fi
	fold -w 2 <<<"$(mac_of "$2")$(mac_of "$1")$ip$udp" | sed 's/.*/0x&,/'
}

# Two users who want all there is.
receivers() { # receivers VM
	vm "$1" sh -c "for p in $headers_passed $headers_refused; do
		socat -u UDP6-RECV:\$p,ipv6only=0 OPEN:/tmp/port-\$p,creat,trunc >/dev/null 2>&1 </dev/null &
		echo \$! >/tmp/port-\$p.pid
	done"
	wait_for 20 listens "$1" u $headers_passed
	wait_for 20 listens "$1" u $headers_refused
}

received() { # received VM PORT: bytes
	vm "$1" stat -c %s "/tmp/port-$2"
}

receivers_end() {
	vm "$1" sh -c "kill \$(cat /tmp/port-*.pid); rm /tmp/port-*"
}

refuse_by_nft() {
	local rule="udp dport $headers_refused counter drop"
	if [[ $1 == driver ]]; then
		vm driver nft add table bridge lab
		vm driver nft 'add chain bridge lab f { type filter hook forward priority 0; }'
		vm driver nft add rule bridge lab f iifname sl-guest1 "$rule"
	else
		vm guest1 nft add table inet lab
		vm guest1 nft 'add chain inet lab f { type filter hook input priority 0; }'
		vm guest1 nft add rule inet lab f "$rule"
	fi
}

refused_by_nft() {
	vm "$1" nft list ruleset | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

let_by_nft() {
	vm "$1" nft flush ruleset
}

refuse_by_xdp() {
	"$lab" push --name "$lab_name" guest1 "$sluice_build/check/xdp.o" /tmp/xdp.o
	vm guest1 ip link set dev sl0 xdpdrv object /tmp/xdp.o section xdp/port
	recovers
}

refused_by_xdp() {
	vm guest1 ethtool -S sl0 | awk '$1 == "rx_xdp_drop:" { print $2 }'
}

let_by_xdp() {
	vm guest1 ip link set dev sl0 xdpdrv off
	recovers
}

# header_changes FROM TO 4|6|6f FILTER VM: the filter in VM is asked about what it sees, and about
# nothing else
header_changes() {
	local from=$1 to=$2 frame passed slipped refused
	resized 2M 2097152
	# by the way it copies headers that lie farther behind, too
	vm guest1 ethtool -K sl0 gro off
	frame=$(datagram "$from" "$to" "$3")
	receivers "$to"
	"refuse_by_$4" "$5"
	attack waver "$guest_segment" "$guest_segment" \
		"0x$(hex 2 $((headers_sum - headers_passed)))$(hex 2 $headers_passed)" \
		"0x$(hex 2 $((headers_sum - headers_refused)))$(hex 2 $headers_refused)" 180000
	vm "$from" timeout 100 trafgen -P 1 -C -Q -q -n $headers_frames -t 1ms \
		-o "$(nic_of "$from")" "{ ${frame}fill(0, $headers_data) }"
	let_off
	refused=$("refused_by_$4" "$5")
	"let_by_$4" "$5"
	passed=$(received "$to" $headers_passed)
	slipped=$(received "$to" $headers_refused)
	receivers_end "$to"
	echo "of $headers_frames: $refused refused, $((passed / headers_data)) passed," \
		"$((slipped / headers_data)) passed and became what is refused"
	vm guest1 ethtool -K sl0 gro on
	resized 8M 8388608
	((refused >= 20 && passed >= 20 * headers_data && slipped == 0))
}

headers_scenario() {
	test_case "IPv4 from guest1, past the driver domain's filter" \
		beside header_changes guest1 client 4 nft driver
	test_case "IPv6 with options from guest1, past the driver domain's filter" \
		beside header_changes guest1 client 6 nft driver
	test_case "IPv6 with options and a fragment's header from guest1, past the driver domain's filter" \
		beside header_changes guest1 client 6f nft driver
	test_case "IPv4 to guest1, past guest1's filter" beside header_changes client guest1 4 nft guest1
	test_case "IPv6 with options to guest1, past guest1's filter" \
		beside header_changes client guest1 6 nft guest1
	test_case "IPv4 to guest1, past guest1's XDP program" \
		beside header_changes client guest1 4 xdp guest1
}
