// SPDX-License-Identifier: GPL-2.0
/*
 * backend/autosize.c: how large a region wants to be, on traces of counters, and who
 * gets what of a budget.
 */
#include "test.h"
#include "backend/autosize.c"

#define MIN	1
#define MAX	32

/* A trace: so many frames, bytes and bounced frames in so many milliseconds. */
struct leg {
	u32 ms;
	u32 frames;
	u64 bytes;
	u32 bounced;
};

/*
 * One row a tick of 250 ms, shaped after what iperf3 to a guest does to the counters of a
 * region that is too small, of one that is not, somebody who types into ssh, and a guest that
 * only answers ARP. The numbers are made up.
 */
static const struct leg burst_small[] = {
	{ 250, 64, 5210, 0 }, { 250, 1911, 2790104, 655 }, { 250, 2207, 3218871, 1130 },
	{ 250, 2302, 3361940, 1202 }, { 250, 2164, 3160223, 1094 }, { 250, 2250, 3286110, 1171 },
};

static const struct leg burst_large[] = {
	{ 250, 3012, 4401830, 0 }, { 250, 3127, 4570042, 9 }, { 250, 3098, 4527770, 0 },
	{ 250, 3140, 4589121, 14 }, { 250, 3075, 4494013, 0 }, { 250, 3111, 4546718, 3 },
};

static const struct leg typing[] = {
	{ 250, 4, 412, 0 }, { 250, 0, 0, 0 }, { 250, 6, 628, 2 }, { 250, 2, 206, 0 },
};

static const struct leg idle[] = { { 250, 0, 0, 0 }, { 250, 1, 42, 0 } };

struct region {
	struct sluice_auto a;
	struct sluice_auto_sample s;
	char text[80];
	unsigned int nr_changes;
	bool obey;		/* the size follows the wish */
};

static void begin(struct region *r, u32 min, u32 max, u32 size)
{
	memset(r, 0, sizeof(*r));
	r->s.now_ms = 1000000;
	r->s.size = size;
	r->obey = true;
	sluice_auto_init(&r->a, min, max, 1, size);
	assert_false(sluice_auto_look(&r->a, &r->s, r->text, sizeof(r->text)));
}

static bool look(struct region *r, const struct leg *l)
{
	bool changed;

	r->s.now_ms += l->ms;
	r->s.frames += l->frames;
	r->s.bytes += l->bytes;
	r->s.bounced += l->bounced;
	changed = sluice_auto_look(&r->a, &r->s, r->text, sizeof(r->text));
	assert_in_range(r->a.wish, r->a.min, r->a.max);
	assert_int_equal(changed, r->text[0] != 0);
	if (changed)
		r->nr_changes++;
	if (r->obey)
		r->s.size = r->a.wish;
	return changed;
}

/* Plays a trace again and again for so long. */
static void play(struct region *r, const struct leg *legs, unsigned int nr, u32 ms)
{
	unsigned int i;
	u64 end = r->s.now_ms + ms;

	for (i = 0; r->s.now_ms < end; i = (i + 1) % nr)
		look(r, &legs[i]);
}

#define PLAY(r, trace, ms)	play(r, trace, ARRAY_SIZE(trace), ms)

static void burst_grows(void **unused)
{
	struct region r;

	(void)unused;
	begin(&r, MIN, MAX, 1);
	PLAY(&r, burst_small, 1000);
	assert_int_equal(r.s.size, 2);
	PLAY(&r, burst_small, 4000);
	assert_int_equal(r.s.size, MAX);
	/* nothing above the ceiling, however it goes on */
	r.nr_changes = 0;
	PLAY(&r, burst_small, 60000);
	assert_int_equal(r.nr_changes, 0);
}

/* Neither twice nor half leads beyond a bound. */
static void bounds_between_powers(void **unused)
{
	struct region r;

	(void)unused;
	begin(&r, 3, 5, 3);
	PLAY(&r, burst_small, 10000);
	assert_int_equal(r.s.size, 5);
	PLAY(&r, idle, 60000);
	assert_int_equal(r.s.size, 3);
}

