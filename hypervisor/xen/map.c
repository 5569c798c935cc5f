// SPDX-License-Identifier: GPL-2.0
/*
 * Grants of another domain, mapped into this one.
 *
 * They appear in place of unpopulated pages: memory that has struct pages but
 * nothing behind them. A segment needs a kernel address that is contiguous, and a
 * PV guest cannot have a second mapping of such pages (Xen refuses page table
 * entries to foreign memory that it did not make), so vmap() does not help: the pages
 * themselves must be neighbours. The allocator gives pages from a stack, mostly
 * neighbours but for what was given back in between; so more are taken until there
 * is a run, and the others are given back.
 *
 * The end of a mapping waits for the network stack: under a frame in some
 * socket's queue nothing is unmapped.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include "xen.h"

/* Unpopulated memory is made in whole sections. */
#define SXEN_RUN_TRIES		(2 * PAGES_PER_SECTION)
#define SXEN_ORPHAN_MS		500
#define SXEN_UNMAP_BATCH	16

static DEFINE_MUTEX(sxen_orphans_lock);		/* sxen_orphans */
static LIST_HEAD(sxen_orphans);
static atomic_long_t sxen_nr_mapped = ATOMIC_LONG_INIT(0);
/* Runs are looked for one at a time: each takes pages that the other may want. */
static DEFINE_MUTEX(sxen_run_lock);

static void sxen_orphans_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(sxen_orphans_look, sxen_orphans_work);

static int sxen_page_compare(const void *a, const void *b)
{
	unsigned long x = page_to_pfn(*(struct page * const *)a);
	unsigned long y = page_to_pfn(*(struct page * const *)b);

	return x < y ? -1 : x > y;
}

/* Where in the sorted @page there are @nr neighbours from a multiple of @align on, or -1. */
static long sxen_run_find(struct page **page, unsigned long have, unsigned int nr,
			  unsigned int align)
{
	unsigned long i, start = 0;

	for (i = 0; i < have; i++) {
		if (i && page_to_pfn(page[i]) != page_to_pfn(page[i - 1]) + 1)
			start = i;
		/* the first aligned page of this piece, if it has one already */
		while (start <= i && page_to_pfn(page[start]) % align)
			start++;
		if (start <= i && i - start + 1 >= nr)
			return start;
	}
	return -1;
}

static int sxen_run_try(struct page **run, unsigned int nr, unsigned long room)
{
	unsigned int align = roundup_pow_of_two(nr);
	unsigned long have = 0;
	struct page **page;
	long at = -1;
	int err = 0;

	page = kvmalloc_array(room, sizeof(*page), GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	while (at < 0 && have + nr <= room) {
		err = gnttab_alloc_pages(nr, page + have);
		if (err)
			break;
		have += nr;
		sort(page, have, sizeof(*page), sxen_page_compare, NULL);
		at = sxen_run_find(page, have, nr, align);
	}
	if (at >= 0) {
		memcpy(run, page + at, nr * sizeof(*page));
		memmove(page + at, page + at + nr, (have - at - nr) * sizeof(*page));
		have -= nr;
	} else if (!err) {
		err = -ENOSPC;
	}
	if (have)
		gnttab_free_pages(have, page);
	kvfree(page);
	return err;
}

/* @nr pages that are neighbours. */
static int sxen_run_alloc(struct page **run, unsigned int nr)
{
	int err;

	mutex_lock(&sxen_run_lock);
	err = sxen_run_try(run, nr, nr);
	/* what lies in the stack is in pieces: take it all, a fresh one stands below it */
	if (err == -ENOSPC)
		err = sxen_run_try(run, nr, SXEN_RUN_TRIES + nr);
	mutex_unlock(&sxen_run_lock);
	return err == -ENOSPC ? -ENOMEM : err;
}

static u32 sxen_map_flags(const struct sxen_map *map)
{
	return GNTMAP_host_map | (map->readonly ? GNTMAP_readonly : 0);
}

/* In pieces, so that no memory is needed for it; 0, or an errno if one would not go. */
static int sxen_unmap_all(struct sxen_map *map)
{
	struct gnttab_unmap_grant_ref op[SXEN_UNMAP_BATCH];
	struct page *page[SXEN_UNMAP_BATCH];
	unsigned int i = 0, j, nr;
	int err, ret = 0;

	while (i < map->nr) {
		for (nr = 0; i < map->nr && nr < SXEN_UNMAP_BATCH; i++) {
			if (map->handle[i] == INVALID_GRANT_HANDLE)
				continue;
			gnttab_set_unmap_op(&op[nr], (unsigned long)page_address(map->page[i]),
					    sxen_map_flags(map), map->handle[i]);
			page[nr++] = map->page[i];
			map->handle[i] = INVALID_GRANT_HANDLE;
		}
		if (!nr)
			break;
		err = gnttab_unmap_refs(op, NULL, page, nr);
		for (j = 0; !err && j < nr; j++)
			if (op[j].status != GNTST_okay)
				err = -EIO;
		ret = ret ?: err;
	}
	return ret;
}

static void sxen_map_free(struct sxen_map *map, bool pages)
{
	if (!map)
		return;
	if (pages)
		gnttab_free_pages(map->nr, map->page);
	kvfree(map->page);
	kvfree(map->handle);
	kfree(map);
}

static int sxen_map_all(struct sxen_map *map, const u32 *ref)
{
	struct gnttab_map_grant_ref *op;
	unsigned int i, bad = 0;
	int err;

	op = kvcalloc(map->nr, sizeof(*op), GFP_KERNEL);
	if (!op)
		return -ENOMEM;
	for (i = 0; i < map->nr; i++) {
		gnttab_set_map_op(&op[i], (unsigned long)page_address(map->page[i]),
				  sxen_map_flags(map), ref[i], map->domid);
		/* a call that fails on the way leaves the rest as it is, and 0 is success */
		op[i].status = GNTST_general_error;
	}
	err = gnttab_map_refs(op, NULL, map->page, map->nr);
	for (i = 0; i < map->nr; i++) {
		if (op[i].status == GNTST_okay)
			map->handle[i] = op[i].handle;
		else
			bad++;
	}
	if (bad)
		err = err ?: -ENXIO;
	kvfree(op);
	return err;
}

/**
 * sxen_map_get() - map grants
 * @domid: whose
 * @ref: references, checked against repetition
 * @nr: how many
 * @readonly: not to be written
 *
 * All or nothing.
 *
 * Return: the mapping, or an ERR_PTR: -ENXIO if the other domain did not grant one of
 * them like this (any more), -ENOMEM.
 */
struct sxen_map *sxen_map_get(domid_t domid, const u32 *ref, unsigned int nr, bool readonly)
{
	struct sxen_map *map = kzalloc(sizeof(*map), GFP_KERNEL);
	unsigned int i;
	int err = -ENOMEM;

	if (!map)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&map->list);
	map->domid = domid;
	map->nr = nr;
	map->readonly = readonly;
	map->page = kvcalloc(nr, sizeof(*map->page), GFP_KERNEL);
	map->handle = kvcalloc(nr, sizeof(*map->handle), GFP_KERNEL);
	if (!map->page || !map->handle)
		goto err_free;
	for (i = 0; i < nr; i++)
		map->handle[i] = INVALID_GRANT_HANDLE;
	err = sxen_run_alloc(map->page, nr);
	if (err)
		goto err_free;
	map->va = page_address(map->page[0]);
	err = sxen_map_all(map, ref);
	if (err)
		goto err_unmap;
	atomic_long_add(nr, &sxen_nr_mapped);
	return map;

err_unmap:
	/* pages that Xen would not unmap must not be used for anything else */
	sxen_map_free(map, !sxen_unmap_all(map));
	return ERR_PTR(err);
err_free:
	sxen_map_free(map, false);
	return ERR_PTR(err);
}

