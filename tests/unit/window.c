// SPDX-License-Identifier: GPL-2.0
#include "test.h"
#include <sluice/window.h>

#define MIB	(1u << 20)
#define SEG	SLUICE_SHM_SEGMENT_BYTES

/* Addresses only: nothing in window.c touches the memory. */
static u8 * const ctrl = (u8 *)0x100000000;
static u8 * const data = (u8 *)0x200000000;
static struct sluice_window win;

static void bring(u32 slot, u32 state)
{
	static const u32 path[] = {
		SLUICE_SEGMENT_ALLOCATED, SLUICE_SEGMENT_VALIDATED, SLUICE_SEGMENT_SHARED,
		SLUICE_SEGMENT_ACTIVE, SLUICE_SEGMENT_RETIRING, SLUICE_SEGMENT_DRAINED,
		SLUICE_SEGMENT_QUIESCED, SLUICE_SEGMENT_REVOKED, SLUICE_SEGMENT_ABSENT,
	};
	size_t i;

	win.slot[slot].va = data;
	for (i = 0; win.slot[slot].state != state; i++) {
		assert_true(i < ARRAY_SIZE(path));
		assert_int_equal(sluice_window_set_state(&win, slot, path[i]), 0);
	}
}

static int setup(void **unused)
{
	(void)unused;
	return sluice_window_init(&win, 8, MIB, ctrl);
}

static void init_refuses_impossible_sizes(void **unused)
{
	static const struct {
		u32 nr_slots;
		u32 ctrl_bytes;
		int err;
	} t[] = {
		{ 1, SLUICE_SHM_CTRL_MIN, 0 },
		{ SLUICE_SHM_MAX_SLOTS, SLUICE_SHM_CTRL_MAX, 0 },
		{ 4, 8 * MIB, 0 },
		{ 3, 8 * MIB, -EINVAL },			/* control does not fit */
		{ 0, SLUICE_SHM_CTRL_MIN, -EINVAL },
		{ SLUICE_SHM_MAX_SLOTS + 1, MIB, -EINVAL },
		{ U32_MAX, MIB, -EINVAL },
		{ 8, 0, -EINVAL },
		{ 8, SLUICE_SHM_CTRL_MIN - 4096, -EINVAL },
		{ 8, SLUICE_SHM_CTRL_MAX + 4096, -EINVAL },
		{ 8, U32_MAX, -EINVAL },
		{ 8, MIB + 1, -EINVAL },			/* half a page */
		{ 8, MIB + 2048, -EINVAL },
	};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(sluice_window_init(&win, t[i].nr_slots, t[i].ctrl_bytes, ctrl),
				 t[i].err);
	assert_int_equal(sluice_window_init(&win, 8, MIB, NULL), -EINVAL);
}

static void init_counts_control_slots(void **unused)
{
	(void)unused;
	assert_int_equal(sluice_window_init(&win, 8, 2 * MIB, ctrl), 0);
	assert_int_equal(win.ctrl_slots, 1);
	assert_int_equal(sluice_window_init(&win, 8, 2 * MIB + 4096, ctrl), 0);
	assert_int_equal(win.ctrl_slots, 2);
	assert_ptr_equal(win.slot[1].va, ctrl + SEG);
	assert_int_equal(win.slot[1].state, SLUICE_SEGMENT_ACTIVE);
	assert_int_equal(win.slot[2].state, SLUICE_SEGMENT_ABSENT);
}

static void resolve_control_area(void **unused)
{
	(void)unused;
	assert_ptr_equal(sluice_window_resolve(&win, 0x4000, 1), ctrl + 0x4000);
	assert_ptr_equal(sluice_window_resolve(&win, 0x4000, MIB - 0x4000), ctrl + 0x4000);
	assert_ptr_equal(sluice_window_resolve(&win, MIB - 1, 1), ctrl + MIB - 1);
	/* the pages of the two sides are nobody's buffer */
	assert_null(sluice_window_resolve(&win, 0, 1));
	assert_null(sluice_window_resolve(&win, 0x3fff, 1));
	assert_null(sluice_window_resolve(&win, 0x3fff, 2));
	/* the slot has 2 MiB, the control segment one */
	assert_null(sluice_window_resolve(&win, MIB - 1, 2));
	assert_null(sluice_window_resolve(&win, MIB, 1));
	assert_null(sluice_window_resolve(&win, SEG - 1, 1));
}

