// SPDX-License-Identifier: GPL-2.0
#include "test.h"
#include "hypervisor/xen/nodes.c"

#define MIB	(1u << 20)

static __le32 list[SXEN_DIRECTORY_REFS];
static u32 snap[SXEN_DIRECTORY_REFS], work[SXEN_DIRECTORY_REFS];

static void fill(u32 first)
{
	u32 i;

	for (i = 0; i < SXEN_DIRECTORY_REFS; i++)
		list[i] = cpu_to_le32(first + i);
}

static void refs_are_copied(void **unused)
{
	const char *text = NULL;

	(void)unused;
	fill(SXEN_FIRST_REF);
	assert_int_equal(sxen_refs_read(list, SXEN_SEGMENT_REFS, snap, work, &text), 0);
	assert_int_equal(snap[0], SXEN_FIRST_REF);
	assert_int_equal(snap[511], SXEN_FIRST_REF + 511);
	assert_int_equal(sxen_refs_read(list, SXEN_DIRECTORY_REFS, snap, work, &text), 0);
	fill(U32_MAX - SXEN_DIRECTORY_REFS);
	assert_int_equal(sxen_refs_read(list, SXEN_DIRECTORY_REFS, snap, work, &text), 0);
}

static void refs_that_cannot_be(void **unused)
{
	static const u32 bad[] = { 0, 1, SXEN_FIRST_REF - 1, U32_MAX };
	static const u32 at[] = { 0, 1, 255, 511 };
	const char *text;
	size_t i, j;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
	for (j = 0; j < ARRAY_SIZE(at); j++) {
		fill(1000);
		list[at[j]] = cpu_to_le32(bad[i]);
		text = NULL;
		assert_int_equal(sxen_refs_read(list, 512, snap, work, &text), -EINVAL);
		assert_text(text, "a grant reference that cannot be");
	}
	/* behind the end it does not matter */
	fill(1000);
	list[512] = 0;
	assert_int_equal(sxen_refs_read(list, 512, snap, work, &text), 0);
	assert_int_equal(sxen_refs_read(list, 0, snap, work, &text), -EINVAL);
	assert_int_equal(sxen_refs_read(list, SXEN_DIRECTORY_REFS + 1, snap, work, &text), -EINVAL);
	assert_int_equal(sxen_refs_read(list, U32_MAX, snap, work, &text), -EINVAL);
}

static void refs_that_repeat(void **unused)
{
	static const u32 pair[][2] = { { 0, 1 }, { 0, 511 }, { 510, 511 }, { 17, 300 } };
	const char *text;
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(pair); i++) {
		fill(1000);
		list[pair[i][1]] = list[pair[i][0]];
		text = NULL;
		assert_int_equal(sxen_refs_read(list, 512, snap, work, &text), -EINVAL);
		assert_text(text, "a grant reference stands twice in its list");
	}
	fill(1000);
	list[512] = list[0];
	assert_int_equal(sxen_refs_read(list, 512, snap, work, &text), 0);
}

/* Lists of every length whose values come in any order, some of them twice. */
static void refs_in_any_order(void **unused)
{
	u32 nr, round, i, j, seed = 1;
	const char *text;
	bool twice;

	(void)unused;
	for (nr = 1; nr <= 40; nr++)
	for (round = 0; round < 200; round++) {
		for (i = 0; i < nr; i++) {
			seed = seed * 1664525 + 1013904223;
			list[i] = cpu_to_le32(SXEN_FIRST_REF + (seed >> 16) % (nr * nr));
		}
		twice = false;
		for (i = 0; i < nr; i++)
			for (j = 0; j < i; j++)
				twice |= list[i] == list[j];
		assert_int_equal(sxen_refs_read(list, nr, snap, work, &text), twice ? -EINVAL : 0);
		for (i = 0; i < nr; i++)
			assert_int_equal(snap[i], le32_to_cpu(list[i]));
	}
}

