// SPDX-License-Identifier: GPL-2.0
/* Bookkeeping of region pages, see pool.h. Pure code. */
#include "pool.h"

void sluice_pool_init(struct sluice_pool *p, u32 nr_pages,
		      bool (*idle)(void *arg, u32 id), void *arg)
{
	memset(p, 0, sizeof(*p));
	p->nr_pages = nr_pages;
	p->idle = idle;
	p->arg = arg;
	p->fifo_head = SLUICE_POOL_NONE;
	p->fifo_tail = SLUICE_POOL_NONE;
	p->avail = SLUICE_POOL_NONE;
	p->avail_last = SLUICE_POOL_NONE;
}

static struct sluice_pool_segment *seg_of(struct sluice_pool *p, u32 id)
{
	u32 slot = id / p->nr_pages;

	return slot < SLUICE_SHM_MAX_SLOTS ? p->seg[slot] : NULL;
}

static struct sluice_pool_page *page_of(struct sluice_pool *p, u32 id)
{
	return &seg_of(p, id)->page[id % p->nr_pages];
}

static void list_seg(struct sluice_pool *p, struct sluice_pool_segment *seg)
{
	if (seg->listed)
		return;
	seg->listed = true;
	seg->prev = SLUICE_POOL_NONE;
	seg->next = p->avail;
	if (seg->next == SLUICE_POOL_NONE)
		p->avail_last = seg->slot;
	else
		p->seg[seg->next]->prev = seg->slot;
	p->avail = seg->slot;
}

static void unlist_seg(struct sluice_pool *p, struct sluice_pool_segment *seg)
{
	if (!seg->listed)
		return;
	seg->listed = false;
	if (seg->prev == SLUICE_POOL_NONE)
		p->avail = seg->next;
	else
		p->seg[seg->prev]->next = seg->next;
	if (seg->next == SLUICE_POOL_NONE)
		p->avail_last = seg->prev;
	else
		p->seg[seg->next]->prev = seg->prev;
}

static void fifo_add(struct sluice_pool *p, struct sluice_pool_segment *seg, u32 id)
{
	struct sluice_pool_page *page = &seg->page[id % p->nr_pages];

	page->state = SLUICE_POOL_WAIT;
	page->prev = p->fifo_tail;
	page->next = SLUICE_POOL_NONE;
	if (p->fifo_tail == SLUICE_POOL_NONE)
		p->fifo_head = id;
	else
		page_of(p, p->fifo_tail)->next = id;
	p->fifo_tail = id;
	p->nr_wait++;
	seg->nr_wait++;
}

static void fifo_del(struct sluice_pool *p, struct sluice_pool_segment *seg, u32 id)
{
	struct sluice_pool_page *page = &seg->page[id % p->nr_pages];

	if (page->prev == SLUICE_POOL_NONE)
		p->fifo_head = page->next;
	else
		page_of(p, page->prev)->next = page->next;
	if (page->next == SLUICE_POOL_NONE)
		p->fifo_tail = page->prev;
	else
		page_of(p, page->next)->prev = page->prev;
	p->nr_wait--;
	seg->nr_wait--;
}

/* The page is in no list; only the region refers to it. */
static void set_free(struct sluice_pool *p, struct sluice_pool_segment *seg, u32 id)
{
	u32 index = id % p->nr_pages;

	seg->page[index].state = SLUICE_POOL_FREE;
	__set_bit(index, seg->free);
	seg->nr_free++;
	if (seg->retiring)
		return;
	p->nr_free++;
	list_seg(p, seg);
}

int sluice_pool_add(struct sluice_pool *p, u32 slot, struct sluice_pool_segment *seg)
{
	u32 i;

	if (slot >= SLUICE_SHM_MAX_SLOTS)
		return -EINVAL;
	if (p->seg[slot])
		return -EEXIST;
	memset(seg, 0, sizeof(*seg));
	seg->slot = slot;
	p->seg[slot] = seg;
	p->total += p->nr_pages;
	for (i = 0; i < p->nr_pages; i++) {
		u32 id = slot * p->nr_pages + i;

		if (p->idle(p->arg, id))
			set_free(p, seg, id);
		else
			fifo_add(p, seg, id);
	}
	return 0;
}

/* Look at up to @n of the pages that have waited longest. */
static void look(struct sluice_pool *p, u32 n)
{
	while (n-- && p->fifo_head != SLUICE_POOL_NONE) {
		u32 id = p->fifo_head;
		struct sluice_pool_segment *seg = seg_of(p, id);

		fifo_del(p, seg, id);
		if (p->idle(p->arg, id))
			set_free(p, seg, id);
		else
			fifo_add(p, seg, id);
	}
}