static void resolve_data_segment(void **unused)
{
	(void)unused;
	bring(3, SLUICE_SEGMENT_ACTIVE);
	assert_ptr_equal(sluice_window_resolve(&win, 3ull * SEG, 1), data);
	assert_ptr_equal(sluice_window_resolve(&win, 3ull * SEG, SEG), data);
	assert_ptr_equal(sluice_window_resolve(&win, 4ull * SEG - 1, 1), data + SEG - 1);
	/* over the edge, even if the neighbour is there */
	bring(4, SLUICE_SEGMENT_ACTIVE);
	assert_null(sluice_window_resolve(&win, 4ull * SEG - 1, 2));
	assert_null(sluice_window_resolve(&win, 3ull * SEG, SEG + 1));
	assert_null(sluice_window_resolve(&win, 3ull * SEG + 1, SEG));
	assert_null(sluice_window_resolve(&win, 3ull * SEG + 1, U32_MAX));
	assert_null(sluice_window_resolve(&win, 3ull * SEG, 0));
}

static void resolve_outside(void **unused)
{
	(void)unused;
	bring(7, SLUICE_SEGMENT_ACTIVE);
	assert_non_null(sluice_window_resolve(&win, 8ull * SEG - 1, 1));
	assert_null(sluice_window_resolve(&win, 8ull * SEG, 1));
	assert_null(sluice_window_resolve(&win, (u64)SLUICE_SHM_MAX_SLOTS * SEG, 1));
	/* bits that a 32-bit index would drop */
	assert_null(sluice_window_resolve(&win, (1ull << 53) + 7ull * SEG, 1));
	assert_null(sluice_window_resolve(&win, U64_MAX, 1));
	assert_null(sluice_window_resolve(&win, U64_MAX - 10, U32_MAX));
}

static void resolve_only_while_there_is_memory(void **unused)
{
	u32 state;

	(void)unused;
	for (state = 0; state < SLUICE_SEGMENT_NR_STATES; state++) {
		bool there = state == SLUICE_SEGMENT_ACTIVE || state == SLUICE_SEGMENT_RETIRING ||
			     state == SLUICE_SEGMENT_QUARANTINED;

		win.slot[2].va = data;
		win.slot[2].state = state;
		assert_int_equal(!!sluice_window_resolve(&win, 2ull * SEG + 5, 100), there);
	}
	/* a slot without an address resolves nothing, whatever its state */
	win.slot[2].va = NULL;
	win.slot[2].state = SLUICE_SEGMENT_ACTIVE;
	assert_null(sluice_window_resolve(&win, 2ull * SEG + 5, 100));
}

static void resolve_area_may_cross_slots(void **unused)
{
	(void)unused;
	assert_int_equal(sluice_window_init(&win, 8, 4 * MIB, ctrl), 0);
	assert_ptr_equal(sluice_window_resolve_area(&win, SEG - 8, 16), ctrl + SEG - 8);
	assert_null(sluice_window_resolve(&win, SEG - 8, 16));
	assert_ptr_equal(sluice_window_resolve_area(&win, 0x4000, 4 * MIB - 0x4000),
			 ctrl + 0x4000);
	assert_null(sluice_window_resolve_area(&win, 0x4000, 4 * MIB - 0x4000 + 1));
	assert_null(sluice_window_resolve_area(&win, 0x3ff0, 16));
	assert_null(sluice_window_resolve_area(&win, 4 * MIB, 1));
	assert_null(sluice_window_resolve_area(&win, 0x4000, 0));
	assert_null(sluice_window_resolve_area(&win, U64_MAX, 2));
	assert_null(sluice_window_resolve_area(&win, U64_MAX - 1, U32_MAX));
	assert_null(sluice_window_resolve_area(&win, 1ull << 32 | 0x4000, 16));
	/* data segments are no place for a ring */
	bring(2, SLUICE_SEGMENT_ACTIVE);
	assert_null(sluice_window_resolve_area(&win, 2ull * SEG, 16));
}