/**
 * sxen_map_idle() - does nobody but the mapping hold its pages?
 * @map: the mapping
 */
bool sxen_map_idle(const struct sxen_map *map)
{
	unsigned int i;

	for (i = 0; i < map->nr; i++)
		if (page_ref_count(map->page[i]) != 1)
			return false;
	return true;
}

/**
 * sxen_map_put() - unmap
 * @map: the mapping, gone after this
 *
 * On return the other domain can end its grants.
 *
 * Return: 0, or -EIO if Xen refused, and the pages are lost.
 */
int sxen_map_put(struct sxen_map *map)
{
	int err;

	if (!map)
		return 0;
	err = sxen_unmap_all(map);
	if (err)
		pr_warn("sluice_xen: %u pages of domain %u cannot be unmapped (%d)\n", map->nr,
			map->domid, err);
	atomic_long_sub(map->nr, &sxen_nr_mapped);
	sxen_map_free(map, !err);
	return err;
}

static void sxen_orphans_work(struct work_struct *work)
{
	struct sxen_map *map, *next;

	mutex_lock(&sxen_orphans_lock);
	list_for_each_entry_safe(map, next, &sxen_orphans, list) {
		if (!sxen_map_idle(map))
			continue;
		list_del(&map->list);
		sxen_map_put(map);
	}
	if (!list_empty(&sxen_orphans))
		queue_delayed_work(system_unbound_wq, &sxen_orphans_look,
				   msecs_to_jiffies(SXEN_ORPHAN_MS));
	mutex_unlock(&sxen_orphans_lock);
}

/**
 * sxen_map_orphan() - unmap as soon as nobody holds a page
 * @map: the mapping
 */
void sxen_map_orphan(struct sxen_map *map)
{
	if (!map)
		return;
	mutex_lock(&sxen_orphans_lock);
	list_add_tail(&map->list, &sxen_orphans);
	mutex_unlock(&sxen_orphans_lock);
	mod_delayed_work(system_unbound_wq, &sxen_orphans_look, 0);
}

/**
 * sxen_refs_fetch() - read a list of references that is granted itself
 * @domid: whose
 * @dir_ref: reference of the page
 * @nr: references in it
 * @snap: the copy
 * @text: what is wrong, constant
 *
 * Return: 0 or an errno.
 */
int sxen_refs_fetch(domid_t domid, u32 dir_ref, u32 nr, u32 *snap, const char **text)
{
	u32 *work = kvmalloc_array(nr, sizeof(*work), GFP_KERNEL);
	struct sxen_map *map;
	int err;

	*text = "the list of grant references cannot be mapped";
	if (!work)
		return -ENOMEM;
	map = sxen_map_get(domid, &dir_ref, 1, true);
	if (IS_ERR(map)) {
		err = PTR_ERR(map);
	} else {
		err = sxen_refs_read(map->va, nr, snap, work, text);
		sxen_map_put(map);
	}
	kvfree(work);
	return err;
}

/**
 * sxen_map_pages() - pages of other domains that are mapped here
 */
unsigned long sxen_map_pages(void)
{
	return atomic_long_read(&sxen_nr_mapped);
}

/**
 * sxen_map_exit() - the module goes
 *
 * What sockets still hold stays mapped until this domain ends.
 */
void sxen_map_exit(void)
{
	cancel_delayed_work_sync(&sxen_orphans_look);
	sxen_orphans_work(NULL);
	cancel_delayed_work_sync(&sxen_orphans_look);
	if (!list_empty(&sxen_orphans))
		pr_warn("sluice_xen: %lu pages stay mapped: sockets hold frames in them\n",
			sxen_map_pages());
}
