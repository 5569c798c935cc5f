// SPDX-License-Identifier: GPL-2.0
/*
 * Pages granted to a domain.
 *
 * A page goes back to the allocator only when its grant could be ended, which Xen
 * refuses while the domain maps it. What nobody here wants any more but the
 * guest still maps waits on a list and is tried again and again; it ends at the latest
 * with the guest, since Xen unmaps what a dying domain had mapped.
 *
 * Memory is zeroed when it is allocated, so nobody sees what was in it before.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <xen/page.h>
#include "xen.h"

#define SXEN_RETRY_MS		500
#define SXEN_RETRY_MAX_MS	8000

static DEFINE_MUTEX(sxen_left_lock);		/* sxen_left, sxen_left_wait */
static LIST_HEAD(sxen_left);			/* unwanted, but still mapped */
static unsigned int sxen_left_wait;
static atomic_long_t sxen_nr_live = ATOMIC_LONG_INIT(0);
static atomic_long_t sxen_nr_left = ATOMIC_LONG_INIT(0);

static void sxen_left_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(sxen_left_retry, sxen_left_work);

static void sxen_pages_put(struct sxen_grants *g)
{
	unsigned int i;

	if (g->mapped)
		vunmap(g->va);
	for (i = 0; i < g->nr; i++)
		if (g->page[i])
			put_page(g->page[i]);
	kvfree(g->page);
	kvfree(g->ref);
	kfree(g);
}

/* One piece if there is one: cheaper to address, and kinder to a NIC with an IOMMU. */
static bool sxen_pages_piece(struct sxen_grants *g, gfp_t gfp, int node)
{
	unsigned int order = get_order((unsigned long)g->nr << PAGE_SHIFT), i;
	struct page *page;

	if (!is_power_of_2(g->nr) || order > SLUICE_SHM_SEGMENT_SHIFT - PAGE_SHIFT)
		return false;
	page = alloc_pages_node(node, gfp | __GFP_NORETRY | __GFP_NOWARN, order);
	if (!page)
		return false;
	split_page(page, order);
	for (i = 0; i < g->nr; i++)
		g->page[i] = page + i;
	g->va = page_address(page);
	return true;
}

static int sxen_pages_single(struct sxen_grants *g, gfp_t gfp, int node)
{
	unsigned int i;

	for (i = 0; i < g->nr; i++) {
		g->page[i] = alloc_pages_node(node, gfp | __GFP_NOWARN | __GFP_RETRY_MAYFAIL, 0);
		if (!g->page[i])
			return -ENOMEM;
	}
	g->va = vmap(g->page, g->nr, VM_MAP, PAGE_KERNEL);
	g->mapped = g->va;
	return g->va ? 0 : -ENOMEM;
}

/**
 * sxen_grants_alloc() - zeroed pages, granted to nobody yet
 * @domid: for whom
 * @nr: how many
 * @gfp: zone
 * @node: where to look first
 *
 * Return: freed with sxen_grants_free(), or NULL.
 */
struct sxen_grants *sxen_grants_alloc(domid_t domid, unsigned int nr, gfp_t gfp, int node)
{
	struct sxen_grants *g = kzalloc(sizeof(*g), GFP_KERNEL);
	unsigned int i;

	if (!g)
		return NULL;
	INIT_LIST_HEAD(&g->list);
	g->domid = domid;
	g->nr = nr;
	g->page = kvcalloc(nr, sizeof(*g->page), GFP_KERNEL);
	g->ref = kvcalloc(nr, sizeof(*g->ref), GFP_KERNEL);
	if (!g->page || !g->ref) {
		g->nr = 0;
		goto err_put;
	}
	for (i = 0; i < nr; i++)
		g->ref[i] = INVALID_GRANT_REF;
	gfp |= GFP_KERNEL | __GFP_ZERO;
	if (!sxen_pages_piece(g, gfp, node) && sxen_pages_single(g, gfp, node))
		goto err_put;
	return g;

err_put:
	sxen_pages_put(g);
	return NULL;
}

/**
 * sxen_grants_share() - from here on the domain can map the pages
 * @g: pages
 * @readonly: it may only read them
 *
 * Return: 0, or -ENOSPC if the grant table is full, and nothing is granted.
 */
