// SPDX-License-Identifier: GPL-2.0
/*
 * A virtqueue that both ends use as they should: indices that wrap, and doorbells that ring
 * when they must and only then.
 */
#include "test.h"
#include "driver.h"

#define DATA(n)		(DRIVER_DATA_OFF + (n) * 2048ull)

static struct driver d;
static struct sluice_vq vq;
static struct sluice_vq_chain chain;

static int open_with(bool event_idx)
{
	driver_open(&d, 8, event_idx);
	return driver_connect(&d, &vq);
}

static int setup(void **unused)
{
	(void)unused;
	return open_with(false);
}

static int setup_event(void **unused)
{
	(void)unused;
	return open_with(true);
}

static int teardown(void **unused)
{
	(void)unused;
	driver_close(&d);
	return 0;
}

static void ring_is_full_and_wraps(void **unused)
{
	u32 i, n, id, len;

	(void)unused;
	for (n = 0; n < 3; n++) {
		for (i = 0; i < 8; i++)
			assert_true(driver_add(&d, DATA(i), 1, false) >= 0);
		assert_int_equal(driver_add(&d, DATA(0), 1, false), -1);
		driver_publish(&d);
		assert_int_equal(sluice_vq_avail(&vq), 8);
		for (i = 0; i < 8; i++) {
			assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
			sluice_vq_push(&vq, chain.head, i);
		}
		assert_int_equal(sluice_vq_pop(&vq, &chain), 0);
		sluice_vq_publish(&vq);
		for (i = 0; i < 8; i++) {
			assert_int_equal(driver_used(&d, &id, &len), 1);
			assert_int_equal(len, i);
			driver_put(&d, id);
		}
	}
}

/* 70000 chains in batches of 1 to 8: both indices wrap at 65536. */
static void indices_wrap_at_65536(void **unused)
{
	u32 seed = 1, done = 0, i, n, id, len, bells = 0;

	(void)unused;
	while (done < 70000) {
		n = 1 + test_random(&seed) % 8;
		for (i = 0; i < n; i++)
			assert_true(driver_add(&d, DATA(i), 64, true) >= 0);
		/* the device waits: each batch must ring */
		assert_false(sluice_vq_enable_notify(&vq));
		assert_true(driver_publish(&d));
		/* the driver waits, too */
		assert_false(driver_enable_callback(&d));
		for (i = 0; i < n; i++) {
			assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
			sluice_vq_push(&vq, chain.head, done + i);
		}
		bells += sluice_vq_publish(&vq);
		for (i = 0; i < n; i++) {
			assert_int_equal(driver_used(&d, &id, &len), 1);
			assert_int_equal(len, done + i);
			driver_put(&d, id);
		}
		assert_int_equal(driver_used(&d, &id, &len), 0);
		done += n;
		assert_true(bells);
		bells = 0;
	}
}

/* Chains published while the peer does not wait do not ring. */
static void event_index_suppresses(void **unused)
{
	u32 i, bells = 0, kicks = 0;

	(void)unused;
	assert_false(sluice_vq_enable_notify(&vq));
	for (i = 0; i < 8; i++) {
		driver_add(&d, DATA(i), 64, true);
		kicks += driver_publish(&d);
	}
	assert_int_equal(kicks, 1);
	driver_enable_callback(&d);
	for (i = 0; i < 8; i++) {
		assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
		sluice_vq_push(&vq, chain.head, 1);
		bells += sluice_vq_publish(&vq);
		/* nothing new, no bell */
		assert_false(sluice_vq_publish(&vq));
	}
	assert_int_equal(bells, 1);
}

/* The bell rings exactly when the index passes the one asked for. */
static void used_event_is_exact(void **unused)
{
	u32 round, i, id, len;

	(void)unused;
	for (round = 0; round < 9000; round++) {
		u16 start = vq.used_idx;

		/* ask to be woken at the fourth of eight */
		WRITE_ONCE(d.avail->ring[8], htole16(start + 3));
		for (i = 0; i < 8; i++)
			driver_add(&d, DATA(i), 64, true);
		driver_publish(&d);
		for (i = 0; i < 8; i++) {
			bool bell;

			assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
			sluice_vq_push(&vq, chain.head, 1);
			bell = sluice_vq_publish(&vq);
			/* the very first publish rings in any case */
			if (round || i)
				assert_int_equal(bell, i == 3);
			assert_int_equal(driver_used(&d, &id, &len), 1);
			driver_put(&d, id);
		}
	}
}

static void flags_suppress(void **unused)
{
	(void)unused;
	sluice_vq_disable_notify(&vq);
	driver_add(&d, DATA(0), 64, true);
	assert_false(driver_publish(&d));
	/* chains that came meanwhile are told: that is the race */
	assert_true(sluice_vq_enable_notify(&vq));
	driver_add(&d, DATA(1), 64, true);
	assert_true(driver_publish(&d));
	assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
	assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
	assert_false(sluice_vq_enable_notify(&vq));

	WRITE_ONCE(d.avail->flags, htole16(VRING_AVAIL_F_NO_INTERRUPT));
	sluice_vq_push(&vq, chain.head, 1);
	assert_false(sluice_vq_publish(&vq));
	WRITE_ONCE(d.avail->flags, 0);
	sluice_vq_push(&vq, chain.head ^ 1, 1);
	sluice_vq_publish(&vq);
}

static void flags_ring_when_wanted(void **unused)
{
	(void)unused;
	driver_add(&d, DATA(0), 64, true);
	driver_publish(&d);
	assert_int_equal(sluice_vq_pop(&vq, &chain), 1);
	sluice_vq_push(&vq, chain.head, 1);
	assert_true(sluice_vq_publish(&vq));
	assert_false(sluice_vq_publish(&vq));
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
#define E(f)	cmocka_unit_test_setup_teardown(f, setup_event, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ring_is_full_and_wraps), T(indices_wrap_at_65536),
		{ "indices_wrap_at_65536_with_event_index", indices_wrap_at_65536, setup_event,
		  teardown, NULL },
		E(event_index_suppresses), E(used_event_is_exact), T(flags_suppress),
		T(flags_ring_when_wanted),
	};

	return cmocka_run_group_tests_name("vq_notify", tests, NULL, NULL);
}
