/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Region pages by struct page; see pool.h for their life. All functions but
 * the first four may be called in any context up to softirq.
 */
#ifndef SLUICE_FRONT_SLOTS_H
#define SLUICE_FRONT_SLOTS_H

#include <linux/mm_types.h>
#include "front.h"

struct sluice_slots *sluice_slots_alloc(void);
/* No segment may be left. */
void sluice_slots_free(struct sluice_slots *s);
/* The segment at @va joins in; sleeps. -ENOMEM, -EEXIST, -EINVAL: not usable as single pages. */
int sluice_slots_add(struct sluice_slots *s, unsigned int slot, void *va);
/* Forget a retiring segment; sleeps. Nothing may refer to its pages but the stack. */
void sluice_slots_del(struct sluice_slots *s, unsigned int slot);

/* Hand out no more pages of it; and the reverse. */
int sluice_slots_retire(struct sluice_slots *s, unsigned int slot);
int sluice_slots_revive(struct sluice_slots *s, unsigned int slot);
/* Pages of a retiring segment that are not back. */
unsigned int sluice_slots_missing(struct sluice_slots *s, unsigned int slot);

/**
 * sluice_slots_get_bulk() - take several pages under one lock
 * @s: the pool
 * @pages: filled in
 * @nr: wanted
 * @min: take none if fewer than this can be had
 * @reserve: leave at least so many for the others
 *
 * Return: how many.
 */
unsigned int sluice_slots_get_bulk(struct sluice_slots *s, struct page **pages,
				   unsigned int nr, unsigned int min, unsigned int reserve);
void sluice_slots_put_bulk(struct sluice_slots *s, struct page **pages, unsigned int nr);

/* Pages that follow each other, in memory and in the window. */
struct sluice_slots_run {
	struct page *page;
	unsigned int nr;
};

/**
 * sluice_slots_get_runs() - take pages in as few runs as can be had cheaply
 * @s: the pool
 * @runs: filled in; room for @nr
 * @nr: pages; all or none
 *
 * Return: how many runs, 0 if there are not so many pages.
 */
unsigned int sluice_slots_get_runs(struct sluice_slots *s, struct sluice_slots_run *runs,
				   unsigned int nr);
void sluice_slots_put_runs(struct sluice_slots *s, const struct sluice_slots_run *runs,
			   unsigned int nr_runs);

/* The backend gave @page back unused: its segment is about to be retired. To hand out
 * its pages until the message says so would only send them to and fro.
 */
void sluice_slots_returned(struct sluice_slots *s, const struct page *page);

/* Do @len bytes from @page + @off lie in one segment that is not retiring? */
bool sluice_slots_covers(struct sluice_slots *s, const struct page *page,
			 unsigned int off, unsigned int len);

/* For ethtool -S; a moment's picture. */
struct sluice_slots_stats {
	u32 total;
	u32 nr_free;
	u32 nr_wait;
	u32 segments;
	u32 retiring;
};

void sluice_slots_stats(struct sluice_slots *s, struct sluice_slots_stats *st);

#endif /* SLUICE_FRONT_SLOTS_H */
