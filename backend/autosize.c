// SPDX-License-Identifier: GPL-2.0
/*
 * The policy of automatic sizing; autosize.h tells it in words.
 */
#include <uapi/linux/sluice_shm.h>
#include "autosize.h"

#define SEGMENT_MIB	(SLUICE_SHM_SEGMENT_BYTES >> 20)

void sluice_auto_init(struct sluice_auto *a, u32 min, u32 max, u32 weight, u32 size)
{
	memset(a, 0, sizeof(*a));
	a->min = min;
	a->max = max;
	a->weight = weight;
	a->wish = size;
	a->patience_ms = SLUICE_AUTO_PATIENCE_MS;
}

/* What happened between two samples. */
struct auto_step {
	u32 ms;
	u64 frames;
	u64 bytes;
	u64 bounced;
	u64 bounced_per_s;
	u64 bytes_per_s;
};

/* False if there is nothing to compare: the first one, or counters that began again. */
static bool auto_compare(struct sluice_auto *a, const struct sluice_auto_sample *s,
			 struct auto_step *d)
{
	const struct sluice_auto_sample *last = &a->last;

	if (!a->primed || s->now_ms < last->now_ms || s->frames < last->frames ||
	    s->bytes < last->bytes || s->bounced < last->bounced)
		return false;
	d->ms = min_t(u64, s->now_ms - last->now_ms, SLUICE_AUTO_PATIENCE_MAX_MS);
	if (!d->ms)
		return false;
	d->frames = s->frames - last->frames;
	d->bytes = s->bytes - last->bytes;
	d->bounced = s->bounced - last->bounced;
	d->bounced_per_s = d->bounced * 1000 / d->ms;
	d->bytes_per_s = d->bytes * 1000 / d->ms;
	return true;
}

static bool auto_crowded(const struct auto_step *d)
{
	return d->bounced_per_s >= SLUICE_AUTO_GROW_RATE &&
	       d->bounced * 100 >= d->frames * SLUICE_AUTO_GROW_PERCENT;
}

static bool auto_quiet(const struct auto_step *d, u32 size)
{
	u64 region = (u64)size << SLUICE_SHM_SEGMENT_SHIFT;

	return d->bytes_per_s * SLUICE_AUTO_QUIET_S < region;
}

static void auto_patience(struct sluice_auto *a, u64 now_ms)
{
	if (a->shrunk && now_ms - a->shrunk_ms < 2ull * a->patience_ms)
		a->patience_ms = min(2 * a->patience_ms, (u32)SLUICE_AUTO_PATIENCE_MAX_MS);
	else
		a->patience_ms = SLUICE_AUTO_PATIENCE_MS;
}

/* Larger or smaller? 0 if neither, with the reason in @text. */
static u32 auto_think(struct sluice_auto *a, const struct sluice_auto_sample *s,
		      const struct auto_step *d, char *text, size_t text_bytes)
{
	if (a->crowded_ms >= SLUICE_AUTO_GROW_AFTER_MS && s->size < a->max) {
		scnprintf(text, text_bytes, "%llu frames/s bounced, %llu%% of all",
			  (unsigned long long)d->bounced_per_s,
			  (unsigned long long)(d->bounced * 100 / max(d->frames, (u64)1)));
		return min(max(2 * s->size, s->size + 1), a->max);
	}
	if (a->quiet_ms >= a->patience_ms && s->size > a->min) {
		scnprintf(text, text_bytes, "quiet for %u ms, %llu KiB/s", a->quiet_ms,
			  (unsigned long long)d->bytes_per_s >> 10);
		return max(s->size / 2, a->min);
	}
	return s->size;
}

/* A floor or ceiling that was set while the region had another size. */
static bool auto_bounds(struct sluice_auto *a, u32 size, char *text, size_t text_bytes)
{
	u32 wish = clamp(size, a->min, a->max);

	if (wish == size || wish == a->wish)
		return false;
	scnprintf(text, text_bytes, "%s is %u MiB", wish > size ? "the floor" : "the ceiling",
		  wish * SEGMENT_MIB);
	a->wish = wish;
	return true;
}

