// SPDX-License-Identifier: GPL-2.0
/* frontend/pool.c: who has which region page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../frontend/pool.c"

#define PAGES	16
#define SLOTS	6

/* What the stack holds, as page_ref_count() would tell it. */
static bool held[SLUICE_SHM_MAX_SLOTS * PAGES];
static unsigned int looks;
static struct sluice_pool pool;
static struct sluice_pool_segment memory[SLOTS];

static bool idle(void *arg, u32 id)
{
	assert_ptr_equal(arg, &pool);
	looks++;
	return !held[id];
}

static int setup(void **state)
{
	memset(held, 0, sizeof(held));
	looks = 0;
	sluice_pool_init(&pool, PAGES, idle, &pool);
	return 0;
}

/* All lists and counts agree with each other. */
static void check(void)
{
	u32 total = 0, nr_free = 0, nr_wait = 0, walked = 0, listed = 0, id, slot, i, prev;

	for (slot = 0; slot < SLOTS; slot++) {
		struct sluice_pool_segment *seg = pool.seg[slot];
		u32 out = 0, wait = 0, free = 0;

		if (!seg)
			continue;
		for (i = 0; i < PAGES; i++) {
			out += seg->page[i].state == SLUICE_POOL_OUT;
			wait += seg->page[i].state == SLUICE_POOL_WAIT;
			free += seg->page[i].state == SLUICE_POOL_FREE;
		}
		assert_int_equal(out, seg->nr_out);
		assert_int_equal(wait, seg->nr_wait);
		assert_int_equal(free, seg->nr_free);
		for (i = 0; i < PAGES; i++)
			assert_int_equal(test_bit(i, seg->free),
					 seg->page[i].state == SLUICE_POOL_FREE);
		assert_int_equal(seg->listed, !seg->retiring && seg->nr_free);
		listed += seg->listed;
		nr_wait += wait;
		if (!seg->retiring) {
			total += PAGES;
			nr_free += free;
		}
	}
	assert_int_equal(total, pool.total);
	assert_int_equal(nr_free, pool.nr_free);
	assert_int_equal(nr_wait, pool.nr_wait);
	prev = SLUICE_POOL_NONE;
	for (id = pool.fifo_head; id != SLUICE_POOL_NONE; walked++) {
		struct sluice_pool_page *page = &pool.seg[id / PAGES]->page[id % PAGES];

		assert_int_equal(page->state, SLUICE_POOL_WAIT);
		assert_int_equal(page->prev, prev);
		prev = id;
		id = page->next;
	}
	assert_int_equal(prev, pool.fifo_tail);
	assert_int_equal(walked, nr_wait);
	prev = SLUICE_POOL_NONE;
	for (slot = pool.avail; slot != SLUICE_POOL_NONE; listed--) {
		assert_true(pool.seg[slot]->listed);
		assert_int_equal(pool.seg[slot]->prev, prev);
		prev = slot;
		slot = pool.seg[slot]->next;
	}
	assert_int_equal(prev, pool.avail_last);
	assert_int_equal(listed, 0);
}

static void test_empty(void **state)
{
	assert_int_equal(sluice_pool_get(&pool, 0), SLUICE_POOL_NONE);
	assert_int_equal(sluice_pool_put(&pool, 0), -EINVAL);
	assert_int_equal(sluice_pool_put(&pool, U32_MAX), -EINVAL);
	assert_int_equal(sluice_pool_retire(&pool, 0), -ENOENT);
	assert_int_equal(sluice_pool_retire(&pool, SLUICE_SHM_MAX_SLOTS), -ENOENT);
	assert_int_equal(sluice_pool_revive(&pool, 0), -ENOENT);
	assert_int_equal(sluice_pool_missing(&pool, 0), 0);
	assert_null(sluice_pool_del(&pool, 0));
	assert_null(sluice_pool_del(&pool, U32_MAX));
	check();
}

static void test_add(void **state)
{
	assert_int_equal(sluice_pool_add(&pool, SLUICE_SHM_MAX_SLOTS, &memory[0]), -EINVAL);
	assert_int_equal(sluice_pool_add(&pool, 1, &memory[1]), 0);
	assert_int_equal(sluice_pool_add(&pool, 1, &memory[2]), -EEXIST);
	assert_true(sluice_pool_active(&pool, 1));
	assert_false(sluice_pool_active(&pool, 2));
	assert_false(sluice_pool_active(&pool, U32_MAX));
	assert_int_equal(pool.total, PAGES);
	check();
}

