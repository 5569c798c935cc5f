// SPDX-License-Identifier: GPL-2.0
/*
 * Region pages for receive and transmit.
 *
 * One lock around the pool; receive and transmit take and give pages in
 * batches. Page to segment is a lookup without a lock (RCU): by 2 MiB chunk of
 * page frames where the provider's memory is contiguous and aligned, by page where
 * it is not (Xen's unpopulated pages).
 *
 * A page is free when its reference count is back to 1, the region's own: then
 * every skb, socket and splice that took a reference through a page frag is
 * done with it. Nothing else ever writes the count of these pages, and
 * the peer cannot reach it.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include "pool.h"
#include "slots.h"

#define PAGES_PER_SEGMENT	(SLUICE_SHM_SEGMENT_BYTES >> PAGE_SHIFT)
#define CHUNK_ORDER		(SLUICE_SHM_SEGMENT_SHIFT - PAGE_SHIFT)
#define REGION_OWN_REF		1

struct sluice_slots_segment {
	struct sluice_pool_segment pool;
	struct rcu_head rcu;
	bool chunk;			/* contiguous and aligned */
	struct page *page[PAGES_PER_SEGMENT];
};

/**
 * struct sluice_slots - region pages of one channel
 * @lock: pool; taken in softirq and with softirqs off
 * @pool: who has what
 * @chunks: page frame >> CHUNK_ORDER to segment
 * @pages: page frame to id, for segments that are not a chunk
 * @nr_segments: in use or retiring
 */
struct sluice_slots {
	spinlock_t lock;		/* of @pool */
	struct sluice_pool pool;
	struct xarray chunks;
	struct xarray pages;
	unsigned int nr_segments;
};

static struct sluice_slots_segment *to_seg(struct sluice_pool_segment *pool)
{
	return container_of(pool, struct sluice_slots_segment, pool);
}

static bool page_idle(void *arg, u32 id)
{
	struct sluice_slots *s = arg;
	struct sluice_pool_segment *pool = s->pool.seg[id / PAGES_PER_SEGMENT];

	if (page_ref_count(to_seg(pool)->page[id % PAGES_PER_SEGMENT]) != REGION_OWN_REF)
		return false;
	/*
	 * Pairs with the full barrier in put_page(): the last consumer's reads of
	 * the page come before anything that its next user, or the peer, writes.
	 */
	smp_mb();
	return true;
}

/* Id of a page, or SLUICE_POOL_NONE if it is no region page. */
static u32 page_id(struct sluice_slots *s, const struct page *page)
{
	unsigned long pfn = page_to_pfn(page);
	struct sluice_slots_segment *seg;
	u32 id = SLUICE_POOL_NONE;
	void *entry;

	rcu_read_lock();
	seg = xa_load(&s->chunks, pfn >> CHUNK_ORDER);
	if (seg) {
		id = seg->pool.slot * PAGES_PER_SEGMENT + pfn % PAGES_PER_SEGMENT;
	} else if (!xa_empty(&s->pages)) {
		entry = xa_load(&s->pages, pfn);
		if (entry)
			id = xa_to_value(entry);
	}
	rcu_read_unlock();
	return id;
}

struct sluice_slots *sluice_slots_alloc(void)
{
	struct sluice_slots *s = kvzalloc(sizeof(*s), GFP_KERNEL);

	BUILD_BUG_ON(PAGES_PER_SEGMENT > SLUICE_POOL_PAGES);
	if (!s)
		return NULL;
	spin_lock_init(&s->lock);
	xa_init(&s->chunks);
	xa_init(&s->pages);
	sluice_pool_init(&s->pool, PAGES_PER_SEGMENT, page_idle, s);
	return s;
}

void sluice_slots_free(struct sluice_slots *s)
{
	if (!s)
		return;
	WARN_ON_ONCE(s->nr_segments);
	xa_destroy(&s->chunks);
	xa_destroy(&s->pages);
	kvfree(s);
}

static void forget_pages(struct sluice_slots *s, struct sluice_slots_segment *seg)
{
	unsigned int i;

	if (seg->chunk) {
		xa_erase(&s->chunks, page_to_pfn(seg->page[0]) >> CHUNK_ORDER);
		return;
	}
	for (i = 0; i < PAGES_PER_SEGMENT; i++)
		xa_erase(&s->pages, page_to_pfn(seg->page[i]));
}

static int learn_pages(struct sluice_slots *s, unsigned int slot,
		       struct sluice_slots_segment *seg)
{
	unsigned long pfn = page_to_pfn(seg->page[0]);
	unsigned int i;
	int err;

