// SPDX-License-Identifier: GPL-2.0
/*
 * A virtqueue whose other end writes what it likes: what is taken from it, and what breaks it.
 */
#include "test.h"
#include "driver.h"

#define DATA(n)		(DRIVER_DATA_OFF + (n) * 2048ull)
#define SEG		SLUICE_SHM_SEGMENT_BYTES
#define NEXT		VRING_DESC_F_NEXT
#define WRITE		VRING_DESC_F_WRITE

static struct driver d;
static struct sluice_vq vq;
static struct sluice_vq_chain chain;

static int open_with(u32 num)
{
	driver_open(&d, num, false);
	return driver_connect(&d, &vq);
}

static int setup(void **unused)
{
	(void)unused;
	return open_with(8);
}

static int teardown(void **unused)
{
	(void)unused;
	driver_close(&d);
	return 0;
}

/* The peer broke the protocol in that way, and the queue stays broken. */
static void assert_broken(const char *error)
{
	assert_int_equal(sluice_vq_pop(&vq, &chain), -EPROTO);
	assert_text(vq.error, error);
	assert_int_equal(sluice_vq_pop(&vq, &chain), -EPROTO);
	assert_int_equal(sluice_vq_avail(&vq), -EPROTO);
	assert_true(sluice_vq_enable_notify(&vq));
}

static void offer(u16 head)
{
	driver_offer(&d, head);
	driver_publish(&d);
}

static void init_refuses_bad_numbers(void **unused)
{
	static const u32 bad[] = { 0, 1, 3, 7, 9, 1023, 1025, 2048, 65536, 1u << 31, U32_MAX };
	size_t i;
	u32 num;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(sluice_vq_init(&vq, &d.win, bad[i], DRIVER_DESC_OFF,
						DRIVER_AVAIL_OFF, DRIVER_USED_OFF, false), -EINVAL);
	for (num = 2; num <= SLUICE_SHM_MAX_RING; num *= 2)
		assert_int_equal(sluice_vq_init(&vq, &d.win, num, DRIVER_DESC_OFF,
						0x20000, 0x30000, false), 0);
}

static void init_refuses_bad_places(void **unused)
{
	const u64 end = DRIVER_CTRL_BYTES;
	static const struct {
		u64 desc, avail, used;
		int err;
	} t[] = {
		{ 0x4000, 0x8000, 0xa000, 0 },
		{ 0x4008, 0x8000, 0xa000, -EINVAL },	/* alignments */
		{ 0x4000, 0x8001, 0xa000, -EINVAL },
		{ 0x4000, 0x8000, 0xa002, -EINVAL },
		{ 0x3ff0, 0x8000, 0xa000, -EINVAL },	/* in the pages of the sides */
		{ 0x4000, 0x0000, 0xa000, -EINVAL },
		{ 0x4000, 0x8000, 0x1040, -EINVAL },
		{ SEG, 0x8000, 0xa000, -EINVAL },	/* in a data segment */
		{ 0x4000, U64_MAX - 1, 0xa000, -EINVAL },
		{ 0x4000, 0x8000, U64_MAX - 3, -EINVAL },
	};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(sluice_vq_init(&vq, &d.win, 8, t[i].desc, t[i].avail, t[i].used,
						false), t[i].err);
	/* the event index behind each ring counts: 8 * 16, 6 + 2 * 8, 6 + 8 * 8 bytes */
	assert_int_equal(sluice_vq_init(&vq, &d.win, 8, end - 128, 0x8000, 0xa000, false), 0);
	assert_int_equal(sluice_vq_init(&vq, &d.win, 8, end - 112, 0x8000, 0xa000, false), -EINVAL);
	assert_int_equal(sluice_vq_init(&vq, &d.win, 8, 0x4000, end - 22, 0xa000, false), 0);
	assert_int_equal(sluice_vq_init(&vq, &d.win, 8, 0x4000, end - 20, 0xa000, false), -EINVAL);
	assert_int_equal(sluice_vq_init(&vq, &d.win, 8, 0x4000, 0x8000, end - 72, false), 0);
	assert_int_equal(sluice_vq_init(&vq, &d.win, 8, 0x4000, 0x8000, end - 68, false), -EINVAL);
}