static void reason_says_numbers(void **unused)
{
	const struct leg l = { 500, 1000, 1000000, 300 };
	struct region r;

	(void)unused;
	begin(&r, MIN, MAX, 4);
	assert_true(look(&r, &l));
	assert_text(r.text, "600 frames/s bounced, 30% of all");
	assert_int_equal(r.a.wish, 8);
}

static void idle_shrinks_to_the_floor(void **unused)
{
	struct region r;

	(void)unused;
	begin(&r, 2, MAX, 32);
	PLAY(&r, idle, SLUICE_AUTO_PATIENCE_MS - 500);
	assert_int_equal(r.s.size, 32);
	PLAY(&r, idle, 1000);
	assert_int_equal(r.s.size, 16);
	PLAY(&r, idle, 60000);
	assert_int_equal(r.s.size, 2);
	assert_int_equal(r.nr_changes, 4);
}

static void typing_is_idle(void **unused)
{
	struct region r;

	(void)unused;
	begin(&r, MIN, MAX, 8);
	PLAY(&r, typing, 60000);
	assert_int_equal(r.s.size, MIN);
}

/* Large enough and in use: neither. */
static void between_nothing_happens(void **unused)
{
	struct region r;

	(void)unused;
	begin(&r, MIN, MAX, 8);
	PLAY(&r, burst_large, 120000);
	assert_int_equal(r.nr_changes, 0);
}

/* A handful of bounced frames among many, or at a low rate, is no reason. */
static void few_bounced_frames_do_not_count(void **unused)
{
	const struct leg low_rate[] = { { 250, 30, 40000000, 20 } };
	const struct leg low_share[] = { { 250, 100000, 40000000, 1900 } };
	const struct leg enough[] = { { 250, 100000, 40000000, 2000 } };
	struct region r;

	(void)unused;
	begin(&r, MIN, MAX, 8);
	PLAY(&r, low_rate, 10000);
	PLAY(&r, low_share, 10000);
	assert_int_equal(r.nr_changes, 0);
	PLAY(&r, enough, 1000);
	assert_true(r.nr_changes > 0);
}

static void one_spike_is_not_enough(void **unused)
{
	const struct leg spike[] = { { 250, 1000, 4000000, 900 }, { 250, 1000, 4000000, 0 } };
	struct region r;

	(void)unused;
	begin(&r, MIN, MAX, 8);
	PLAY(&r, spike, 60000);
	assert_int_equal(r.nr_changes, 0);
}

/* A load that comes and goes makes it swing less and less. */
static void hysteresis(void **unused)
{
	unsigned int cycle, before, first = 0, last = 0;
	struct region r;

	(void)unused;
	begin(&r, MIN, 4, 4);
	for (cycle = 0; cycle < 20; cycle++) {
		before = r.nr_changes;
		PLAY(&r, idle, 6000);
		PLAY(&r, burst_small, 3000);
		if (cycle < 2)
			first += r.nr_changes - before;
		if (cycle >= 18)
			last += r.nr_changes - before;
	}
	assert_true(first > 0);
	assert_int_equal(last, 0);
	assert_int_equal(r.s.size, 4);
	assert_true(r.a.patience_ms > SLUICE_AUTO_PATIENCE_MS);
	assert_true(r.a.patience_ms <= SLUICE_AUTO_PATIENCE_MAX_MS);
	/* a long rest makes it as before */
	PLAY(&r, idle, 300000);
	assert_int_equal(r.s.size, MIN);
	PLAY(&r, idle, 300000);
	PLAY(&r, burst_small, 2000);
	assert_int_equal(r.a.patience_ms, SLUICE_AUTO_PATIENCE_MS);
}

static void zero_is_a_size(void **unused)
{
	struct region r;

	(void)unused;
	begin(&r, 0, 4, 0);
	PLAY(&r, idle, 20000);
	assert_int_equal(r.s.size, 0);
	PLAY(&r, burst_small, 500 + 250);
	assert_int_equal(r.s.size, 1);
	PLAY(&r, idle, 20000);
	assert_int_equal(r.s.size, 0);
}

static void bounds_that_exclude_the_size(void **unused)
{
	struct region r;

	(void)unused;
	begin(&r, 4, 8, 1);
	assert_true(look(&r, &idle[0]));
	assert_text(r.text, "the floor is 8 MiB");
	assert_int_equal(r.s.size, 4);
	begin(&r, 4, 8, 20);
	r.obey = false;
	assert_true(look(&r, &idle[0]));
	assert_text(r.text, "the ceiling is 16 MiB");
	/* once, also while nobody follows */
	assert_false(look(&r, &idle[0]));
	assert_int_equal(r.a.wish, 8);
}