	if (seg->chunk)
		return xa_insert(&s->chunks, pfn >> CHUNK_ORDER, seg, GFP_KERNEL) ? -ENOMEM : 0;
	for (i = 0; i < PAGES_PER_SEGMENT; i++) {
		err = xa_insert(&s->pages, page_to_pfn(seg->page[i]),
				xa_mk_value(slot * PAGES_PER_SEGMENT + i), GFP_KERNEL);
		if (err) {
			while (i--)
				xa_erase(&s->pages, page_to_pfn(seg->page[i]));
			return err;
		}
	}
	return 0;
}

int sluice_slots_add(struct sluice_slots *s, unsigned int slot, void *va)
{
	struct sluice_slots_segment *seg = kvzalloc(sizeof(*seg), GFP_KERNEL);
	unsigned int i;
	int err;

	if (!seg)
		return -ENOMEM;
	seg->chunk = true;
	for (i = 0; i < PAGES_PER_SEGMENT; i++) {
		struct page *page = sluice_va_to_page(va + i * PAGE_SIZE);

		/* pages of a compound page share one count: useless for us */
		if (!page || PageCompound(page) || page_ref_count(page) < REGION_OWN_REF) {
			err = -EINVAL;
			goto err_free;
		}
		seg->page[i] = page;
		if (page_to_pfn(page) != page_to_pfn(seg->page[0]) + i)
			seg->chunk = false;
	}
	if (page_to_pfn(seg->page[0]) % PAGES_PER_SEGMENT)
		seg->chunk = false;
	/* before the pool hands out a page: put must find it; slot is read by page_id() */
	seg->pool.slot = slot;
	err = learn_pages(s, slot, seg);
	if (err)
		goto err_free;
	spin_lock_bh(&s->lock);
	err = sluice_pool_add(&s->pool, slot, &seg->pool);
	if (!err)
		s->nr_segments++;
	spin_unlock_bh(&s->lock);
	if (!err)
		return 0;
	forget_pages(s, seg);
	synchronize_rcu();
err_free:
	kvfree(seg);
	return err;
}

void sluice_slots_del(struct sluice_slots *s, unsigned int slot)
{
	struct sluice_pool_segment *pool;
	struct sluice_slots_segment *seg;

	spin_lock_bh(&s->lock);
	pool = sluice_pool_del(&s->pool, slot);
	if (pool)
		s->nr_segments--;
	spin_unlock_bh(&s->lock);
	if (!pool)
		return;
	seg = to_seg(pool);
	forget_pages(s, seg);
	synchronize_rcu();
	kvfree(seg);
}

int sluice_slots_retire(struct sluice_slots *s, unsigned int slot)
{
	int err;

	spin_lock_bh(&s->lock);
	err = sluice_pool_retire(&s->pool, slot);
	spin_unlock_bh(&s->lock);
	return err;
}

int sluice_slots_revive(struct sluice_slots *s, unsigned int slot)
{
	int err;

	spin_lock_bh(&s->lock);
	err = sluice_pool_revive(&s->pool, slot);
	spin_unlock_bh(&s->lock);
	return err;
}

unsigned int sluice_slots_missing(struct sluice_slots *s, unsigned int slot)
{
	unsigned int nr;

	spin_lock_bh(&s->lock);
	nr = sluice_pool_missing(&s->pool, slot);
	spin_unlock_bh(&s->lock);
	return nr;
}

static struct page *id_page(struct sluice_slots *s, u32 id)
{
	return to_seg(s->pool.seg[id / PAGES_PER_SEGMENT])->page[id % PAGES_PER_SEGMENT];
}

unsigned int sluice_slots_get_bulk(struct sluice_slots *s, struct page **pages,
				   unsigned int nr, unsigned int min, unsigned int reserve)
{
	unsigned int got = 0;
	u32 id;

	if (!READ_ONCE(s->pool.total))
		return 0;
	spin_lock_bh(&s->lock);
	while (got < nr) {
		id = sluice_pool_get(&s->pool, reserve);
		if (id == SLUICE_POOL_NONE)
			break;
		pages[got++] = id_page(s, id);
	}
	if (got < min)
		while (got) {
			got--;
			sluice_pool_put(&s->pool, page_id(s, pages[got]));
		}
	spin_unlock_bh(&s->lock);
	return got;
}

void sluice_slots_put_bulk(struct sluice_slots *s, struct page **pages, unsigned int nr)
{
	unsigned int i;

	if (!nr)
		return;
	spin_lock_bh(&s->lock);
	for (i = 0; i < nr; i++)
		sluice_pool_put(&s->pool, page_id(s, pages[i]));
	spin_unlock_bh(&s->lock);
}

