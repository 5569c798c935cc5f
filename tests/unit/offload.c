// SPDX-License-Identifier: GPL-2.0
/* hypervisor/core/offload.c: what a peer may leave to us to do with a frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "../../hypervisor/core/offload.c"

#define FRAME	60000
#define CSUM	VIRTIO_NET_HDR_F_NEEDS_CSUM

static const struct side {
	enum sluice_offload_by by;
	u64 csum, tso4, tso6, ecn;
} sides[] = {
	{ SLUICE_OFFLOAD_BY_GUEST, 1ull << 1, 1ull << 7, 1ull << 8, 1ull << 9 },
	{ SLUICE_OFFLOAD_BY_HOST, 1ull << 0, 1ull << 11, 1ull << 12, 1ull << 13 },
};

static u32 look(const struct side *s, u64 features, u8 flags, u8 gso, u16 size, u32 len)
{
	struct virtio_net_hdr hdr = { .flags = flags, .gso_type = gso };

	hdr.gso_size = (__virtio16)htole16(size);
	/* lies of no interest here */
	hdr.hdr_len = (__virtio16)0xffff;
	hdr.csum_start = (__virtio16)0xffff;
	return sluice_offload_segments(&hdr, len, features, s->by);
}

/* What is asked for needs its own feature, and no other one helps. */
static void needs(const struct side *s, u64 want, u8 flags, u8 gso, u32 segments)
{
	int bit;

	assert_int_equal(look(s, want, flags, gso, 1000, FRAME), segments);
	assert_int_equal(look(s, ~0ull, flags, gso, 1000, FRAME), segments);
	for (bit = 0; bit < 64; bit++)
		assert_int_equal(look(s, ~(1ull << bit), flags, gso, 1000, FRAME),
				 want >> bit & 1 ? 0 : segments);
}

static void test_negotiated(void **state)
{
	u32 cut = DIV_ROUND_UP(FRAME - 142, 1000);
	const struct side *s;

	(void)state;
	for (s = sides; s < sides + ARRAY_SIZE(sides); s++) {
		needs(s, 0, 0, VIRTIO_NET_HDR_GSO_NONE, 1);
		needs(s, 0, VIRTIO_NET_HDR_F_DATA_VALID, VIRTIO_NET_HDR_GSO_NONE, 1);
		needs(s, s->csum, CSUM, VIRTIO_NET_HDR_GSO_NONE, 1);
		needs(s, s->csum | s->tso4, CSUM, VIRTIO_NET_HDR_GSO_TCPV4, cut);
		needs(s, s->csum | s->tso6, CSUM, VIRTIO_NET_HDR_GSO_TCPV6, cut);
		needs(s, s->csum | s->tso4 | s->ecn, CSUM,
		      VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, cut);
		needs(s, s->csum | s->tso6 | s->ecn, CSUM,
		      VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN, cut);
	}
}

static void test_nonsense(void **state)
{
	const struct side *s;
	unsigned int gso;

	(void)state;
	for (s = sides; s < sides + ARRAY_SIZE(sides); s++) {
		for (gso = 0; gso < 256; gso++) {
			u32 type = gso & ~VIRTIO_NET_HDR_GSO_ECN;
			bool known = gso == VIRTIO_NET_HDR_GSO_NONE ||
				     type == VIRTIO_NET_HDR_GSO_TCPV4 ||
				     type == VIRTIO_NET_HDR_GSO_TCPV6;

			assert_int_equal(!!look(s, ~0ull, CSUM, gso, 1000, FRAME), known);
			/* segments need checksums of their own */
			assert_int_equal(!!look(s, ~0ull, 0, gso, 1000, FRAME),
					 gso == VIRTIO_NET_HDR_GSO_NONE);
			/* and a size */
			assert_int_equal(!!look(s, ~0ull, CSUM, gso, 0, FRAME),
					 gso == VIRTIO_NET_HDR_GSO_NONE);
		}
	}
}

static void test_segments(void **state)
{
	const struct side *s = sides;
	const u8 tcp = VIRTIO_NET_HDR_GSO_TCPV4;

	(void)state;
	assert_int_equal(look(s, ~0ull, CSUM, tcp, 1, 14), 1);
	assert_int_equal(look(s, ~0ull, CSUM, tcp, 1, 142), 1);
	assert_int_equal(look(s, ~0ull, CSUM, tcp, 1, 143), 1);
	assert_int_equal(look(s, ~0ull, CSUM, tcp, 1, 144), 2);
	assert_int_equal(look(s, ~0ull, CSUM, tcp, 1, 142 + 1024), 1024);
	assert_int_equal(look(s, ~0ull, CSUM, tcp, 1, 142 + 1025), 0);
	assert_int_equal(look(s, ~0ull, CSUM, tcp, 48, 142 + 1024 * 48), 1024);
	assert_int_equal(look(s, ~0ull, CSUM, tcp, 48, 142 + 1024 * 48 + 1), 0);
	assert_int_equal(look(s, ~0ull, CSUM, tcp, 0xffff, 65549), 1);
	/* the least that TCP does of itself, as much as its interface's limit lets it */
	assert_int_not_equal(look(s, ~0ull, CSUM, tcp, 48, 14 + 20 + 20 + 1024 * 48), 0);
	assert_int_not_equal(look(s, ~0ull, CSUM, tcp, 48, 22 + 60 + 60 + 1024 * 48), 0);
	assert_int_equal(look(s, ~0ull, CSUM, tcp, 8, 65549), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_negotiated),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
