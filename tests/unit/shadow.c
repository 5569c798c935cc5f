// SPDX-License-Identifier: GPL-2.0
/*
 * What the shadow of a ring keeps from a device that ends, begins anew or writes what it
 * likes.
 */
#include "shadow_ring.h"

/* The peer broke the protocol in that way, with the entry after @good good ones. */
static void assert_broken_after(u16 good, const char *error)
{
	u16 before = le16toh(d.used->idx);

	assert_true(sluice_shadow_pending(s));
	assert_int_equal(sluice_shadow_harvest(s), -EPROTO);
	assert_text(s->error, error);
	assert_int_equal(le16toh(d.used->idx), (u16)(before + good));
	s->shared.used->idx = htole16(s->shared_used);
	assert_int_equal(sluice_shadow_harvest(s), -EPROTO);
	assert_false(sluice_shadow_pending(s));
	assert_false(sluice_shadow_arm(s, false));
	driver_add(&d, DATA(0), 64, false);
	driver_publish(&d);
	assert_false(sluice_shadow_submit(s));
}

static void assert_broken(const char *error)
{
	assert_broken_after(0, error);
}

static void refuses_bad_sizes(void **unused)
{
	static const u32 bad[] = { 0, 1, 3, 7, 16, 1024, U32_MAX };
	struct vring ring = ring_of(NUM);
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ring.num = bad[i];
		assert_int_equal(sluice_shadow_init(s, &ring), -EINVAL);
	}
	/* a smaller one than there is room for, as after a resize */
	ring = ring_of(4);
	assert_int_equal(sluice_shadow_init(s, &ring), 0);
	start(true);
	assert_int_equal(s->shared.num, 4);
}

static void new_ring_forgets(void **unused)
{
	struct vring ring = ring_of(NUM);

	(void)unused;
	use(give(64, true) ^ 1, 1);
	use_publish();
	assert_broken("used id that is not in flight");
	memset(d.memory + SHARED_OFF, 0xff, 1024);
	memset(private_ring, 0, sizeof(private_ring));
	d.avail_idx = 0;
	assert_int_equal(sluice_shadow_init(s, &ring), 0);
	start(false);
	assert_int_equal(s->shared.avail->idx, 0);
	assert_false(sluice_shadow_pending(s));
	assert_int_equal(sluice_shadow_harvest(s), 0);
	use(give(64, true), 64);
	use_publish();
	assert_int_equal(sluice_shadow_harvest(s), 1);
}

/* The next device finds what the last one had not finished, and what came in between. */
static void start_replays(void **unused)
{
	u16 head[4], first, second;
	u32 id, len, i;

	(void)unused;
	for (i = 0; i < 3; i++)
		head[i] = give(64 + i, true);
	use(head[1], 65);
	use_publish();
	assert_int_equal(sluice_shadow_harvest(s), 1);
	use(head[0], 9);	/* finished, but nobody looked */
	use_publish();
	head[3] = driver_add(&d, DATA(0), 67, true);
	driver_publish(&d);

	memset(d.memory + SHARED_OFF, 0xff, 1024);
	start(false);
	assert_int_equal(le16toh(s->shared.avail->idx), 2);
	first = le16toh(s->shared.avail->ring[0]);
	second = le16toh(s->shared.avail->ring[1]);
	assert_true((first == head[0] && second == head[2]) ||
		    (first == head[2] && second == head[0]));
	assert_memory_equal(&s->shared.desc[head[2]], &d.desc[head[2]], sizeof(d.desc[0]));
	assert_true(sluice_shadow_submit(s));
	assert_int_equal(le16toh(s->shared.avail->idx), 3);
	assert_int_equal(le16toh(s->shared.avail->ring[2]), head[3]);

	use(head[3], 67);
	use(head[2], 66);
	use(head[0], 64);
	use_publish();
	assert_int_equal(sluice_shadow_harvest(s), 3);
	assert_int_equal(driver_used(&d, &id, &len), 1);
	assert_int_equal(id, head[1]);
	for (i = 0; i < 3; i++)
		assert_int_equal(driver_used(&d, &id, &len), 1);
	assert_int_equal(id, head[0]);
	assert_int_equal(len, 64);
	assert_int_equal(driver_used(&d, &id, &len), 0);
	use(head[0], 64);
	use_publish();
	assert_broken("used id that is not in flight");
}

