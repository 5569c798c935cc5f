// SPDX-License-Identifier: GPL-2.0
/* frontend/bounce.c: division of the control area, and who has which slot. */
#include "test.h"
#include "frontend/bounce.c"

static void plan_divides(void **state)
{
	struct sluice_bounce_plan p;
	u32 kb, pairs, max_ring, region;

	for (kb = 256; kb <= 8192; kb += 4)
		for (pairs = 1; pairs <= 9; pairs++)
			for (max_ring = 32; max_ring <= 1024; max_ring *= 2)
				for (region = 0; region < 2; region++) {
					assert_int_equal(sluice_bounce_plan(&p, kb << 10, pairs,
									    max_ring, region), 0);
					assert_in_range(p.pairs, 1, pairs < 8 ? pairs : 8);
					assert_in_range(p.ring, 32, max_ring);
					assert_int_equal(p.ring & (p.ring - 1), 0);
					assert_int_equal(p.first * SLUICE_BOUNCE_SLOT,
							 SLUICE_SHM_AREA_OFF);
					/* all of the area, and none of it twice */
					assert_int_equal(p.first + p.ring_slots + p.rx_slots +
							 p.tx_slots, kb << 10 >> 11);
					/* both directions can move a full-sized frame */
					assert_true(p.rx_slots >= 32 * p.pairs);
					assert_true(p.tx_slots >= 16 * p.pairs);
					/* a full ring of the stock driver fits */
					if (!region)
						assert_true(p.rx_slots >= 9 * p.ring / 4 * p.pairs);
					/* every ring, none over an edge */
					assert_int_equal(p.ring_slots, 2 * p.pairs * p.ring_chunk);
					assert_true(p.first + p.ring_slots <=
						    SLUICE_BOUNCE_PER_EDGE);
					assert_true(p.ring_chunk * SLUICE_BOUNCE_SLOT >=
						    16 * p.ring + 2 * p.ring + 8 * p.ring + 12);
				}
}

static void plan_sizes(void **state)
{
	struct sluice_bounce_plan p;

	/* 1 MiB for each pair feeds a ring of 128 */
	assert_int_equal(sluice_bounce_plan(&p, 1 << 20, 1, 1024, false), 0);
	assert_int_equal(p.ring, 128);
	assert_int_equal(p.rx_slots, 288);
	assert_int_equal(sluice_bounce_plan(&p, 8 << 20, 8, 1024, false), 0);
	assert_int_equal(p.pairs, 8);
	assert_int_equal(p.ring, 128);
	/* with a region only the ring itself takes of it, an eighth at most */
	assert_int_equal(sluice_bounce_plan(&p, 1 << 20, 1, 1024, true), 0);
	assert_int_equal(p.ring, 1024);
	assert_true(p.ring_slots <= (p.ring_slots + p.rx_slots + p.tx_slots) / 8);
	assert_int_equal(sluice_bounce_plan(&p, 8 << 20, 8, 1024, true), 0);
	assert_int_equal(p.ring, 1024);
	assert_int_equal(sluice_bounce_plan(&p, 256 << 10, 1, 1024, true), 0);
	assert_int_equal(p.ring, 256);
	assert_int_equal(sluice_bounce_plan(&p, 1 << 20, 1, 64, true), 0);
	assert_int_equal(p.ring, 64);
	/* a small area feeds fewer pairs instead of starving all */
	assert_int_equal(sluice_bounce_plan(&p, 512 << 10, 8, 1024, false), 0);
	assert_int_equal(p.pairs, 2);

	assert_int_equal(sluice_bounce_plan(&p, (256 << 10) - 1, 1, 256, false), -EINVAL);
	assert_int_equal(sluice_bounce_plan(&p, (8 << 20) + 1, 1, 256, false), -EINVAL);
	assert_int_equal(sluice_bounce_plan(&p, 1 << 20, 0, 256, false), -EINVAL);
	assert_int_equal(sluice_bounce_plan(&p, 1 << 20, 1, 31, false), -EINVAL);
}