/* These pages, which are free, go out. */
static u32 take(struct sluice_pool *p, struct sluice_pool_segment *seg, u32 index, u32 nr)
{
	u32 i;

	bitmap_clear(seg->free, index, nr);
	for (i = index; i < index + nr; i++)
		seg->page[i].state = SLUICE_POOL_OUT;
	seg->nr_out += nr;
	seg->nr_free -= nr;
	p->nr_free -= nr;
	if (!seg->nr_free)
		unlist_seg(p, seg);
	return seg->slot * p->nr_pages + index;
}

u32 sluice_pool_get(struct sluice_pool *p, u32 reserve)
{
	struct sluice_pool_segment *seg;

	look(p, p->nr_free > reserve + SLUICE_POOL_LOOK ? 1 : SLUICE_POOL_LOOK);
	if (p->nr_free <= reserve || p->avail == SLUICE_POOL_NONE)
		return SLUICE_POOL_NONE;
	seg = p->seg[p->avail];
	return take(p, seg, find_first_bit(seg->free, p->nr_pages), 1);
}

u32 sluice_pool_get_run(struct sluice_pool *p, u32 want, u32 *nr)
{
	struct sluice_pool_segment *seg;
	u32 index, n = 1;

	look(p, p->nr_free > want + SLUICE_POOL_LOOK ? 1 : SLUICE_POOL_LOOK);
	if (!want || p->avail_last == SLUICE_POOL_NONE)
		return SLUICE_POOL_NONE;
	seg = p->seg[p->avail_last];
	index = find_last_bit(seg->free, p->nr_pages);
	while (n < want && index && test_bit(index - 1, seg->free)) {
		index--;
		n++;
	}
	*nr = n;
	return take(p, seg, index, n);
}

int sluice_pool_put(struct sluice_pool *p, u32 id)
{
	struct sluice_pool_segment *seg = seg_of(p, id);

	if (!seg || seg->page[id % p->nr_pages].state != SLUICE_POOL_OUT)
		return -EINVAL;
	seg->nr_out--;
	if (p->idle(p->arg, id))
		set_free(p, seg, id);
	else
		fifo_add(p, seg, id);
	return 0;
}

int sluice_pool_retire(struct sluice_pool *p, u32 slot)
{
	struct sluice_pool_segment *seg;

	if (slot >= SLUICE_SHM_MAX_SLOTS || !p->seg[slot])
		return -ENOENT;
	seg = p->seg[slot];
	if (seg->retiring)
		return -EALREADY;
	unlist_seg(p, seg);
	seg->retiring = true;
	p->total -= p->nr_pages;
	p->nr_free -= seg->nr_free;
	return 0;
}

int sluice_pool_revive(struct sluice_pool *p, u32 slot)
{
	struct sluice_pool_segment *seg;

	if (slot >= SLUICE_SHM_MAX_SLOTS || !p->seg[slot])
		return -ENOENT;
	seg = p->seg[slot];
	if (!seg->retiring)
		return -EALREADY;
	seg->retiring = false;
	p->total += p->nr_pages;
	p->nr_free += seg->nr_free;
	if (seg->nr_free)
		list_seg(p, seg);
	return 0;
}

u32 sluice_pool_missing(struct sluice_pool *p, u32 slot)
{
	struct sluice_pool_segment *seg;
	u32 i;

	if (slot >= SLUICE_SHM_MAX_SLOTS || !p->seg[slot])
		return 0;
	seg = p->seg[slot];
	for (i = 0; i < p->nr_pages && seg->nr_wait; i++) {
		u32 id = slot * p->nr_pages + i;

		if (seg->page[i].state != SLUICE_POOL_WAIT || !p->idle(p->arg, id))
			continue;
		fifo_del(p, seg, id);
		set_free(p, seg, id);
	}
	return seg->nr_out + seg->nr_wait;
}

struct sluice_pool_segment *sluice_pool_del(struct sluice_pool *p, u32 slot)
{
	struct sluice_pool_segment *seg;
	u32 i;

	if (slot >= SLUICE_SHM_MAX_SLOTS || !p->seg[slot] || !p->seg[slot]->retiring)
		return NULL;
	seg = p->seg[slot];
	for (i = 0; i < p->nr_pages; i++)
		if (seg->page[i].state == SLUICE_POOL_WAIT)
			fifo_del(p, seg, slot * p->nr_pages + i);
	p->seg[slot] = NULL;
	return seg;
}