/* What came before the bad entry is the driver's, the rest the next device's. */
static void start_after_an_error(void **unused)
{
	u16 good = give(64, true), other = give(64, true);
	u32 id, len;

	(void)unused;
	use(good, 64);
	use(other, 65);
	use_publish();
	assert_broken_after(1, "used length beyond what was posted");
	start(false);
	sluice_shadow_submit(s);	/* with what assert_broken() has added */
	assert_int_equal(le16toh(s->shared.avail->idx), 2);
	assert_int_equal(le16toh(s->shared.avail->ring[0]), other);
	use(other, 64);
	use_publish();
	assert_int_equal(sluice_shadow_harvest(s), 1);
	assert_int_equal(driver_used(&d, &id, &len), 1);
	assert_int_equal(id, good);
	assert_int_equal(driver_used(&d, &id, &len), 1);
	assert_int_equal(id, other);
	assert_int_equal(driver_used(&d, &id, &len), 0);
}

static void give_up_returns_all(void **unused)
{
	u32 id, len, i, seen = 0;
	u16 done = give(64, true);

	(void)unused;
	for (i = 0; i < 2; i++)
		give(64, i);
	use(done, 5);
	use_publish();
	assert_int_equal(sluice_shadow_harvest(s), 1);
	driver_add(&d, DATA(0), 64, false);
	driver_publish(&d);	/* the device has not seen it */
	assert_int_equal(sluice_shadow_give_up(s), 3);
	assert_int_equal(driver_used(&d, &id, &len), 1);
	assert_int_equal(id, done);
	assert_int_equal(len, 5);
	while (driver_used(&d, &id, &len)) {
		assert_int_equal(len, SLUICE_SHADOW_LOST);
		assert_false(seen & BIT(id));
		seen |= BIT(id);
		driver_put(&d, id);
	}
	assert_int_equal(seen, BIT(NUM - 2) | BIT(NUM - 3) | BIT(NUM - 4));
	assert_int_equal(sluice_shadow_give_up(s), 0);
	assert_int_equal(driver_used(&d, &id, &len), 0);
	start(false);
	assert_int_equal(s->shared.avail->idx, 0);
	use(give(64, true), 64);
	use_publish();
	assert_int_equal(sluice_shadow_harvest(s), 1);
}

static void chain_is_copied_to_its_place(void **unused)
{
	(void)unused;
	driver_desc(&d, 5, DATA(1), 100, NEXT, 2);
	driver_desc(&d, 2, DATA(2), 200, NEXT | WRITE, 7);
	driver_desc(&d, 7, DATA(3), 300, WRITE, 3);
	driver_offer(&d, 5);
	driver_publish(&d);
	assert_true(sluice_shadow_submit(s));
	assert_int_equal(le16toh(s->shared.avail->idx), 1);
	assert_int_equal(le16toh(s->shared.avail->ring[0]), 5);
	assert_memory_equal(&s->shared.desc[5], &d.desc[5], sizeof(d.desc[5]));
	assert_memory_equal(&s->shared.desc[2], &d.desc[2], sizeof(d.desc[2]));
	assert_memory_equal(&s->shared.desc[7], &d.desc[7], sizeof(d.desc[7]));
	/* and nothing else */
	assert_int_equal(s->shared.desc[3].len, 0);
	/* what may be written is counted, not what may be read */
	use(5, 500);
	use_publish();
	assert_int_equal(sluice_shadow_harvest(s), 1);
	assert_int_equal(le32toh(d.used->ring[0].id), 5);
	assert_int_equal(le32toh(d.used->ring[0].len), 500);
	assert_int_equal(le16toh(d.used->idx), 1);
	/* nothing new: no doorbell */
	assert_false(sluice_shadow_submit(s));
}