/* All pages of the runs are out. Under the lock. */
static void put_runs(struct sluice_slots *s, const struct sluice_slots_run *runs,
		     unsigned int nr_runs)
{
	unsigned int i, n;

	for (i = 0; i < nr_runs; i++) {
		u32 id = page_id(s, runs[i].page);

		if (id == SLUICE_POOL_NONE)
			continue;
		for (n = 0; n < runs[i].nr; n++)
			sluice_pool_put(&s->pool, id + n);
	}
}

/* Pages @id to @id + @nr, cut where neighbours in the window are none in memory (Xen). */
static unsigned int cut_run(struct sluice_slots *s, u32 id, u32 nr,
			    struct sluice_slots_run *runs)
{
	unsigned int used = 0;
	struct page *page;

	for (; nr; nr--, id++) {
		page = id_page(s, id);
		if (used && page == runs[used - 1].page + runs[used - 1].nr) {
			runs[used - 1].nr++;
			continue;
		}
		runs[used].page = page;
		runs[used++].nr = 1;
	}
	return used;
}

unsigned int sluice_slots_get_runs(struct sluice_slots *s, struct sluice_slots_run *runs,
				   unsigned int nr)
{
	unsigned int used = 0;
	u32 id, got;

	if (READ_ONCE(s->pool.total) < nr)
		return 0;
	spin_lock_bh(&s->lock);
	while (nr) {
		id = sluice_pool_get_run(&s->pool, nr, &got);
		if (id == SLUICE_POOL_NONE)
			break;
		used += cut_run(s, id, got, runs + used);
		nr -= got;
	}
	if (nr) {
		put_runs(s, runs, used);
		used = 0;
	}
	spin_unlock_bh(&s->lock);
	return used;
}

void sluice_slots_put_runs(struct sluice_slots *s, const struct sluice_slots_run *runs,
			   unsigned int nr_runs)
{
	if (!nr_runs)
		return;
	spin_lock_bh(&s->lock);
	put_runs(s, runs, nr_runs);
	spin_unlock_bh(&s->lock);
}

struct page *sluice_slots_get(struct sluice_slots *s)
{
	struct page *page;

	return sluice_slots_get_bulk(s, &page, 1, 1, 0) ? page : NULL;
}

void sluice_slots_put(struct sluice_slots *s, struct page *page)
{
	sluice_slots_put_bulk(s, &page, 1);
}

void sluice_slots_returned(struct sluice_slots *s, const struct page *page)
{
	u32 id = page_id(s, page);

	if (id == SLUICE_POOL_NONE)
		return;
	spin_lock_bh(&s->lock);
	/* a backend that lies here only loses the use of its own segment */
	sluice_pool_retire(&s->pool, id / PAGES_PER_SEGMENT);
	spin_unlock_bh(&s->lock);
}

bool sluice_slots_owns(struct sluice_slots *s, const struct page *page)
{
	return page_id(s, page) != SLUICE_POOL_NONE;
}

/* A retire that starts after this answer is harmless: pages in use keep the segment. */
static bool id_active(struct sluice_slots *s, u32 id)
{
	struct sluice_pool_segment *pool;
	bool active = false;

	if (id == SLUICE_POOL_NONE)
		return false;
	rcu_read_lock();
	pool = READ_ONCE(s->pool.seg[id / PAGES_PER_SEGMENT]);
	if (pool)
		active = !READ_ONCE(pool->retiring);
	rcu_read_unlock();
	return active;
}

bool sluice_slots_active(struct sluice_slots *s, const struct page *page)
{
	return id_active(s, page_id(s, page));
}

bool sluice_slots_covers(struct sluice_slots *s, const struct page *page,
			 unsigned int off, unsigned int len)
{
	u32 first, last, nr;

	page += off >> PAGE_SHIFT;
	off = offset_in_page(off);
	first = page_id(s, page);
	if (!len || !id_active(s, first))
		return false;
	nr = (off + len - 1) >> PAGE_SHIFT;
	if (!nr)
		return true;
	last = page_id(s, page + nr);
	return last == first + nr && last / PAGES_PER_SEGMENT == first / PAGES_PER_SEGMENT;
}

unsigned int sluice_slots_total(struct sluice_slots *s)
{
	return READ_ONCE(s->pool.total);
}

void sluice_slots_stats(struct sluice_slots *s, struct sluice_slots_stats *st)
{
	spin_lock_bh(&s->lock);
	st->total = s->pool.total;
	st->nr_free = s->pool.nr_free;
	st->nr_wait = s->pool.nr_wait;
	st->segments = s->nr_segments;
	st->retiring = s->nr_segments - s->pool.total / PAGES_PER_SEGMENT;
	spin_unlock_bh(&s->lock);
}