/* Every page once, then none; a page twice given back is refused. */
static void test_every_page_once(void **state)
{
	bool seen[SLOTS * PAGES] = { false };
	u32 id, i;

	assert_int_equal(sluice_pool_add(&pool, 1, &memory[1]), 0);
	assert_int_equal(sluice_pool_add(&pool, 3, &memory[3]), 0);
	for (i = 0; i < 2 * PAGES; i++) {
		id = sluice_pool_get(&pool, 0);
		assert_true(id / PAGES == 1 || id / PAGES == 3);
		assert_false(seen[id]);
		seen[id] = true;
		check();
	}
	assert_int_equal(sluice_pool_get(&pool, 0), SLUICE_POOL_NONE);
	assert_int_equal(sluice_pool_put(&pool, PAGES + 5), 0);
	assert_int_equal(sluice_pool_put(&pool, PAGES + 5), -EINVAL);
	assert_int_equal(sluice_pool_get(&pool, 0), PAGES + 5);
	check();
}

/* Neighbours, of one segment, each page once. */
static void test_runs(void **state)
{
	bool seen[SLOTS * PAGES] = { false };
	u32 id, nr, i, pages = 0;

	assert_int_equal(sluice_pool_get_run(&pool, 4, &nr), SLUICE_POOL_NONE);
	assert_int_equal(sluice_pool_add(&pool, 1, &memory[1]), 0);
	assert_int_equal(sluice_pool_add(&pool, 2, &memory[2]), 0);
	assert_int_equal(sluice_pool_get_run(&pool, 0, &nr), SLUICE_POOL_NONE);
	while ((id = sluice_pool_get_run(&pool, 5, &nr)) != SLUICE_POOL_NONE) {
		assert_in_range(nr, 1, 5);
		assert_int_equal(id / PAGES, (id + nr - 1) / PAGES);
		for (i = 0; i < nr; i++) {
			assert_false(seen[id + i]);
			seen[id + i] = true;
		}
		pages += nr;
		check();
	}
	assert_int_equal(pages, 2 * PAGES);
	assert_int_equal(sluice_pool_put(&pool, PAGES + 3), 0);
	assert_int_equal(sluice_pool_put(&pool, PAGES + 5), 0);
	assert_int_equal(sluice_pool_put(&pool, PAGES + 6), 0);
	assert_int_equal(sluice_pool_get_run(&pool, 3, &nr), PAGES + 5);
	assert_int_equal(nr, 2);
	assert_int_equal(sluice_pool_get_run(&pool, 3, &nr), PAGES + 3);
	assert_int_equal(nr, 1);
	check();
}

/* Single pages come and go in any order; runs stay whole beside them. */
static void test_runs_stay_whole(void **state)
{
	u32 single[PAGES / 2], id, nr, i, j, round;

	assert_int_equal(sluice_pool_add(&pool, 0, &memory[0]), 0);
	srand(2);
	for (i = 0; i < ARRAY_SIZE(single); i++)
		single[i] = sluice_pool_get(&pool, 0);
	for (round = 0; round < 1000; round++) {
		id = sluice_pool_get_run(&pool, PAGES / 2, &nr);
		assert_int_equal(nr, PAGES / 2);
		for (i = 0; i < 3; i++) {
			j = rand() % ARRAY_SIZE(single);
			assert_int_equal(sluice_pool_put(&pool, single[j]), 0);
			single[j] = sluice_pool_get(&pool, 0);
		}
		for (i = 0; i < nr; i++)
			assert_int_equal(sluice_pool_put(&pool, id + i), 0);
	}
	check();
}

static void test_reserve(void **state)
{
	u32 n = 0;

	assert_int_equal(sluice_pool_add(&pool, 0, &memory[0]), 0);
	while (sluice_pool_get(&pool, 5) != SLUICE_POOL_NONE)
		n++;
	assert_int_equal(n, PAGES - 5);
	assert_true(sluice_pool_get(&pool, 4) != SLUICE_POOL_NONE);
}