int sxen_grants_share(struct sxen_grants *g, bool readonly)
{
	grant_ref_t head;
	unsigned int i;

	if (g->shared)
		return 0;
	if (gnttab_alloc_grant_references(g->nr, &head))
		return -ENOSPC;
	for (i = 0; i < g->nr; i++) {
		g->ref[i] = gnttab_claim_grant_reference(&head);
		gnttab_grant_foreign_access_ref(g->ref[i], g->domid, xen_page_to_gfn(g->page[i]),
						readonly);
	}
	gnttab_free_grant_references(head);
	g->nr_live = g->nr;
	g->shared = true;
	atomic_long_add(g->nr, &sxen_nr_live);
	return 0;
}

/**
 * sxen_grants_end() - the domain shall not map the pages any more
 * @g: pages
 *
 * What it does not map at this moment it cannot map again.
 *
 * Return: how many of them it still maps; 0 means confirmed.
 */
unsigned int sxen_grants_end(struct sxen_grants *g)
{
	unsigned int i;

	for (i = 0; g->nr_live && i < g->nr; i++) {
		if (g->ref[i] == INVALID_GRANT_REF || !gnttab_try_end_foreign_access(g->ref[i]))
			continue;
		g->ref[i] = INVALID_GRANT_REF;
		g->nr_live--;
		atomic_long_dec(&sxen_nr_live);
	}
	return g->nr_live;
}

static void sxen_left_later(void)
{
	queue_delayed_work(system_unbound_wq, &sxen_left_retry, msecs_to_jiffies(sxen_left_wait));
}

static void sxen_left_work(struct work_struct *work)
{
	struct sxen_grants *g, *next;
	bool some = false;

	mutex_lock(&sxen_left_lock);
	list_for_each_entry_safe(g, next, &sxen_left, list) {
		unsigned int before = g->nr_live, left = sxen_grants_end(g);

		atomic_long_sub(before - left, &sxen_nr_left);
		some |= before != left;
		if (left)
			continue;
		list_del(&g->list);
		sxen_pages_put(g);
	}
	/* a guest that lets go of one page lets go of more */
	sxen_left_wait = some ? SXEN_RETRY_MS : min(2 * sxen_left_wait, SXEN_RETRY_MAX_MS);
	if (!list_empty(&sxen_left))
		sxen_left_later();
	mutex_unlock(&sxen_left_lock);
}

/**
 * sxen_grants_free() - nobody here wants the pages any more
 * @g: pages, or NULL
 *
 * What the domain still maps is kept until it does not.
 */
void sxen_grants_free(struct sxen_grants *g)
{
	if (!g)
		return;
	if (!sxen_grants_end(g)) {
		sxen_pages_put(g);
		return;
	}
	mutex_lock(&sxen_left_lock);
	atomic_long_add(g->nr_live, &sxen_nr_left);
	list_add_tail(&g->list, &sxen_left);
	sxen_left_wait = SXEN_RETRY_MS;
	mod_delayed_work(system_unbound_wq, &sxen_left_retry, msecs_to_jiffies(sxen_left_wait));
	mutex_unlock(&sxen_left_lock);
}

/**
 * sxen_grants_live() - grants of this module that stand
 */
unsigned long sxen_grants_live(void)
{
	return atomic_long_read(&sxen_nr_live);
}

/**
 * sxen_grants_quarantined() - those of them that nobody here wants any more
 */
unsigned long sxen_grants_quarantined(void)
{
	return atomic_long_read(&sxen_nr_left);
}

/**
 * sxen_grants_exit() - the module goes
 *
 * What is still mapped is left to the kernel's own list of such pages, which ends the
 * grants and frees the pages when it can.
 */
void sxen_grants_exit(void)
{
	struct sxen_grants *g, *next;
	unsigned int i;

	cancel_delayed_work_sync(&sxen_left_retry);
	list_for_each_entry_safe(g, next, &sxen_left, list) {
		list_del(&g->list);
		if (sxen_grants_end(g))
			pr_warn("sluice_xen: domain %u still maps %u pages, which are kept until it lets go\n",
				g->domid, g->nr_live);
		for (i = 0; i < g->nr; i++) {
			if (g->ref[i] == INVALID_GRANT_REF)
				continue;
			/* takes our reference of the page over */
			gnttab_end_foreign_access(g->ref[i], g->page[i]);
			g->page[i] = NULL;
		}
		sxen_pages_put(g);
	}
}