static void empty_and_full(void **state)
{
	struct sluice_bounce_zone z;
	u32 i;

	sluice_bounce_zone_init(&z, 8, 20);
	assert_int_equal(sluice_bounce_get(&z, 0), -ENOSPC);
	assert_int_equal(sluice_bounce_get(&z, 21), -ENOSPC);
	assert_int_equal(z.full, 2);
	for (i = 0; i < 20; i++)
		assert_int_equal(sluice_bounce_get(&z, 1), 8 + i);
	assert_int_equal(sluice_bounce_get(&z, 1), -ENOSPC);
	assert_int_equal(z.used, 20);
	sluice_bounce_put(&z, 12, 1);
	assert_int_equal(sluice_bounce_get(&z, 2), -ENOSPC);
	sluice_bounce_put(&z, 13, 1);
	assert_int_equal(sluice_bounce_get(&z, 2), 12);
	assert_int_equal(z.peak, 20);
	assert_false(sluice_bounce_owns(&z, (8 << 11) - 1));
	assert_true(sluice_bounce_owns(&z, 8 << 11));
	assert_true(sluice_bounce_owns(&z, (28 << 11) - 1));
	assert_false(sluice_bounce_owns(&z, 28 << 11));
	assert_false(sluice_bounce_owns(&z, U64_MAX));
}

/* A descriptor may not cross the edge of a window slot. */
static void edges(void **state)
{
	struct sluice_bounce_zone z;
	int slot;

	sluice_bounce_zone_init(&z, SLUICE_BOUNCE_PER_EDGE - 3, 16);
	slot = sluice_bounce_get(&z, 4);
	assert_int_equal(slot, SLUICE_BOUNCE_PER_EDGE);
	assert_int_equal(sluice_bounce_get(&z, 3), SLUICE_BOUNCE_PER_EDGE + 4);
	sluice_bounce_put(&z, slot, 4);
	/* what remains below the edge is for small ones */
	z.hint = 0;
	assert_int_equal(sluice_bounce_get(&z, 3), SLUICE_BOUNCE_PER_EDGE - 3);
	assert_int_equal(sluice_bounce_get(&z, SLUICE_BOUNCE_PER_EDGE + 1), -ENOSPC);
}

/* Against a plain array: never an overlap, never over an edge, nothing leaks. */
static void random_against_array(void **state)
{
	static struct { u32 slot, nr; } got[512];
	static u8 taken[4096];
	struct sluice_bounce_zone z;
	u32 seed = 1, nr_got = 0, used = 0, step, i;

	sluice_bounce_zone_init(&z, 1000, 2500);
	for (step = 0; step < 200000; step++) {
		u32 nr = 1 + test_random(&seed) % (test_random(&seed) % 4 ? 3 : 34);
		int slot;

		if (nr_got == ARRAY_SIZE(got) || (nr_got && test_random(&seed) % 2)) {
			u32 k = test_random(&seed) % nr_got;

			sluice_bounce_put(&z, got[k].slot, got[k].nr);
			for (i = 0; i < got[k].nr; i++)
				taken[got[k].slot + i] = 0;
			used -= got[k].nr;
			got[k] = got[--nr_got];
			continue;
		}
		slot = sluice_bounce_get(&z, nr);
		if (slot < 0)
			continue;
		assert_in_range(slot, 1000, 3500 - nr);
		assert_int_equal(slot / SLUICE_BOUNCE_PER_EDGE,
				 (slot + nr - 1) / SLUICE_BOUNCE_PER_EDGE);
		for (i = 0; i < nr; i++) {
			assert_false(taken[slot + i]);
			taken[slot + i] = 1;
		}
		used += nr;
		got[nr_got].slot = slot;
		got[nr_got++].nr = nr;
		assert_int_equal(z.used, used);
	}
	while (nr_got--)
		sluice_bounce_put(&z, got[nr_got].slot, got[nr_got].nr);
	assert_int_equal(z.used, 0);
	assert_int_equal(find_next_bit(z.taken, z.nr, 0), z.nr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_divides),
		cmocka_unit_test(plan_sizes),
		cmocka_unit_test(empty_and_full),
		cmocka_unit_test(edges),
		cmocka_unit_test(random_against_array),
	};

	return cmocka_run_group_tests_name("bounce", tests, NULL, NULL);
}
