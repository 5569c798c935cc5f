// SPDX-License-Identifier: GPL-2.0
/*
 * The frontend's look at the headers of a received frame, in memory of just its size. What
 * it calls plain must be so by another way of reading it, from the front by field.
 */
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <arpa/inet.h>
#include "fuzz.h"
#include "frontend/headers.c"

#define MAX_FRAME	128

enum { OTHER, TCP4, TCP6, UDP4, UDP6, TAGGED };
static const char * const names[FUZZ_COUNTERS] = {
	"not plain", "TCP over IPv4", "TCP over IPv6", "UDP over IPv4", "UDP over IPv6", "VLAN",
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_names(names);
	return 0;
}

/* Headers end at @end, and the transport's begin @transport before that. */
static void plain(const u8 *frame, u32 end, u8 proto)
{
	u32 transport, ip = 0, off;
	struct ip6_hdr ip6;
	struct tcphdr tcp;
	struct ip ip4;

	transport = sizeof(struct udphdr);
	if (proto == IPPROTO_TCP) {
		/* the only length that fits what is said in it */
		for (transport = 20; transport <= 60; transport += 4) {
			memcpy(&tcp, frame + end - transport, sizeof(tcp));
			if (tcp.doff * 4u == transport)
				break;
		}
		claim(transport <= 60);
	}
	claim(proto == IPPROTO_TCP || proto == IPPROTO_UDP);
	for (off = 14; off <= 22; off += 4) {
		if (frame[off - 2] == 0x08 && frame[off - 1] == 0x00) {
			memcpy(&ip4, frame + off, sizeof(ip4));
			claim(ip4.ip_v == 4 && ip4.ip_p == proto && ip4.ip_hl >= 5);
			claim(!(ntohs(ip4.ip_off) & (IP_MF | IP_OFFMASK)));
			claim(off + ip4.ip_hl * 4 < end);
			ip = 4;
			break;
		}
		if (frame[off - 2] == 0x86 && frame[off - 1] == 0xdd) {
			memcpy(&ip6, frame + off, sizeof(ip6));
			claim(ip6.ip6_vfc >> 4 == 6 && ip6.ip6_nxt == proto);
			claim(off + sizeof(ip6) < end);
			ip = 6;
			break;
		}
	}
	claim(ip);
	if (off > 14)
		REACHED(TAGGED);
	if (proto == IPPROTO_TCP)
		REACHED(ip == 4 ? TCP4 : TCP6);
	else
		REACHED(ip == 4 ? UDP4 : UDP6);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	u32 len = bytes < MAX_FRAME ? bytes : MAX_FRAME, end;
	u8 *frame = malloc(len ?: 1), proto = 0;

	memcpy(frame, data, len);
	end = sluice_headers_plain(frame, len, &proto);
	claim(end <= len);
	if (end)
		plain(frame, end, proto);
	else
		REACHED(OTHER);
	free(frame);
	return 0;
}
