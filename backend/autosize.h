/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Automatic sizing: how large a region wants to be, and what it gets of a budget
 * that several share. Pure code; auto.c feeds it and does what it says.
 *
 *	grow	frames go through bounce because the region has no page left, faster
 *		than SLUICE_AUTO_GROW_RATE and as more than SLUICE_AUTO_GROW_PERCENT of
 *		all, for SLUICE_AUTO_GROW_AFTER_MS: twice the size
 *	shrink	for as long as its patience lasts, less went through the region in
 *		SLUICE_AUTO_QUIET_S seconds than it holds: half the size
 *
 * Hysteresis: between the two lies a wide range in which nothing happens, and a
 * region that must grow soon after it shrank gets twice the patience, so that a
 * load that comes and goes does not make it swing.
 *
 * Sizes are in segments. The caller serialises calls on one region.
 */
#ifndef SLUICE_AUTOSIZE_H
#define SLUICE_AUTOSIZE_H

#include <sluice/os.h>

#define SLUICE_AUTO_TICK_MS		250	/* between two looks */
#define SLUICE_AUTO_GROW_RATE		100	/* bounced frames per second */
#define SLUICE_AUTO_GROW_PERCENT	2	/* of all frames */
#define SLUICE_AUTO_GROW_AFTER_MS	500
#define SLUICE_AUTO_CLAIM_MS		2000	/* what was not given is wanted so long */
#define SLUICE_AUTO_QUIET_S		16
#define SLUICE_AUTO_PATIENCE_MS		5000
#define SLUICE_AUTO_PATIENCE_MAX_MS	60000
#define SLUICE_AUTO_WEIGHT_MAX		1000

/**
 * struct sluice_auto_sample - what is known of a region at one time
 * @now_ms: of any clock that does not go back
 * @frames: counter, both ways
 * @bytes: counter, both ways
 * @bounced: counter, frames that went through bounce
 * @size: segments in use
 * @fixed: the size cannot be changed now: a resize is under way, or no guest is there
 */
struct sluice_auto_sample {
	u64 now_ms;
	u64 frames;
	u64 bytes;
	u64 bounced;
	u32 size;
	bool fixed;
};

/* Who gives a region less than it wants. */
enum sluice_auto_held {
	SLUICE_AUTO_HELD_NOT,
	SLUICE_AUTO_HELD_BUDGET,
	SLUICE_AUTO_HELD_PROVIDER,
};

/**
 * struct sluice_auto - one region that is sized automatically
 * @min: floor
 * @max: ceiling
 * @weight: its part of a budget that is short, 1 to SLUICE_AUTO_WEIGHT_MAX
 * @wish: size wanted; what it gets is sluice_auto_share()'s word
 * @held: who gave it less than @wish last
 * @primed: @last is valid
 * @last: sample before
 * @crowded_ms: how long frames have had to bounce, without a break
 * @calm_ms: how long they have not
 * @quiet_ms: how long it has been quiet
 * @patience_ms: how long it has to be until it shrinks
 * @shrunk: @shrunk_ms is valid
 * @shrunk_ms: when it last shrank
 */
struct sluice_auto {
	u32 min;
	u32 max;
	u32 weight;
	u32 wish;
	enum sluice_auto_held held;
	bool primed;
	struct sluice_auto_sample last;
	u32 crowded_ms;
	u32 calm_ms;
	u32 quiet_ms;
	u32 patience_ms;
	bool shrunk;
	u64 shrunk_ms;
};

/**
 * struct sluice_auto_share - one region's claim on the budget
 * @min: what it gets in any case
 * @wish: what it would like, not less than @min
 * @weight: see struct sluice_auto
 * @grant: result, @min to @wish
 */
struct sluice_auto_share {
	u32 min;
	u32 wish;
	u32 weight;
	u32 grant;
};

/**
 * sluice_auto_init() - begin, with nothing remembered of earlier
 * @a: the region
 * @min: floor, not above @max
 * @max: ceiling
 * @weight: not 0
 * @size: that it has now
 */
void sluice_auto_init(struct sluice_auto *a, u32 min, u32 max, u32 weight, u32 size);

/**
 * sluice_auto_look() - take a sample and think again about the size
 * @a: the region
 * @s: the sample
 * @text: why @a->wish changed, for a person; "" if it did not
 * @text_bytes: its size
 *
 * Return: true if @a->wish changed.
 */
bool sluice_auto_look(struct sluice_auto *a, const struct sluice_auto_sample *s,
		      char *text, size_t text_bytes);

/**
 * sluice_auto_explain() - why a region gets what it gets
 * @a: the region
 * @size: that was asked for last
 * @grant: that it gets now
 * @limit: what the provider allows
 * @limit_why: the provider's reason, or NULL
 *
 * To be called also when the size stays: @a->held remembers what is over when it grows.
 *
 * Return: for a person; NULL if what sluice_auto_look() said last is the reason.
 */
const char *sluice_auto_explain(struct sluice_auto *a, u32 size, u32 grant, u32 limit,
				const char *limit_why);

/**
 * sluice_auto_divide() - who gets how much
 * @share: all claims
 * @nr: how many
 * @budget: segments for all; with less than the sum of all floors each gets its floor
 *
 * If the wishes fit, each gets its own. Else what is left above the floors is divided by
 * weight, and what somebody does not want of his part goes to the others.
 */
void sluice_auto_divide(struct sluice_auto_share *share, unsigned int nr, u64 budget);

#endif /* SLUICE_AUTOSIZE_H */