static void pop_copies_a_chain(void **unused)
{
	(void)unused;
	assert_int_equal(sluice_vq_avail(&vq), 0);
	assert_int_equal(sluice_vq_pop(&vq, &chain), 0);
	driver_desc(&d, 5, DATA(0), 100, NEXT, 2);
	driver_desc(&d, 2, SEG + 7, 4096, NEXT, 7);
	driver_desc(&d, 7, DATA(2), 2048, WRITE | NEXT, 0);
	driver_desc(&d, 0, 2ull * SEG - 1, 1, WRITE, 99);	/* next unused: any value */
	offer(5);
	assert_int_equal(sluice_vq_avail(&vq), 1);
	assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
	assert_int_equal(chain.head, 5);
	assert_int_equal(chain.nr_out, 2);
	assert_int_equal(chain.nr_in, 2);
	assert_int_equal(chain.out_bytes, 4196);
	assert_int_equal(chain.in_bytes, 2049);
	assert_ptr_equal(chain.iov[0].va, d.memory + DATA(0));
	assert_ptr_equal(chain.iov[1].va, d.memory + SEG + 7);
	assert_int_equal(chain.iov[1].off, SEG + 7);
	assert_int_equal(chain.iov[1].len_bytes, 4096);
	assert_ptr_equal(chain.iov[3].va, d.memory + 2 * SEG - 1);
	assert_int_equal(sluice_vq_pop(&vq, &chain), 0);
}

static void head_outside_of_table(void **unused)
{
	(void)unused;
	offer(8);
	assert_broken("head outside of the descriptor table");
}

static void head_twice_in_flight(void **unused)
{
	(void)unused;
	driver_desc(&d, 3, DATA(0), 10, 0, 0);
	offer(3);
	offer(3);
	assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
	assert_broken("head is in flight already");
}

static void head_may_come_back(void **unused)
{
	u32 id, len;

	(void)unused;
	driver_desc(&d, 3, DATA(0), 10, 0, 0);
	offer(3);
	assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
	sluice_vq_push(&vq, 3, 0);
	assert_int_equal(driver_used(&d, &id, &len), 0);	/* not before publish */
	sluice_vq_publish(&vq);
	assert_int_equal(driver_used(&d, &id, &len), 1);
	assert_int_equal(id, 3);
	offer(3);
	assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
}

static void push_ignores_what_was_not_popped(void **unused)
{
	u32 id, len;

	(void)unused;
	driver_desc(&d, 3, DATA(0), 10, WRITE, 0);
	offer(3);
	assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
	sluice_vq_push(&vq, 4, 1);
	sluice_vq_push(&vq, 9, 1);
	sluice_vq_push(&vq, 65535, 1);
	assert_false(sluice_vq_publish(&vq));
	sluice_vq_push(&vq, 3, 7);
	sluice_vq_push(&vq, 3, 8);
	sluice_vq_publish(&vq);
	assert_int_equal(driver_used(&d, &id, &len), 1);
	assert_int_equal(len, 7);
	assert_int_equal(driver_used(&d, &id, &len), 0);
}

static void next_outside_of_table(void **unused)
{
	(void)unused;
	driver_desc(&d, 0, DATA(0), 10, NEXT, 8);
	offer(0);
	assert_broken("next descriptor outside of the table");
}

static void chain_loops(void **unused)
{
	(void)unused;
	driver_desc(&d, 0, DATA(0), 10, NEXT, 1);
	driver_desc(&d, 1, DATA(0), 10, NEXT, 0);
	offer(0);
	assert_broken("descriptor chain loops or is too long");
}