bool sluice_auto_look(struct sluice_auto *a, const struct sluice_auto_sample *s,
		      char *text, size_t text_bytes)
{
	struct auto_step d = {};
	bool known = auto_compare(a, s, &d);
	u32 wish;

	text[0] = 0;
	a->last = *s;
	a->primed = true;
	if (!known || s->fixed) {
		a->crowded_ms = 0;
		a->calm_ms = 0;
		a->quiet_ms = 0;
		return false;
	}
	a->crowded_ms = auto_crowded(&d) ? a->crowded_ms + d.ms : 0;
	a->calm_ms = a->crowded_ms ? 0 : min(a->calm_ms + d.ms, (u32)SLUICE_AUTO_CLAIM_MS);
	a->quiet_ms = auto_quiet(&d, s->size) && !a->crowded_ms ? a->quiet_ms + d.ms : 0;

	if (s->size < a->min || s->size > a->max)
		return auto_bounds(a, s->size, text, text_bytes);
	wish = auto_think(a, s, &d, text, text_bytes);
	if (wish == s->size) {
		/* nobody needs what the budget did not give: leave it to the others */
		if (a->wish > wish && a->calm_ms >= SLUICE_AUTO_CLAIM_MS)
			a->wish = wish;
		return false;
	}
	if (wish > s->size) {
		if (wish == a->wish) {
			text[0] = 0;	/* it has been said, and not been given */
			return false;
		}
		auto_patience(a, s->now_ms);
	} else {
		a->shrunk = true;
		a->shrunk_ms = s->now_ms;
	}
	a->crowded_ms = 0;
	a->quiet_ms = 0;
	a->wish = wish;
	return true;
}

const char *sluice_auto_explain(struct sluice_auto *a, u32 size, u32 grant, u32 limit,
				const char *limit_why)
{
	enum sluice_auto_held was = a->held;

	if (grant >= clamp(a->wish, a->min, a->max))
		a->held = SLUICE_AUTO_HELD_NOT;
	else
		a->held = grant < limit ? SLUICE_AUTO_HELD_BUDGET : SLUICE_AUTO_HELD_PROVIDER;

	if (grant > size) {
		if (was == SLUICE_AUTO_HELD_NOT)
			return NULL;
		return was == SLUICE_AUTO_HELD_BUDGET ? "the budget has room again" :
							"the provider allows more again";
	}
	if (a->held == SLUICE_AUTO_HELD_BUDGET)
		return "the budget is short and shared by weight";
	if (a->held == SLUICE_AUTO_HELD_PROVIDER)
		return limit_why ? limit_why : "the provider's limit";
	return size > a->max ? "it was above the ceiling" : NULL;
}

/* One round: what is left, by weight. Return: what nobody took. */
static u64 auto_round(struct sluice_auto_share *share, unsigned int nr, u64 left, u64 weights)
{
	u64 rest = left;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		u64 part = left * share[i].weight / weights;

		part = min(part, (u64)(share[i].wish - share[i].grant));
		share[i].grant += part;
		rest -= part;
	}
	return rest;
}

/* Fewer segments than there are claims: one each, who has least for its weight first. */
static void auto_crumbs(struct sluice_auto_share *share, unsigned int nr, u64 left)
{
	while (left--) {
		struct sluice_auto_share *least = NULL;
		unsigned int i;

		for (i = 0; i < nr; i++) {
			if (share[i].grant >= share[i].wish)
				continue;
			if (!least || (u64)share[i].grant * least->weight <
				      (u64)least->grant * share[i].weight)
				least = &share[i];
		}
		if (!least)
			return;
		least->grant++;
	}
}

void sluice_auto_divide(struct sluice_auto_share *share, unsigned int nr, u64 budget)
{
	u64 floors = 0, left, rest, weights;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		share[i].grant = share[i].min;
		floors += share[i].min;
	}
	if (budget <= floors)
		return;
	left = budget - floors;
	for (;;) {
		weights = 0;
		for (i = 0; i < nr; i++)
			if (share[i].grant < share[i].wish)
				weights += share[i].weight;
		if (!weights || !left)
			return;
		/* whose wish is met takes no part in the next round */
		rest = auto_round(share, nr, left, weights);
		if (rest == left)
			break;
		left = rest;
	}
	auto_crumbs(share, nr, left);
}
