// SPDX-License-Identifier: GPL-2.0
/* Headers of a received frame, see sluice/headers.h. Pure code. */
#include <sluice/headers.h>

#define ETHERNET_BYTES	14
#define TYPE_IPV4	0x0800
#define TYPE_IPV6	0x86dd
#define TYPE_VLAN	0x8100
#define TYPE_VLAN_OUTER	0x88a8
#define VLAN_BYTES	4
#define VLAN_TAGS	2
#define IPV4_BYTES	20
#define IPV4_FRAGMENT	0x3fff		/* more of them, or not the first */
#define IPV6_BYTES	40
#define TCP_BYTES	20
#define UDP_BYTES	8

/* TCP options (IANA, "TCP Option Kind Numbers") */
#define OPTION_END	0
#define OPTION_NOP	1
#define OPTION_MD5	19		/* RFC 2385 */
#define OPTION_AO	29		/* RFC 5925 */

static u16 be16_at(const u8 *p)
{
	return p[0] << 8 | p[1];
}

/*
 * Does a TCP header say that the payload is signed? It is hashed where it lies, and handed to its
 * reader later. What we cannot read to its end may say so.
 */
static bool tcp_signed(const u8 *option, u32 bytes)
{
	while (bytes && *option != OPTION_END) {
		u32 len = 1;

		if (*option == OPTION_MD5 || *option == OPTION_AO)
			return true;
		if (*option != OPTION_NOP) {
			if (bytes < 2 || option[1] < 2 || option[1] > bytes)
				return true;
			len = option[1];
		}
		option += len;
		bytes -= len;
	}
	return false;
}

/**
 * sluice_headers_plain() - where the payload of a plain TCP or UDP frame starts
 * @frame: the first bytes of an Ethernet frame, in memory that is ours alone
 * @len_bytes: how many these are
 * @proto: SLUICE_HEADERS_TCP or SLUICE_HEADERS_UDP, if the frame is plain
 *
 * Plain is: at most two VLAN tags, IPv4 that is no fragment or IPv6 without extension
 * headers, directly in it UDP or TCP that is not signed, and all their headers within @len_bytes.
 * What is in UDP may be a tunnel all the same; only the caller can know whether somebody would
 * look into it.
 *
 * Context: any.
 * Return: bytes of the headers, or 0 for all other frames.
 */
u32 sluice_headers_plain(const u8 *frame, u32 len_bytes, u8 *proto)
{
	u32 off = ETHERNET_BYTES, tags = 0, bytes;
	u16 type;

	if (len_bytes < ETHERNET_BYTES)
		return 0;
	type = be16_at(frame + ETHERNET_BYTES - 2);
	while (type == TYPE_VLAN || type == TYPE_VLAN_OUTER) {
		if (tags++ == VLAN_TAGS || len_bytes - off < VLAN_BYTES)
			return 0;
		type = be16_at(frame + off + 2);
		off += VLAN_BYTES;
	}

	frame += off;
	len_bytes -= off;
	if (type == TYPE_IPV4) {
		if (len_bytes < IPV4_BYTES || frame[0] >> 4 != 4)
			return 0;
		bytes = (frame[0] & 15) * 4;
		if (bytes < IPV4_BYTES || be16_at(frame + 6) & IPV4_FRAGMENT)
			return 0;
		*proto = frame[9];
	} else if (type == TYPE_IPV6) {
		if (len_bytes < IPV6_BYTES || frame[0] >> 4 != 6)
			return 0;
		bytes = IPV6_BYTES;
		*proto = frame[6];
	} else {
		return 0;
	}
	if (len_bytes < bytes)
		return 0;

	frame += bytes;
	len_bytes -= bytes;
	off += bytes;
	if (*proto == SLUICE_HEADERS_UDP) {
		bytes = UDP_BYTES;
	} else if (*proto == SLUICE_HEADERS_TCP) {
		if (len_bytes < TCP_BYTES)
			return 0;
		bytes = (frame[12] >> 4) * 4;
		if (bytes < TCP_BYTES || bytes > len_bytes ||
		    tcp_signed(frame + TCP_BYTES, bytes - TCP_BYTES))
			return 0;
	} else {
		return 0;
	}
	return bytes <= len_bytes ? off + bytes : 0;
}