static void chain_is_its_own_next(void **unused)
{
	(void)unused;
	driver_close(&d);
	assert_int_equal(open_with(1024), 0);
	driver_desc(&d, 1000, DATA(0), 10, NEXT | WRITE, 1000);
	offer(1000);
	assert_broken("descriptor chain loops or is too long");
}

static void chain_of_maximum_length(void **unused)
{
	u32 i;

	(void)unused;
	driver_close(&d);
	assert_int_equal(open_with(64), 0);
	for (i = 0; i < SLUICE_VQ_MAX_IOV; i++)
		driver_desc(&d, i, SEG, SEG, i + 1 < SLUICE_VQ_MAX_IOV ? NEXT : 0, i + 1);
	offer(0);
	assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
	assert_int_equal(chain.nr_out, SLUICE_VQ_MAX_IOV);
	assert_int_equal(chain.out_bytes, SLUICE_VQ_MAX_IOV * SEG);

	for (i = 0; i <= SLUICE_VQ_MAX_IOV; i++)
		driver_desc(&d, 30 + i, SEG, 1, i < SLUICE_VQ_MAX_IOV ? NEXT : 0, 31 + i);
	offer(30);
	assert_broken("descriptor chain loops or is too long");
}

static void zero_length(void **unused)
{
	(void)unused;
	driver_desc(&d, 0, DATA(0), 10, NEXT, 1);
	driver_desc(&d, 1, DATA(1), 0, 0, 0);
	offer(0);
	assert_broken("descriptor of zero bytes");
}

static void readable_after_writable(void **unused)
{
	(void)unused;
	driver_desc(&d, 0, DATA(0), 10, NEXT | WRITE, 1);
	driver_desc(&d, 1, DATA(1), 10, 0, 0);
	offer(0);
	assert_broken("device-readable descriptor after a writable one");
}

static void indirect_descriptor(void **unused)
{
	(void)unused;
	driver_desc(&d, 0, DATA(0), 32, VRING_DESC_F_INDIRECT, 0);
	offer(0);
	assert_broken("indirect descriptor, which was not negotiated");
}

static void unknown_flags(void **unused)
{
	u16 bit;

	(void)unused;
	for (bit = 3; bit < 16; bit++) {
		teardown(NULL);
		setup(NULL);
		driver_desc(&d, 0, DATA(0), 32, 1u << bit, 0);
		offer(0);
		assert_broken("unknown descriptor flag");
	}
}

static void offsets_outside_of_the_region(void **unused)
{
	static const struct {
		u64 off;
		u32 len;
	} t[] = {
		{ 0, 64 },				/* backend page */
		{ 0x1000, 64 },				/* frontend page */
		{ 0x2000, 64 },				/* host page */
		{ 0x3fff, 2 },
		{ DRIVER_CTRL_BYTES, 1 },		/* behind the control segment */
		{ DRIVER_CTRL_BYTES - 1, 2 },
		{ SEG - 1, 2 },				/* edges of slots */
		{ 2ull * SEG - 1, 2 },
		{ SEG, SEG + 1 },
		{ SEG, U32_MAX },
		{ 2ull * SEG, 1 },			/* a slot without a segment */
		{ 3ull * SEG, 1 },			/* behind the window */
		{ 1ull << 40, 1 },
		{ U64_MAX, 1 },
		{ U64_MAX - 63, 64 },
		{ (1ull << 53) + SEG, 1 },
	};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		teardown(NULL);
		setup(NULL);
		driver_desc(&d, 0, t[i].off, t[i].len, 0, 0);
		offer(0);
		assert_broken("descriptor outside of the region");
	}
}

static void retired_segment(void **unused)
{
	(void)unused;
	driver_desc(&d, 0, SEG, 100, WRITE, 0);
	offer(0);
	offer(1);
	/* what is in flight still resolves */
	assert_int_equal(sluice_window_set_state(&d.win, 1, SLUICE_SEGMENT_RETIRING), 0);
	assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
	assert_int_equal(sluice_window_set_state(&d.win, 1, SLUICE_SEGMENT_DRAINED), 0);
	driver_desc(&d, 1, SEG + 4096, 100, WRITE, 0);
	assert_broken("descriptor outside of the region");
}

