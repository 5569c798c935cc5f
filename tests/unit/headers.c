// SPDX-License-Identifier: GPL-2.0
/* hypervisor/core/headers.c: which frames may stay where the peer can write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../hypervisor/core/headers.c"

#define FRAME_BYTES	256

static u8 frame[FRAME_BYTES];
static u32 end;

static int setup(void **state)
{
	(void)state;
	memset(frame, 0, sizeof(frame));
	end = 12;
	return 0;
}

static void put16(u16 val)
{
	frame[end++] = val >> 8;
	frame[end++] = val;
}

static void vlan(u16 type)
{
	put16(type);
	put16(0x2001);
}

/* Return: where it starts. */
static u32 ipv4(u8 proto, u32 bytes)
{
	u32 at;

	put16(0x0800);
	at = end;
	frame[at] = 4 << 4 | bytes / 4;
	frame[at + 6] = 0x40;		/* don't fragment: no matter */
	frame[at + 9] = proto;
	end += bytes;
	return at;
}

static u32 ipv6(u8 proto)
{
	u32 at;

	put16(0x86dd);
	at = end;
	frame[at] = 6 << 4;
	frame[at + 6] = proto;
	end += 40;
	return at;
}

static void tcp(u32 bytes)
{
	frame[end + 12] = bytes / 4 << 4;
	end += bytes;
}

static void udp(void)
{
	end += 8;
}

/* In memory of just that size, so that a read beyond it is seen. */
static u32 look(u32 len, u8 *proto)
{
	u8 *exact = malloc(len ?: 1);
	u32 headers;

	memcpy(exact, frame, len);
	headers = sluice_headers_plain(exact, len, proto);
	free(exact);
	return headers;
}

/* Plain, with all headers there; and never with a byte of them missing. */
static void plain(u8 want)
{
	u8 proto = 0;
	u32 len;

	for (len = 0; len < end; len++)
		assert_int_equal(look(len, &proto), 0);
	for (; len <= FRAME_BYTES; len++) {
		assert_int_equal(look(len, &proto), end);
		assert_int_equal(proto, want);
	}
}

static void not_plain(void)
{
	u8 proto;
	u32 len;

	for (len = 0; len <= FRAME_BYTES; len++)
		assert_int_equal(look(len, &proto), 0);
}

static void test_ipv4(void **state)
{
	(void)state;
	ipv4(6, 20);
	tcp(20);
	plain(SLUICE_HEADERS_TCP);
	setup(NULL);
	ipv4(6, 60);
	tcp(60);
	plain(SLUICE_HEADERS_TCP);
	setup(NULL);
	ipv4(17, 24);
	udp();
	plain(SLUICE_HEADERS_UDP);
}

static void test_ipv6(void **state)
{
	(void)state;
	ipv6(6);
	tcp(32);
	plain(SLUICE_HEADERS_TCP);
	setup(NULL);
	ipv6(17);
	udp();
	plain(SLUICE_HEADERS_UDP);
}

static void test_vlan(void **state)
{
	(void)state;
	vlan(0x8100);
	ipv4(6, 20);
	tcp(20);
	plain(SLUICE_HEADERS_TCP);
	setup(NULL);
	vlan(0x88a8);
	vlan(0x8100);
	ipv6(17);
	udp();
	plain(SLUICE_HEADERS_UDP);
	setup(NULL);
	vlan(0x88a8);
	vlan(0x8100);
	vlan(0x8100);
	ipv6(17);
	udp();
	not_plain();
}

static void test_fragments(void **state)
{
	static const u16 field[] = { 0x2000, 0x2001, 0x0001, 0x1fff, 0x1000 };
	unsigned int i;
	u32 at;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(field); i++) {
		setup(NULL);
		at = ipv4(17, 20);
		udp();
		frame[at + 6] = field[i] >> 8;
		frame[at + 7] = field[i];
		not_plain();
	}
	setup(NULL);
	ipv6(44);
	udp();
	not_plain();
}

/* Protocols that have more headers, or are decrypted, or that we don't know. */
static void test_others(void **state)
{
	static const u8 next[] = { 0, 1, 4, 41, 43, 47, 50, 51, 58, 60, 132, 136, 255 };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(next); i++) {
		setup(NULL);
		ipv4(next[i], 20);
		not_plain();
		setup(NULL);
		ipv6(next[i]);
		not_plain();
	}
	setup(NULL);
	put16(0x0806);		/* ARP */
	not_plain();
	setup(NULL);
	put16(0x8864);		/* PPPoE */
	not_plain();
	setup(NULL);
	put16(100);		/* a length */
	not_plain();
}

static void test_nonsense(void **state)
{
	u32 at, start;

	(void)state;
	at = ipv4(17, 20);
	udp();
	frame[at] = 0x65;	/* another version */
	not_plain();
	frame[at] = 0x44;	/* shorter than it can be */
	not_plain();
	setup(NULL);
	at = ipv6(17);
	udp();
	frame[at] = 0x40;
	not_plain();
	setup(NULL);
	ipv4(6, 20);
	start = end;
	tcp(20);
	frame[start + 12] = 4 << 4;
	not_plain();
}

/* @bytes of options in a TCP header with nothing else in them. */
static void tcp_options(const u8 *option, u32 bytes)
{
	u32 at;

	setup(NULL);
	ipv4(6, 20);
	at = end + 20;
	tcp(20 + DIV_ROUND_UP(bytes, 4) * 4);
	memcpy(frame + at, option, bytes);
}

static void test_signed(void **state)
{
	static const u8 usual[] = { 1, 1, 8, 10, 19, 29, 19, 29, 19, 29, 19, 29 };
	static const u8 sack[] = { 2, 4, 5, 180, 4, 2, 1, 3, 3, 7 };
	static const u8 ended[] = { 1, 0, 19, 18 };
	static const u8 last[] = { 1, 1, 1, 1 };
	static const u8 md5[] = { 1, 1, 19, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
				  13, 14, 15, 16 };
	static const u8 ao[] = { 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 29, 4, 1, 1 };
	static const u8 ao_at_end[] = { 1, 1, 1, 29 };
	static const u8 zero[] = { 8, 0, 19, 18 };
	static const u8 one[] = { 8, 1, 19, 18 };
	static const u8 beyond[] = { 8, 10, 1, 2 };
	static const u8 cut[] = { 1, 1, 1, 8 };

	(void)state;
	tcp_options(usual, sizeof(usual));	/* the values of an option are not options */
	plain(SLUICE_HEADERS_TCP);
	tcp_options(sack, sizeof(sack));
	plain(SLUICE_HEADERS_TCP);
	tcp_options(ended, sizeof(ended));
	plain(SLUICE_HEADERS_TCP);
	tcp_options(last, sizeof(last));
	plain(SLUICE_HEADERS_TCP);
	tcp_options(md5, sizeof(md5));
	not_plain();
	tcp_options(ao, sizeof(ao));
	not_plain();
	tcp_options(ao_at_end, sizeof(ao_at_end));
	not_plain();
	tcp_options(zero, sizeof(zero));
	not_plain();
	tcp_options(one, sizeof(one));
	not_plain();
	tcp_options(beyond, sizeof(beyond));
	not_plain();
	tcp_options(cut, sizeof(cut));
	not_plain();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ipv4, setup),
		cmocka_unit_test_setup(test_ipv6, setup),
		cmocka_unit_test_setup(test_vlan, setup),
		cmocka_unit_test_setup(test_fragments, setup),
		cmocka_unit_test_setup(test_others, setup),
		cmocka_unit_test_setup(test_nonsense, setup),
		cmocka_unit_test_setup(test_signed, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