/* While a resize is under way, or nobody is there, nothing is concluded. */
static void fixed_size(void **unused)
{
	struct region r;

	(void)unused;
	begin(&r, MIN, MAX, 4);
	r.s.fixed = true;
	PLAY(&r, burst_small, 10000);
	PLAY(&r, idle, 60000);
	assert_int_equal(r.nr_changes, 0);
	/* nor remembered */
	r.s.fixed = false;
	look(&r, &burst_small[3]);
	assert_int_equal(r.nr_changes, 0);
}

static void counters_begin_again(void **unused)
{
	struct region r;

	(void)unused;
	begin(&r, MIN, MAX, 4);
	PLAY(&r, burst_large, 2000);
	r.s.frames = 0;
	r.s.bytes = 0;
	r.s.bounced = 0;
	look(&r, &(struct leg){ SLUICE_AUTO_GROW_AFTER_MS, 1000, 1000000, 0 });
	assert_int_equal(r.nr_changes, 0);
	/* a clock that stands still or goes back */
	r.s.now_ms -= 5000;
	look(&r, &burst_small[3]);
	r.s.now_ms -= 250;
	look(&r, &burst_small[3]);
	assert_int_equal(r.nr_changes, 0);
}

/* What the budget did not give is not wanted for ever. */
static void wish_is_dropped(void **unused)
{
	struct region r;

	(void)unused;
	begin(&r, MIN, MAX, 4);
	r.obey = false;
	PLAY(&r, burst_small, 2000);
	assert_int_equal(r.a.wish, 8);
	assert_int_equal(r.nr_changes, 1);
	PLAY(&r, burst_large, SLUICE_AUTO_CLAIM_MS - 500);
	assert_int_equal(r.a.wish, 8);
	PLAY(&r, burst_large, 1000);
	assert_int_equal(r.a.wish, 4);
}

/* Gets @grant where @size was asked for, for the reason @text; NULL: what it wishes. */
static void explained(struct sluice_auto *a, u32 size, u32 grant, u32 limit,
		      const char *limit_why, const char *text)
{
	const char *got = sluice_auto_explain(a, size, grant, limit, limit_why);

	assert_text(got, text ? text : "(none)");
}

#define SHORT	"the budget is short and shared by weight"
#define AGAIN	"the budget has room again"

static void lower_ceiling_is_named(void **unused)
{
	struct sluice_auto a;

	(void)unused;
	sluice_auto_init(&a, 1, 4, 1, 8);
	explained(&a, 8, 4, MAX, NULL, "it was above the ceiling");
	a.wish = 2;
	explained(&a, 4, 2, MAX, NULL, NULL);
	/* the budget leaves less than the ceiling would */
	sluice_auto_init(&a, 1, 4, 1, 8);
	explained(&a, 8, 3, MAX, NULL, SHORT);
	/* a floor */
	sluice_auto_init(&a, 2, 4, 1, 0);
	explained(&a, 0, 2, MAX, NULL, NULL);
}

static void budget_has_room_again(void **unused)
{
	struct sluice_auto a;

	(void)unused;
	sluice_auto_init(&a, 1, 8, 1, 8);
	explained(&a, 8, 2, MAX, NULL, SHORT);
	explained(&a, 2, 4, MAX, NULL, AGAIN);
	/* also after looks at which nothing changed */
	explained(&a, 4, 4, MAX, NULL, SHORT);
	explained(&a, 4, 8, MAX, NULL, AGAIN);
	/* it had its wish: what it wishes now has a reason of its own */
	a.wish = 4;
	explained(&a, 8, 4, MAX, NULL, NULL);
	a.wish = 8;
	explained(&a, 4, 8, MAX, NULL, NULL);
	/* it gave its wish up meanwhile */
	explained(&a, 8, 4, MAX, NULL, SHORT);
	a.wish = 4;
	explained(&a, 4, 4, MAX, NULL, NULL);
	a.wish = 8;
	explained(&a, 4, 8, MAX, NULL, NULL);
}