/* A page that somebody holds is not handed out, however hard it is asked for. */
static void test_held_page_waits(void **state)
{
	u32 id, i;

	assert_int_equal(sluice_pool_add(&pool, 0, &memory[0]), 0);
	for (i = 0; i < PAGES; i++)
		assert_true(sluice_pool_get(&pool, 0) != SLUICE_POOL_NONE);
	held[7] = true;
	assert_int_equal(sluice_pool_put(&pool, 7), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(sluice_pool_get(&pool, 0), SLUICE_POOL_NONE);
	check();
	held[7] = false;
	id = sluice_pool_get(&pool, 0);
	assert_int_equal(id, 7);
	check();
}

/* Old pages that are held for ever do not hide those behind them. */
static void test_held_pages_rotate(void **state)
{
	u32 i, tries;

	assert_int_equal(sluice_pool_add(&pool, 0, &memory[0]), 0);
	for (i = 0; i < PAGES; i++)
		sluice_pool_get(&pool, 0);
	for (i = 0; i < PAGES; i++) {
		held[i] = true;
		assert_int_equal(sluice_pool_put(&pool, i), 0);
	}
	held[PAGES - 1] = false;
	for (tries = 0; tries < 2; tries++)
		if (sluice_pool_get(&pool, 0) == PAGES - 1)
			break;
	assert_true(tries < 2);
	check();
}

/* The cost of one call does not grow with the pages that are held. */
static void test_bounded_look(void **state)
{
	u32 slot, i;

	for (slot = 0; slot < SLOTS; slot++)
		assert_int_equal(sluice_pool_add(&pool, slot, &memory[slot]), 0);
	for (i = 0; i < SLOTS * PAGES; i++)
		sluice_pool_get(&pool, 0);
	for (i = 0; i < SLOTS * PAGES; i++) {
		held[i] = true;
		sluice_pool_put(&pool, i);
	}
	looks = 0;
	assert_int_equal(sluice_pool_get(&pool, 0), SLUICE_POOL_NONE);
	assert_true(looks <= SLUICE_POOL_LOOK);
	looks = 0;
	assert_int_equal(sluice_pool_get_run(&pool, 17, &i), SLUICE_POOL_NONE);
	assert_true(looks <= SLUICE_POOL_LOOK);
}

static void test_retire(void **state)
{
	u32 id, mine = SLUICE_POOL_NONE;

	assert_int_equal(sluice_pool_add(&pool, 0, &memory[0]), 0);
	assert_int_equal(sluice_pool_add(&pool, 1, &memory[1]), 0);
	while (mine == SLUICE_POOL_NONE) {
		id = sluice_pool_get(&pool, 0);
		if (id / PAGES == 1)
			mine = id;
	}
	assert_int_equal(sluice_pool_retire(&pool, 1), 0);
	assert_int_equal(sluice_pool_retire(&pool, 1), -EALREADY);
	assert_false(sluice_pool_active(&pool, 1));
	while ((id = sluice_pool_get(&pool, 0)) != SLUICE_POOL_NONE)
		assert_int_equal(id / PAGES, 0);
	check();

	/* missing until the last page is put and nobody holds it */
	assert_int_not_equal(sluice_pool_missing(&pool, 1), 0);
	for (id = PAGES; id < 2 * PAGES; id++)
		if (id != mine)
			sluice_pool_put(&pool, id);
	assert_int_equal(sluice_pool_missing(&pool, 1), 1);
	held[mine] = true;
	assert_int_equal(sluice_pool_put(&pool, mine), 0);
	assert_int_equal(sluice_pool_missing(&pool, 1), 1);
	held[mine] = false;
	assert_int_equal(sluice_pool_missing(&pool, 1), 0);
	check();
	assert_int_equal(sluice_pool_get(&pool, 0), SLUICE_POOL_NONE);
	assert_ptr_equal(sluice_pool_del(&pool, 1), &memory[1]);
	assert_null(sluice_pool_del(&pool, 1));
	check();
}

/* An active segment can't be forgotten. */
static void test_del_needs_retire(void **state)
{
	assert_int_equal(sluice_pool_add(&pool, 0, &memory[0]), 0);
	assert_null(sluice_pool_del(&pool, 0));
	check();
}

/* A session ends with pages held, the same memory comes back: they are just busy. */
static void test_revive(void **state)
{
	u32 a, b, n = 0;

	assert_int_equal(sluice_pool_add(&pool, 2, &memory[2]), 0);
	a = sluice_pool_get(&pool, 0);
	b = sluice_pool_get(&pool, 0);
	assert_int_equal(sluice_pool_revive(&pool, 2), -EALREADY);
	assert_int_equal(sluice_pool_retire(&pool, 2), 0);
	held[a] = true;
	sluice_pool_put(&pool, a);
	sluice_pool_put(&pool, b);
	assert_int_equal(sluice_pool_missing(&pool, 2), 1);
	assert_int_equal(sluice_pool_revive(&pool, 2), 0);
	check();
	while (sluice_pool_get(&pool, 0) != SLUICE_POOL_NONE)
		n++;
	assert_int_equal(n, PAGES - 1);
	held[a] = false;
	assert_int_equal(sluice_pool_get(&pool, 0), a);
	check();
}

/* Memory that is new to us may be in somebody's hands already. */
static void test_add_busy(void **state)
{
	u32 n = 0;

	held[3] = true;
	assert_int_equal(sluice_pool_add(&pool, 0, &memory[0]), 0);
	check();
	while (sluice_pool_get(&pool, 0) != SLUICE_POOL_NONE)
		n++;
	assert_int_equal(n, PAGES - 1);
}

/* Given up with pages held: they are in no list any more. */
static void test_del_held(void **state)
{
	u32 a;

	assert_int_equal(sluice_pool_add(&pool, 0, &memory[0]), 0);
	assert_int_equal(sluice_pool_add(&pool, 1, &memory[1]), 0);
	do {
		a = sluice_pool_get(&pool, 0);
	} while (a / PAGES != 1);
	held[a] = true;
	sluice_pool_put(&pool, a);
	sluice_pool_retire(&pool, 1);
	assert_ptr_equal(sluice_pool_del(&pool, 1), &memory[1]);
	check();
	held[a] = false;
	while ((a = sluice_pool_get(&pool, 0)) != SLUICE_POOL_NONE)
		assert_int_equal(a / PAGES, 0);
}

/* Anything, in any order: no page has two owners, none is lost. */
static void test_random(void **state)
{
	bool mine[SLOTS * PAGES] = { false };
	u32 id, slot, i, step, nr;

	srand(1);
	for (step = 0; step < 200000; step++) {
		slot = rand() % SLOTS;
		switch (rand() % 16) {
		case 0:
			if (!pool.seg[slot])
				assert_int_equal(sluice_pool_add(&pool, slot, &memory[slot]), 0);
			break;
		case 1:
			sluice_pool_retire(&pool, slot);
			break;
		case 2:
			sluice_pool_revive(&pool, slot);
			break;
		case 3:
			if (!pool.seg[slot] || !pool.seg[slot]->retiring ||
			    sluice_pool_missing(&pool, slot))
				break;
			for (i = 0; i < PAGES; i++)
				assert_false(mine[slot * PAGES + i] || held[slot * PAGES + i]);
			assert_ptr_equal(sluice_pool_del(&pool, slot), &memory[slot]);
			break;
		case 4 ... 5:
			id = sluice_pool_get_run(&pool, 1 + rand() % 6, &nr);
			if (id == SLUICE_POOL_NONE)
				break;
			assert_true(sluice_pool_active(&pool, id / PAGES));
			for (i = id; i < id + nr; i++) {
				assert_int_equal(i / PAGES, id / PAGES);
				assert_false(mine[i] || held[i]);
				mine[i] = true;
			}
			break;
		case 6 ... 9:
			id = sluice_pool_get(&pool, rand() % 4);
			if (id == SLUICE_POOL_NONE)
				break;
			assert_true(sluice_pool_active(&pool, id / PAGES));
			assert_false(mine[id] || held[id]);
			mine[id] = true;
			break;
		default:
			id = rand() % (SLOTS * PAGES);
			if (mine[id]) {
				held[id] = rand() % 2;
				assert_int_equal(sluice_pool_put(&pool, id), 0);
				mine[id] = false;
			} else {
				held[id] = false;
			}
		}
		if (step % 64 == 0)
			check();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, setup),
		cmocka_unit_test_setup(test_add, setup),
		cmocka_unit_test_setup(test_every_page_once, setup),
		cmocka_unit_test_setup(test_runs, setup),
		cmocka_unit_test_setup(test_runs_stay_whole, setup),
		cmocka_unit_test_setup(test_reserve, setup),
		cmocka_unit_test_setup(test_held_page_waits, setup),
		cmocka_unit_test_setup(test_held_pages_rotate, setup),
		cmocka_unit_test_setup(test_bounded_look, setup),
		cmocka_unit_test_setup(test_retire, setup),
		cmocka_unit_test_setup(test_del_needs_retire, setup),
		cmocka_unit_test_setup(test_revive, setup),
		cmocka_unit_test_setup(test_add_busy, setup),
		cmocka_unit_test_setup(test_del_held, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