static void set_state_leaves_control_alone(void **unused)
{
	(void)unused;
	assert_int_equal(sluice_window_set_state(&win, 0, SLUICE_SEGMENT_RETIRING), -EINVAL);
	assert_int_equal(sluice_window_set_state(&win, 8, SLUICE_SEGMENT_ALLOCATED), -EINVAL);
	assert_int_equal(sluice_window_set_state(&win, U32_MAX, SLUICE_SEGMENT_ALLOCATED),
			 -EINVAL);
	assert_int_equal(win.slot[0].state, SLUICE_SEGMENT_ACTIVE);
}

static void steps_of_a_life(void **unused)
{
	u32 from, to;

	(void)unused;
	/* the whole life, and no step of it backwards */
	bring(1, SLUICE_SEGMENT_REVOKED);
	assert_int_equal(sluice_window_set_state(&win, 1, SLUICE_SEGMENT_ABSENT), 0);
	for (from = SLUICE_SEGMENT_ALLOCATED; from < SLUICE_SEGMENT_QUARANTINED; from++)
		for (to = SLUICE_SEGMENT_ALLOCATED; to <= from; to++)
			assert_false(sluice_segment_may(from, to));
	for (from = 0; from < SLUICE_SEGMENT_NR_STATES; from++) {
		assert_false(sluice_segment_may(from, from));
		assert_false(sluice_segment_may(from, SLUICE_SEGMENT_NR_STATES));
		assert_false(sluice_segment_may(SLUICE_SEGMENT_NR_STATES, from));
		assert_false(sluice_segment_may(from, U32_MAX));
		assert_false(sluice_segment_may(U32_MAX, from));
	}
	/* invariant 2: what the peer may still map is not free without a word */
	assert_false(sluice_segment_may(SLUICE_SEGMENT_SHARED, SLUICE_SEGMENT_ABSENT));
	assert_false(sluice_segment_may(SLUICE_SEGMENT_ACTIVE, SLUICE_SEGMENT_ABSENT));
	assert_false(sluice_segment_may(SLUICE_SEGMENT_ACTIVE, SLUICE_SEGMENT_REVOKED));
	assert_false(sluice_segment_may(SLUICE_SEGMENT_QUIESCED, SLUICE_SEGMENT_ABSENT));
	assert_false(sluice_segment_may(SLUICE_SEGMENT_QUARANTINED, SLUICE_SEGMENT_ALLOCATED));
	assert_false(sluice_segment_may(SLUICE_SEGMENT_QUARANTINED, SLUICE_SEGMENT_ACTIVE));
	/* every step after RETIRING may time out */
	assert_true(sluice_segment_may(SLUICE_SEGMENT_RETIRING, SLUICE_SEGMENT_QUARANTINED));
	assert_true(sluice_segment_may(SLUICE_SEGMENT_DRAINED, SLUICE_SEGMENT_QUARANTINED));
	assert_true(sluice_segment_may(SLUICE_SEGMENT_QUIESCED, SLUICE_SEGMENT_QUARANTINED));
}

static void states_have_names(void **unused)
{
	u32 a, b;

	(void)unused;
	for (a = 0; a < SLUICE_SEGMENT_NR_STATES; a++)
		for (b = 0; b < a; b++)
			assert_string_not_equal(sluice_segment_name(a), sluice_segment_name(b));
	assert_text(sluice_segment_name(SLUICE_SEGMENT_ACTIVE), "active");
	assert_non_null(sluice_segment_name(SLUICE_SEGMENT_NR_STATES));
	assert_non_null(sluice_segment_name(U32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(init_refuses_impossible_sizes, setup),
		cmocka_unit_test_setup(init_counts_control_slots, setup),
		cmocka_unit_test_setup(resolve_control_area, setup),
		cmocka_unit_test_setup(resolve_data_segment, setup),
		cmocka_unit_test_setup(resolve_outside, setup),
		cmocka_unit_test_setup(resolve_only_while_there_is_memory, setup),
		cmocka_unit_test_setup(resolve_area_may_cross_slots, setup),
		cmocka_unit_test_setup(set_state_leaves_control_alone, setup),
		cmocka_unit_test_setup(steps_of_a_life, setup),
		cmocka_unit_test_setup(states_have_names, setup),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