/* Nothing of the table and the available ring is read back. */
static void garbage_in_table_is_not_seen(void **unused)
{
	u32 id, len;
	int i;

	(void)unused;
	for (i = 0; i < 3; i++)
		give(64 + i, true);
	memset(s->shared.desc, 0xff, NUM * sizeof(struct vring_desc));
	memset(s->shared.avail, 0xff, sizeof(u16) * (3 + NUM));
	for (i = 0; i < 3; i++)
		use(NUM - 1 - i, 64 + i);	/* heads, as driver_add() takes them */
	use_publish();
	assert_int_equal(sluice_shadow_harvest(s), 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(driver_used(&d, &id, &len), 1);
		assert_int_equal(id, NUM - 1 - i);
		assert_int_equal(len, 64 + i);
	}
	assert_int_equal(driver_used(&d, &id, &len), 0);
}

static void id_outside(void **unused)
{
	(void)unused;
	give(64, true);
	use(NUM, 1);
	use_publish();
	assert_broken("used id outside of the descriptor table");
}

static void id_far_outside(void **unused)
{
	(void)unused;
	give(64, true);
	use(0x80000000u | (NUM - 1), 1);
	use_publish();
	assert_broken("used id outside of the descriptor table");
}

static void id_not_in_flight(void **unused)
{
	(void)unused;
	use(give(64, true) ^ 1, 1);
	use_publish();
	assert_broken("used id that is not in flight");
}

static void id_twice(void **unused)
{
	u16 head = give(64, true);

	(void)unused;
	give(64, true);
	use(head, 1);
	use(head, 1);
	use_publish();
	assert_broken_after(1, "used id that is not in flight");
}

/* A head in the middle of a chain is no head. */
static void id_inside_of_a_chain(void **unused)
{
	(void)unused;
	driver_desc(&d, 0, DATA(0), 64, NEXT | WRITE, 1);
	driver_desc(&d, 1, DATA(1), 64, WRITE, 0);
	driver_offer(&d, 0);
	driver_publish(&d);
	sluice_shadow_submit(s);
	use(1, 64);
	use_publish();
	assert_broken("used id that is not in flight");
}

static void length_beyond(void **unused)
{
	(void)unused;
	use(give(64, true), 65);
	use_publish();
	assert_broken("used length beyond what was posted");
}

static void length_absurd(void **unused)
{
	(void)unused;
	use(give(64, true), U32_MAX);
	use_publish();
	assert_broken("used length beyond what was posted");
}

static void length_of_what_is_only_read(void **unused)
{
	u16 head = give(64, false);

	(void)unused;
	use(head, 0);
	use_publish();
	assert_int_equal(sluice_shadow_harvest(s), 1);
	driver_put(&d, head);
	use(give(64, false), 1);
	use_publish();
	assert_broken("used length beyond what was posted");
}

static void index_jumps(void **unused)
{
	(void)unused;
	give(64, true);
	s->shared.used->idx = htole16(NUM + 1);
	assert_broken("used index jumped by more than the ring");
}

static void index_goes_back(void **unused)
{
	(void)unused;
	give(64, true);
	s->shared.used->idx = htole16(0xffff);
	assert_broken("used index jumped by more than the ring");
}

/* More than is in flight, but not more than the ring. */
static void index_ahead(void **unused)
{
	u16 head = give(64, true);

	(void)unused;
	s->shared.used->ring[0].id = htole32(head);
	s->shared.used->idx = htole16(2);
	assert_broken_after(1, "used id that is not in flight");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(refuses_bad_sizes, setup),
		WITH(new_ring_forgets, setup),
		WITH(start_replays, setup),
		WITH(start_after_an_error, setup),
		WITH(give_up_returns_all, setup),
		WITH(chain_is_copied_to_its_place, setup),
		WITH(garbage_in_table_is_not_seen, setup),
		WITH(id_outside, setup),
		WITH(id_far_outside, setup),
		WITH(id_not_in_flight, setup),
		WITH(id_twice, setup),
		WITH(id_inside_of_a_chain, setup),
		WITH(length_beyond, setup),
		WITH(length_absurd, setup),
		WITH(length_of_what_is_only_read, setup),
		WITH(index_jumps, setup),
		WITH(index_goes_back, setup),
		WITH(index_ahead, setup),
	};

	return cmocka_run_group_tests_name("shadow", tests, NULL, NULL);
}
