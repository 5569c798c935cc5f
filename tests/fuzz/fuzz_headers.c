// SPDX-License-Identifier: GPL-2.0
/*
 * The look at the headers of a received frame, in memory of just its size. What it says must be
 * right to the byte by another way of reading it, with the C library's structures.
 */
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <arpa/inet.h>
#include "fuzz.h"
#include "hypervisor/core/headers.c"

#define MAX_FRAME	160

enum { OTHER, TCP4, TCP6, UDP4, UDP6, TAGGED, SIGNED, NOT_THERE };
static const char * const names[FUZZ_COUNTERS] = {
	"not plain", "TCP over IPv4", "TCP over IPv6", "UDP over IPv4", "UDP over IPv6", "VLAN",
	"signed TCP", "headers longer than what is there",
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_names(names);
	return 0;
}

/* Is it in order, and without a signature? Each option's place follows from those before. */
static bool options_harmless(const u8 *option, u32 bytes)
{
	u32 at, next;

	for (at = 0; at < bytes; at = next) {
		switch (option[at]) {
		case TCPOPT_EOL:
			return true;
		case TCPOPT_NOP:
			next = at + 1;
			break;
		case 19:
		case 29:
			REACHED(SIGNED);
			return false;
		default:
			if (at + 1 == bytes)
				return false;
			next = at + option[at + 1];
			if (next < at + 2 || next > bytes)
				return false;
		}
	}
	return true;
}

/* What must be said: where the payload starts if it is plain, else 0. */
static u32 expected(const u8 *frame, u32 len, u8 *proto)
{
	u32 at = sizeof(struct ether_header), tag;
	bool six = false, tagged = false;
	struct ether_header eth;
	struct ip6_hdr ip6;
	struct tcphdr tcp;
	struct ip ip4;

	if (len < at)
		return 0;
	memcpy(&eth, frame, sizeof(eth));
	for (tag = 0; tag < 2; tag++) {
		if (ntohs(eth.ether_type) != 0x8100 && ntohs(eth.ether_type) != 0x88a8)
			break;
		if (len < at + 4)
			return 0;
		memcpy(&eth.ether_type, frame + at + 2, 2);
		at += 4;
		tagged = true;
	}
	if (ntohs(eth.ether_type) == ETHERTYPE_IP) {
		if (len < at + sizeof(ip4))
			return 0;
		memcpy(&ip4, frame + at, sizeof(ip4));
		if (ip4.ip_v != 4 || ip4.ip_hl < 5 || ntohs(ip4.ip_off) & (IP_MF | IP_OFFMASK))
			return 0;
		at += 4 * ip4.ip_hl;
		*proto = ip4.ip_p;
	} else if (ntohs(eth.ether_type) == ETHERTYPE_IPV6) {
		if (len < at + sizeof(ip6))
			return 0;
		memcpy(&ip6, frame + at, sizeof(ip6));
		if (ip6.ip6_vfc >> 4 != 6)
			return 0;
		at += sizeof(ip6);
		*proto = ip6.ip6_nxt;
		six = true;
	} else {
		return 0;
	}
	if (*proto == IPPROTO_UDP) {
		at += sizeof(struct udphdr);
	} else if (*proto == IPPROTO_TCP) {
		if (len < at + sizeof(tcp))
			return 0;
		memcpy(&tcp, frame + at, sizeof(tcp));
		if (tcp.doff < 5)
			return 0;
		if (len >= at + 4 * tcp.doff &&
		    !options_harmless(frame + at + sizeof(tcp), 4 * tcp.doff - sizeof(tcp)))
			return 0;
		at += 4 * tcp.doff;
	} else {
		return 0;
	}
	if (at > len) {
		REACHED(NOT_THERE);
		return 0;
	}
	if (tagged)
		REACHED(TAGGED);
	if (*proto == IPPROTO_TCP)
		REACHED(six ? TCP6 : TCP4);
	else
		REACHED(six ? UDP6 : UDP4);
	return at;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	u32 len = bytes < MAX_FRAME ? bytes : MAX_FRAME, end, want;
	u8 *frame = malloc(len ?: 1), proto = 0, want_proto = 0;

	memcpy(frame, data, len);
	end = sluice_headers_plain(frame, len, &proto);
	want = expected(frame, len, &want_proto);
	claim(end == want);
	if (end)
		claim(proto == want_proto);
	else
		REACHED(OTHER);
	free(frame);
	return 0;
}
