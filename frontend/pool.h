/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bookkeeping of region pages: which are free, which the driver has, which
 * the network stack may still hold. Pure code, all in private memory: the peer
 * cannot see it. The caller serialises; slots.c puts pages and a lock around it.
 *
 *	FREE --get--> OUT --put--> FREE		nobody else holds the page
 *	              OUT --put--> WAIT		somebody does; last in a FIFO
 *	WAIT --idle--> FREE			seen when get() or drained() looks
 *
 * A page is idle when only the region itself refers to it. That is asked through
 * a callback, for a bounded number of pages at the head of the FIFO per call; a page
 * that is still held goes to the tail, so a consumer that holds pages for
 * long costs the others nothing.
 *
 * A page is named by its id: window slot * pages per segment + index.
 *
 * Single pages, which receive takes and the stack gives back in any order, come from the
 * low end of the first segment that has some; runs of neighbours, which transmit
 * takes and gives back as they were, from the high end of the last one. So the
 * one does not break up the other.
 */
#ifndef SLUICE_FRONT_POOL_H
#define SLUICE_FRONT_POOL_H

#include <sluice/os.h>
#include <uapi/linux/sluice_shm.h>

#define SLUICE_POOL_PAGES	(SLUICE_SHM_SEGMENT_BYTES / SLUICE_SHM_PAGE)
#define SLUICE_POOL_NONE	U32_MAX
#define SLUICE_POOL_LOOK	8	/* waiting pages looked at per call when short */

enum sluice_pool_state {
	SLUICE_POOL_FREE,
	SLUICE_POOL_OUT,
	SLUICE_POOL_WAIT,
};

struct sluice_pool_page {
	u32 prev;			/* neighbours in the FIFO, by id */
	u32 next;
	u32 state;
};

struct sluice_pool_segment {
	u32 slot;
	bool retiring;			/* hand out no page of it */
	bool listed;
	u32 prev;			/* neighbours among segments with free pages, by slot */
	u32 next;
	u32 nr_free;
	u32 nr_out;
	u32 nr_wait;
	unsigned long free[BITS_TO_LONGS(SLUICE_POOL_PAGES)];
	struct sluice_pool_page page[SLUICE_POOL_PAGES];
};

/**
 * struct sluice_pool - pages of all data segments
 * @nr_pages: pages per segment
 * @idle: does only the region refer to this page? Orders what its users did
 *	with it before what is done with it from now on
 * @arg: for @idle
 * @total: pages of segments that are not retiring
 * @nr_free: of those, free
 * @nr_wait: pages, of all segments, that come back some day
 */
struct sluice_pool {
	u32 nr_pages;
	bool (*idle)(void *arg, u32 id);
	void *arg;
	u32 total;
	u32 nr_free;
	u32 nr_wait;
	u32 fifo_head;
	u32 fifo_tail;
	u32 avail;			/* first segment with free pages */
	u32 avail_last;
	struct sluice_pool_segment *seg[SLUICE_SHM_MAX_SLOTS];
};

/* @nr_pages: 1 to SLUICE_POOL_PAGES. */
void sluice_pool_init(struct sluice_pool *p, u32 nr_pages,
		      bool (*idle)(void *arg, u32 id), void *arg);

/* A segment joins in; @seg is the caller's memory. Pages somebody holds
 * already start as waiting. -EINVAL: no such slot, -EEXIST: it has a segment.
 */
int sluice_pool_add(struct sluice_pool *p, u32 slot, struct sluice_pool_segment *seg);

/* A free page, or SLUICE_POOL_NONE if no more than @reserve are free. */
u32 sluice_pool_get(struct sluice_pool *p, u32 reserve);

/* Up to @want free pages that follow each other: the first one's id, how many in *@nr.
 * SLUICE_POOL_NONE if none is free.
 */
u32 sluice_pool_get_run(struct sluice_pool *p, u32 want, u32 *nr);

/* The driver is done with it. -EINVAL if the driver does not have that page. */
int sluice_pool_put(struct sluice_pool *p, u32 id);

/* Hand out no page of that segment from now on. -ENOENT, -EALREADY. */
int sluice_pool_retire(struct sluice_pool *p, u32 slot);

/* Take a retiring segment back into use. -ENOENT, -EALREADY. */
int sluice_pool_revive(struct sluice_pool *p, u32 slot);

/* Pages of a retiring segment that are not home; looks at each once. */
u32 sluice_pool_missing(struct sluice_pool *p, u32 slot);

/* Forget a retiring segment: whatever is not home is never handed out
 * again. Returns what sluice_pool_add() got, or NULL.
 */
struct sluice_pool_segment *sluice_pool_del(struct sluice_pool *p, u32 slot);

/* May pages of that slot be handed out? */
static inline bool sluice_pool_active(const struct sluice_pool *p, u32 slot)
{
	return slot < SLUICE_SHM_MAX_SLOTS && p->seg[slot] && !p->seg[slot]->retiring;
}

#endif /* SLUICE_FRONT_POOL_H */