static void offers(void **unused)
{
	static const struct {
		u32 bytes, doorbells;
		int err;
	} t[] = {
		{ MIB, 2, 0 },
		{ SLUICE_SHM_CTRL_MIN, 2, 0 },
		{ SLUICE_SHM_CTRL_MAX, SLUICE_SHM_MAX_DOORBELLS, 0 },
		{ 0, 2, -EINVAL },
		{ SLUICE_SHM_CTRL_MIN - 4096, 2, -EINVAL },
		{ SLUICE_SHM_CTRL_MAX + 4096, 2, -EINVAL },
		{ U32_MAX, 2, -EINVAL },
		{ MIB + 1, 2, -EINVAL },
		{ MIB, 0, -EINVAL },
		{ MIB, 1, -EINVAL },
		{ MIB, SLUICE_SHM_MAX_DOORBELLS + 1, -EINVAL },
		{ MIB, U32_MAX, -EINVAL },
	};
	const char *text;
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		text = NULL;
		assert_int_equal(sxen_offer_check(t[i].bytes, t[i].doorbells, &text), t[i].err);
		assert_int_equal(!text, !t[i].err);
	}
}

static void ports(void **unused)
{
	static const struct {
		u32 port[3], nr;
		int err;
	} t[] = {
		{ { 5, 6, 7 }, 3, 0 },
		{ { SXEN_MAX_PORTS - 1 }, 1, 0 },
		{ { 5, 5 }, 1, 0 },
		{ { 5, 5 }, 2, -EINVAL },
		{ { 5, 6, 5 }, 3, -EINVAL },
		{ { 0 }, 1, -EINVAL },
		{ { 5, 0, 7 }, 3, -EINVAL },
		{ { SXEN_MAX_PORTS }, 1, -EINVAL },
		{ { U32_MAX }, 1, -EINVAL },
	};
	const char *text;
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(sxen_ports_check(t[i].port, t[i].nr, &text), t[i].err);
}

static void names(void **unused)
{
	(void)unused;
	assert_true(sxen_name_ok("guest1"));
	assert_true(sxen_name_ok("A-b_c.9"));
	assert_true(sxen_name_ok("abcdefghijklmnopqrstuvwxyz01234"));
	assert_false(sxen_name_ok("abcdefghijklmnopqrstuvwxyz012345"));
	assert_false(sxen_name_ok(""));
	assert_false(sxen_name_ok("a/b"));
	assert_false(sxen_name_ok("a b"));
	assert_false(sxen_name_ok("a\n"));
	assert_false(sxen_name_ok("\xc3\xa4"));
	assert_false(sxen_name_ok("%s"));
}

static void windows(void **unused)
{
	(void)unused;
	assert_int_equal(sxen_window_slots(0, MIB), 1);
	assert_int_equal(sxen_window_slots(8 * MIB, MIB), 5);
	assert_int_equal(sxen_window_slots(8 * MIB, 8 * MIB), 8);
	assert_int_equal(sxen_window_slots(2040ull * MIB, 8 * MIB), SLUICE_SHM_MAX_SLOTS);
	assert_int_equal(sxen_window_slots(2042ull * MIB, 8 * MIB), 0);
	assert_int_equal(sxen_window_slots(U64_MAX, MIB), 0);
	assert_int_equal(sxen_window_slots(U64_MAX - 2 * MIB + 1, MIB), 0);
	assert_int_equal(sxen_window_slots(MIB, MIB), 0);
	assert_int_equal(sxen_window_slots(1, MIB), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refs_are_copied),
		cmocka_unit_test(refs_that_cannot_be),
		cmocka_unit_test(refs_that_repeat),
		cmocka_unit_test(refs_in_any_order),
		cmocka_unit_test(offers),
		cmocka_unit_test(ports),
		cmocka_unit_test(names),
		cmocka_unit_test(windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