static void avail_index_jumps(void **unused)
{
	u32 i;

	(void)unused;
	for (i = 0; i < 8; i++) {
		driver_desc(&d, i, DATA(i), 1, 0, 0);
		driver_offer(&d, i);
	}
	driver_publish(&d);
	assert_int_equal(sluice_vq_avail(&vq), 8);
	WRITE_ONCE(d.avail->idx, htole16(9));
	/* the eight that were there are taken; then the jump is seen */
	assert_int_equal(sluice_vq_avail(&vq), -EPROTO);
	assert_broken("avail index jumped by more than the ring");
}

static void avail_index_goes_back(void **unused)
{
	(void)unused;
	WRITE_ONCE(d.avail->idx, htole16(65535));
	assert_broken("avail index jumped by more than the ring");
}

/* A peer that changes words after they were read changes nothing of the chain. */
static void chain_is_a_private_copy(void **unused)
{
	struct sluice_vq_chain before;

	(void)unused;
	driver_desc(&d, 0, DATA(0), 100, NEXT, 1);
	driver_desc(&d, 1, DATA(1), 200, WRITE, 0);
	offer(0);
	memset(&chain, 0, sizeof(chain));
	assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
	before = chain;
	memset(d.memory + DRIVER_DESC_OFF, 0xff, 8 * sizeof(struct vring_desc));
	assert_memory_equal(&before, &chain, sizeof(chain));
}

/* Rings full of anything: errors or chains inside of the region, never else. */
static void garbage(void **unused)
{
	u32 seed = 99, round, i, pops = 0, errors = 0;

	(void)unused;
	for (round = 0; round < 3000; round++) {
		u32 *word = (u32 *)(d.memory + DRIVER_DESC_OFF);

		for (i = 0; i < 8 * sizeof(struct vring_desc) / 4; i++)
			word[i] = test_random(&seed);
		/* mostly possible values, so that some chains are whole */
		for (i = 0; i < 8; i++) {
			u32 r = test_random(&seed);

			if (r % 8)
				driver_desc(&d, i, DATA(r % 64), r % 5000, r >> 16 & 3,
					    r >> 20 & 7);
			d.avail->ring[i] = htole16(r >> 24 & 15);
		}
		d.avail->idx = htole16(vq.last_avail + test_random(&seed) % 10);
		driver_connect(&d, &vq);
		d.avail->idx = htole16(test_random(&seed) % 10);
		while (sluice_vq_pop(&vq, &chain) == 1) {
			pops++;
			assert_in_range(chain.nr_in + chain.nr_out, 1, SLUICE_VQ_MAX_IOV);
			for (i = 0; i < (u32)chain.nr_in + chain.nr_out; i++) {
				assert_true((u8 *)chain.iov[i].va >= d.memory + 0x4000);
				assert_true((u8 *)chain.iov[i].va + chain.iov[i].len_bytes <=
					    d.memory + 2 * SEG);
			}
			sluice_vq_push(&vq, chain.head, 1);
		}
		errors += !!vq.error;
		sluice_vq_publish(&vq);
	}
	/* the test is one only if both happen */
	assert_true(pops > 100 && errors > 100);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(init_refuses_bad_numbers), T(init_refuses_bad_places),
		T(pop_copies_a_chain), T(head_outside_of_table), T(head_twice_in_flight),
		T(head_may_come_back), T(push_ignores_what_was_not_popped),
		T(next_outside_of_table), T(chain_loops), T(chain_is_its_own_next),
		T(chain_of_maximum_length), T(zero_length), T(readable_after_writable),
		T(indirect_descriptor), T(unknown_flags), T(offsets_outside_of_the_region),
		T(retired_segment), T(avail_index_jumps), T(avail_index_goes_back),
		T(chain_is_a_private_copy), T(garbage),
	};

	return cmocka_run_group_tests_name("vq", tests, NULL, NULL);
}