static void provider_is_no_budget(void **unused)
{
	struct sluice_auto a;

	(void)unused;
	sluice_auto_init(&a, 1, 8, 1, 8);
	explained(&a, 8, 4, 4, "the quota", "the quota");
	explained(&a, 4, 8, 8, NULL, "the provider allows more again");
	explained(&a, 8, 4, 4, NULL, "the provider's limit");
	/* both, and the budget leaves less */
	explained(&a, 8, 3, 4, "the quota", SHORT);
}

static void divide(struct sluice_auto_share *share, unsigned int nr, u64 budget, u32 want[])
{
	unsigned int i;

	sluice_auto_divide(share, nr, budget);
	for (i = 0; i < nr; i++)
		assert_int_equal(share[i].grant, want[i]);
}

static void budget_divides(void **unused)
{
	struct sluice_auto_share s[] = {
		{ .min = 1, .wish = 10, .weight = 1 },
		{ .min = 1, .wish = 10, .weight = 1 },
		{ .min = 1, .wish = 3, .weight = 1 },
	};

	(void)unused;
	divide(s, 3, U64_MAX, (u32[]){ 10, 10, 3 });
	divide(s, 3, 23, (u32[]){ 10, 10, 3 });
	/* the third wants less than its part */
	divide(s, 3, 15, (u32[]){ 6, 6, 3 });
	divide(s, 3, 3, (u32[]){ 1, 1, 1 });
	/* floors are kept, whatever the budget has become */
	divide(s, 3, 0, (u32[]){ 1, 1, 1 });
	s[0].weight = 3;
	divide(s, 3, 13, (u32[]){ 7, 3, 3 });
	divide(s, 0, 5, NULL);
}

static void budget_by_weight(void **unused)
{
	struct sluice_auto_share s[] = {
		{ .min = 0, .wish = 1000, .weight = 1 },
		{ .min = 0, .wish = 1000, .weight = 1000 },
	};

	(void)unused;
	divide(s, 2, 1001, (u32[]){ 1, 1000 });
	/* fewer segments than weights */
	divide(s, 2, 1, (u32[]){ 1, 0 });
}

/* Any claims: floors kept, no wish exceeded, nothing wasted, nothing beyond the budget. */
static void budget_random(void **unused)
{
	struct sluice_auto_share s[7];
	u32 random = 4711, n, i, nr;
	u64 budget, floors, wishes, sum;

	(void)unused;
	for (n = 0; n < 20000; n++) {
		nr = 1 + test_random(&random) % 7;
		budget = test_random(&random) % 300;
		floors = 0;
		wishes = 0;
		for (i = 0; i < nr; i++) {
			s[i].min = test_random(&random) % 9;
			s[i].wish = s[i].min + test_random(&random) % 60;
			s[i].weight = 1 + test_random(&random) % 1000;
			floors += s[i].min;
			wishes += s[i].wish;
		}
		sluice_auto_divide(s, nr, budget);
		sum = 0;
		for (i = 0; i < nr; i++) {
			assert_in_range(s[i].grant, s[i].min, s[i].wish);
			sum += s[i].grant;
		}
		assert_int_equal(sum, budget < floors ? floors : min(budget, wishes));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_grows),
		cmocka_unit_test(bounds_between_powers),
		cmocka_unit_test(reason_says_numbers),
		cmocka_unit_test(idle_shrinks_to_the_floor),
		cmocka_unit_test(typing_is_idle),
		cmocka_unit_test(between_nothing_happens),
		cmocka_unit_test(few_bounced_frames_do_not_count),
		cmocka_unit_test(one_spike_is_not_enough),
		cmocka_unit_test(hysteresis),
		cmocka_unit_test(zero_is_a_size),
		cmocka_unit_test(bounds_that_exclude_the_size),
		cmocka_unit_test(fixed_size),
		cmocka_unit_test(counters_begin_again),
		cmocka_unit_test(wish_is_dropped),
		cmocka_unit_test(lower_ceiling_is_named),
		cmocka_unit_test(budget_has_room_again),
		cmocka_unit_test(provider_is_no_budget),
		cmocka_unit_test(budget_divides),
		cmocka_unit_test(budget_by_weight),
		cmocka_unit_test(budget_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
